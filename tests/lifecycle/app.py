"""An application with clients at module level, as frameworks have it, and the programs that fork it.

It gets the server from the environment: ``PUSHER_URL`` and ``AUTHORITY``. What it publishes and asks for is named after
the process that does so, so that the server's record shows who used which connection.
"""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import multiprocessing
import os
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from pusher_channels import AsyncPusher, Publisher, Pusher, PusherError
from pusher_channels_rest import lazy
from tests.lifecycle.support import acall, call

lazy._PATIENCE = 20  # pyright: ignore[reportPrivateUsage]  a machine that is slow must not fail the test
CONTEXT = ssl.create_default_context(cafile=os.environ["AUTHORITY"])
pusher = Pusher.from_env(verify=CONTEXT, timeout=20)
apusher = AsyncPusher.from_env(verify=CONTEXT, timeout=20)
publisher = pusher.publisher()


def named(name: str) -> str:
    """Return a name that tells the process."""
    return f"{name}-pid{os.getpid()}"


@functools.cache
def publisher_of(pid: int) -> Publisher:
    """Return this process's own publisher."""
    return pusher.publisher()


def use_the_parents_publisher(name: str) -> str:
    """Return what comes of it."""
    try:
        publisher.publish("c", "e", named(f"{name}-too")).result(20)
    except PusherError as error:
        return str(error)
    return "it worked"


# WSGI and ASGI.


def respond(path: str) -> str:
    """Do what a path says with the sync client."""
    _, what, name = path.split("/")
    if what == "call":
        for kind in range(5):
            call(pusher, named(f"{name}-{kind}"), kind)
    elif what == "publish":
        publisher_of(os.getpid()).publish("c", "e", named(name)).result(20)
    elif what == "publish-later":
        publisher_of(os.getpid()).publish("c", "e", named(name))
    else:
        return use_the_parents_publisher(name)
    return str(os.getpid())


def wsgi(environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
    """Be an application for gunicorn's own workers."""
    text = respond(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text.encode()]


async def asgi(scope: dict[str, Any], receive: object, send: Callable[[dict[str, object]], Awaitable[None]]) -> None:
    """Be an application for uvicorn's worker."""
    _, _, name = scope["path"].split("/")
    for kind in range(5):
        await acall(apusher, named(f"{name}-{kind}"), kind)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(os.getpid()).encode()})


def use_before_the_fork() -> None:
    """Open connections in the process that is to be forked."""
    for kind in range(5):
        call(pusher, named(f"before-{kind}"), kind)
    asyncio.run(acall(apusher, named("before-async"), 2))


if os.environ.get("PRELOAD"):
    use_before_the_fork()


# os.fork


def fork(work: Callable[[], None]) -> int:
    """Fork, and let the child do this work and nothing else."""
    child = os.fork()
    if child:
        return child
    faulthandler.dump_traceback_later(20, exit=True)  # if it hangs, it says where
    try:
        work()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def wait_for(child: int) -> None:
    """Wait for a child, which must do its work and not hang."""
    ends = time.monotonic() + 30
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        if time.monotonic() > ends:
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise AssertionError("a child hung")
        time.sleep(0.005)


def in_threads(prefix: str, count: int, go_on: Callable[[int], bool]) -> list[threading.Thread]:
    """Start threads that call."""

    def work(thread: int) -> None:
        number = 0
        while go_on(number):
            call(pusher, named(f"{prefix}{thread}-{number}"), number % 5)
            number += 1

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(count)]
    for thread in threads:
        thread.start()
    return threads


def in_threads_with_loops(prefix: str, count: int, go_on: Callable[[int], bool]) -> list[threading.Thread]:
    """Start threads that call in an event loop of their own, two tasks in each."""

    async def work(task: str) -> None:
        number = 0
        while go_on(number):
            await acall(apusher, named(f"{task}-{number}"), number % 5)
            number += 1

    async def two(thread: int) -> None:
        await asyncio.gather(work(f"{prefix}{thread}-a"), work(f"{prefix}{thread}-b"))

    def run(thread: int) -> None:
        asyncio.run(two(thread))

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(count)]
    for thread in threads:
        thread.start()
    return threads


def fork_among_threads(children: int) -> None:
    """Fork while other threads are in the middle of calls; parent and children go on with the same client."""
    use_before_the_fork()
    stop = threading.Event()
    threads = in_threads("parent", 8, lambda number: not stop.is_set())

    def child_calls() -> None:
        call(pusher, named("at-once"), 0)
        asyncio.run(acall(apusher, named("async"), 1))
        for thread in in_threads("child", 3, lambda number: number < 10):
            thread.join()
        pusher.close()

    running = list[int]()
    try:
        for _ in range(children):
            running.append(fork(child_calls))
            if len(running) > 2:
                wait_for(running.pop(0))
        for child in running:
            wait_for(child)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    call(pusher, named("after"), 0)
    pusher.close()


def fork_among_first_calls(milliseconds: int, *, in_loops: bool) -> None:
    """Fork while other threads load modules and open connections, which nothing has done before."""
    start = in_threads_with_loops if in_loops else in_threads
    stop = threading.Event()
    threads = start("parent", 4, lambda number: number == 0 or not stop.is_set())

    def child_calls() -> None:
        for thread in start("child", 3, lambda number: number < 10):
            thread.join()

    children = list[int]()
    try:
        for _ in range(3):
            time.sleep(milliseconds / 1000)
            children.append(fork(child_calls))
        for child in children:
            wait_for(child)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def fork_under_a_loop(children: int) -> None:
    """Fork out of a running event loop, among its tasks."""

    async def child_calls() -> None:
        await asyncio.gather(*(acall(apusher, named(f"child-{n}"), n % 5) for n in range(10)))

    async def main() -> None:
        done = False

        async def work(task: int) -> None:
            number = 0
            while not done:
                await acall(apusher, named(f"parent{task}-{number}"), number % 5)
                number += 1

        tasks = [asyncio.create_task(work(task)) for task in range(8)]
        for number in range(children):
            await acall(apusher, named(f"between{number}"), 2)
            child = fork(lambda: asyncio.run(child_calls()))
            await asyncio.to_thread(wait_for, child)
        done = True
        await asyncio.gather(*tasks)
        await apusher.aclose()

    asyncio.run(main())


def work_in_a_pool(name: str) -> str:
    """Do the work of one task of a process pool."""
    for kind in range(5):
        call(pusher, named(f"{name}-{kind}"), kind)
    asyncio.run(acall(apusher, named(f"{name}-async"), 1))
    publisher_of(os.getpid()).publish("c", "e", named(f"{name}-published")).result(20)
    return use_the_parents_publisher(name)


def use_a_process_pool(method: str) -> None:
    """Use the clients here, then in a pool's processes, then here again."""
    use_before_the_fork()
    publisher.publish("c", "e", named("before-published")).result(20)
    with multiprocessing.get_context(method).Pool(3) as pool:
        answers = pool.map(work_in_a_pool, [f"task{number}" for number in range(12)], chunksize=1)
        pool.close()
        pool.join()
    expected = "this publisher is that of the parent process" if method == "fork" else "it worked"
    assert all(answer.startswith(expected) for answer in answers), answers
    call(pusher, named("after"), 0)
    publisher.close()
    pusher.close()


if __name__ == "__main__":
    what, argument = sys.argv[1:]
    if what == "pool":
        use_a_process_pool(argument)
    elif what == "loop":
        fork_under_a_loop(int(argument))
    elif what in ("first", "first-async"):
        fork_among_first_calls(int(argument), in_loops=what == "first-async")
    else:
        fork_among_threads(int(argument))
