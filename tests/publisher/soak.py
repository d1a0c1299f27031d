"""The soak: many threads, or tasks, publish to a server that fails in every way, and every event is accounted for.

    python -m tests.publisher.soak --events 200000 --threads 8 --tasks 200

What must hold: each event has exactly one outcome; an accepted one was taken exactly once, a failed one never, one in
doubt at most once; the accepted ones of a channel were taken in the order in which they were published; memory does not
grow with the number of events. A small version of it is among the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import logging
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from array import array
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs

from pusher_channels import AsyncPublisher, AsyncPusher, DeliveryUnknownError, PublisherStatistics, Pusher, PusherError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from pusher_channels import ChannelAttributes

OUTCOMES = ("none", "accepted", "failed", "in doubt")
CHANNELS_EACH = 25
"""How many channels each thread or task publishes to, in turn: nobody else publishes to those."""
TIMEOUT = 0.3
RETRIES = 1
"""So few that some requests fail for good."""
PATIENCE = 20.0
"""Seconds, for the server to listen again."""


@attrs.frozen
class Report:
    """What a soak saw."""

    events: int
    seconds: float
    outcomes: Counter[str]
    taken_in_doubt: int
    rss: list[int]
    statistics: PublisherStatistics

    def __str__(self) -> str:
        counts = ", ".join(f"{self.outcomes[name]} {name}" for name in OUTCOMES[1:])
        return (
            f"{self.events} events in {self.seconds:.1f} s ({self.events / self.seconds:.0f}/s): {counts} "
            f"({self.taken_in_doubt} of these were taken)\n  {self.statistics}\n  RSS in MB: {self.rss}"
        )


class Ledger:
    """Who published what, and what they were told of it: a byte an event."""

    def __init__(self, events: int) -> None:
        self.events = events
        self.outcomes = bytearray(events)
        self.told_twice = 0
        self.rss: list[int] = []

    def note(self, number: int, error: BaseException | None) -> None:
        """Note the outcome of an event."""
        if self.outcomes[number]:
            self.told_twice += 1
        kind = 1 if error is None else 3 if isinstance(error, DeliveryUnknownError) else 2
        assert kind != 2 or isinstance(error, PusherError)
        self.outcomes[number] = kind

    def share(self, worker: int, workers: int) -> Iterator[tuple[str, int]]:
        """Return the channels and numbers of the events of one worker."""
        for count, number in enumerate(range(worker, self.events, workers)):
            yield f"w{worker}-{count % CHANNELS_EACH}", number
            if number % (self.events // 10 or 1) == 0:
                self.rss.append(_rss())

    def check(self, taken: dict[str, list[str]], seconds: float, statistics: PublisherStatistics) -> Report:
        """Hold what the publisher said against what the server took."""
        assert self.told_twice == 0
        assert 0 not in self.outcomes, f"{self.outcomes.count(0)} events have no outcome"
        times = array("B", bytes(self.events))
        for numbers in taken.values():
            previous = -1
            for text in numbers:
                number = int(text)
                times[number] += 1
                if self.outcomes[number] == 1:
                    assert number > previous, f"{number} after {previous}"
                    previous = number
        wrong = Counter[str]()
        for number, outcome in enumerate(self.outcomes):
            if times[number] not in {1: (1,), 2: (0,), 3: (0, 1)}[outcome]:
                wrong[f"{OUTCOMES[outcome]} and taken {times[number]} times"] += 1
        assert not wrong, wrong
        counts = Counter(OUTCOMES[outcome] for outcome in self.outcomes)
        assert counts["accepted"] == statistics.published
        assert counts["failed"] == statistics.failed
        assert counts["in doubt"] == statistics.unknown
        assert statistics.queued == statistics.in_flight == statistics.cancelled == 0
        taken_in_doubt = sum(count for count, outcome in zip(times, self.outcomes, strict=True) if outcome == 3)
        return Report(self.events, seconds, counts, taken_in_doubt, self.rss, statistics)


def _rss() -> int:
    """Return the resident memory in MB, garbage and the allocator's reserve not counted."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, AttributeError):
        return 0  # not Linux
    return pages * 4096 // 2**20


@contextmanager
def fault_server(seed: int, rate: float) -> Generator[str]:
    """Run the server as a process of its own, and yield its URL."""
    command = [sys.executable, "-m", "tests.publisher.faults", "--seed", str(seed), "--rate", str(rate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def record_of(url: str) -> dict[str, list[str]]:
    """Return what the server took."""
    ends = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(f"http://{urlsplit(url).netloc.rpartition('@')[2]}/taken") as response:
                taken: dict[str, list[str]] = json.load(response)
        except urllib.error.URLError:  # its last fault may have been to accept no connection for a moment
            if time.monotonic() > ends:
                raise
            time.sleep(0.01)
        else:
            return taken


def soak_threads(url: str, events: int, threads: int, taken: Callable[[], dict[str, list[str]]]) -> Report:
    """Publish from threads."""
    ledger = Ledger(events)

    def noted(number: int) -> Callable[[Future[ChannelAttributes]], None]:
        return lambda future: ledger.note(number, future.exception())

    def work(worker: int) -> None:
        for channel, number in ledger.share(worker, threads):
            publisher.publish(channel, "e", str(number)).add_done_callback(noted(number))

    start = time.perf_counter()
    with Pusher.from_url(url, timeout=TIMEOUT, max_retries=RETRIES) as pusher, pusher.publisher() as publisher:
        workers = [threading.Thread(target=work, args=(worker,)) for worker in range(threads)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
    seconds = time.perf_counter() - start
    return ledger.check(taken(), seconds, publisher.statistics)


async def soak_tasks(url: str, events: int, tasks: int, taken: Callable[[], dict[str, list[str]]]) -> Report:
    """Publish from tasks."""
    ledger = Ledger(events)

    def noted(number: int) -> Callable[[asyncio.Future[ChannelAttributes]], None]:
        return lambda future: ledger.note(number, future.exception())

    async def work(publisher: AsyncPublisher, worker: int) -> None:
        for channel, number in ledger.share(worker, tasks):
            (await publisher.publish(channel, "e", str(number))).add_done_callback(noted(number))

    start = time.perf_counter()
    async with AsyncPusher.from_url(url, timeout=TIMEOUT, max_retries=RETRIES) as pusher:
        async with pusher.publisher() as publisher:
            await asyncio.gather(*(work(publisher, worker) for worker in range(tasks)))
        await asyncio.sleep(0)  # in which the last callbacks run
    seconds = time.perf_counter() - start
    return ledger.check(await asyncio.to_thread(taken), seconds, publisher.statistics)


def main() -> int:
    """Run both soaks and print what they saw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--rate", type=float, default=0.05, help="share of the requests that fail (default: 0.05)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    logging.getLogger("pusher_channels").addHandler(logging.NullHandler())  # there are thousands of warnings
    with fault_server(arguments.seed, arguments.rate) as url:
        report = soak_threads(url, arguments.events, arguments.threads, lambda: record_of(url))
        sys.stdout.write(f"{arguments.threads} threads: {report}\n")
        sys.stdout.flush()
    with fault_server(arguments.seed + 1, arguments.rate) as url:
        report = asyncio.run(soak_tasks(url, arguments.events, arguments.tasks, lambda: record_of(url)))
        sys.stdout.write(f"{arguments.tasks} tasks: {report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
