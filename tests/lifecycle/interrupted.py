"""A program whose signal handler raises in the middle of calls, in any line of ours or of the libraries below.

``python -m tests.lifecycle.interrupted URL AUTHORITY CONTROL_PORT INTERRUPTS`` prints, as JSON, what came of it.
"""

from __future__ import annotations

import gc
import json
import random
import signal
import ssl
import sys
import threading
import time
from contextlib import suppress
from statistics import median
from types import FrameType

from pusher_channels import Pusher
from tests.lifecycle.server import Orders, control
from tests.lifecycle.support import call, descriptors, until

OTHERS = 4
LIMIT = 100


class SoftTimeLimitError(Exception):
    """What Celery raises in a task that takes too long is an ordinary exception like this."""


RAISED: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit, SoftTimeLimitError)


def main(url: str, authority: str, port: int, interrupts: int) -> None:
    """Interrupt calls of the main thread, while others go on with theirs."""
    chance = random.Random(1)
    armed = False
    interrupted = 0

    def interrupt(number: int, frame: FrameType | None) -> None:
        if armed:
            raise RAISED[interrupted % len(RAISED)]

    signal.signal(signal.SIGALRM, interrupt)
    context = ssl.create_default_context(cafile=authority)
    warm = Pusher.from_url(url, verify=context)
    for kind in range(5):  # all of them, because an interrupt in the middle of an import is Python's own matter
        call(warm, "warm", kind)
    warm.close()
    before = descriptors()
    pusher = Pusher.from_url(url, verify=context, timeout=20)
    published: list[str] = []
    took: list[float] = []
    for number in range(20):
        began = time.perf_counter()
        published += call(pusher, f"first-{number}", 0)
        took.append(time.perf_counter() - began)
    longest = 1.2 * median(took)  # not the mean: after one long pause of the machine hardly a call would be interrupted
    stop = threading.Event()
    failures: list[BaseException] = []

    def go_on(thread: int) -> None:
        number = 0
        try:
            while not stop.is_set():
                published.extend(call(pusher, f"other-{thread}-{number}", number % 5))
                number += 1
                time.sleep(0.001)
        except BaseException as error:
            failures.append(error)

    # None beside TLS: for a moment, while a socket becomes one of TLS, two of Python's objects own its descriptor. An
    # interrupt there lets both close it, the second one what may have become another thread's.
    others = [threading.Thread(target=go_on, args=(n,)) for n in range(0 if url.startswith("https") else OTHERS)]
    for thread in others:
        thread.start()
    number = 0
    while interrupted < interrupts:
        number += 1
        try:
            armed = True
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, longest))
                sent = call(pusher, f"main-{number}", number % 5)
            finally:
                armed = False
            published.extend(sent)
        except RAISED:
            armed = False
            interrupted += 1
    stop.set()
    for thread in others:
        thread.join()
    for kind in range(5):
        published += call(pusher, f"last-{kind}", kind)
    held = pusher.with_options(headers=Orders(hold=True).header())
    at_once = [threading.Thread(target=call, args=(held, f"held-{number}", 2)) for number in range(LIMIT)]
    for thread in at_once:
        thread.start()
    with suppress(AssertionError):
        until(lambda: control(port, "/held") == LIMIT)
    at_most = control(port, "/held")
    control(port, "/release")
    for thread in at_once:
        thread.join()
    pusher.close()
    gc.collect()
    json.dump(
        {
            "published": published,
            "failures": [repr(error) for error in failures],
            "left": descriptors() - before,
            "threads": threading.active_count(),
            "at_once": at_most,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
