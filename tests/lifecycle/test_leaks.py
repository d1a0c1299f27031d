"""Thousands of calls, failing, hanging and cancelled ones too, leave nothing: no descriptor, thread, task or memory."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from pusher_channels import AsyncPusher, Pusher, PusherError
from tests.faults.network import closed_port
from tests.lifecycle.server import Orders, Server
from tests.lifecycle.support import SOAK, TLS, acall, async_client, call, descriptors, sync_client, until

CALLS = 10_000 if SOAK else 200
A_CLIENT = 10
"""Blocks of memory that a client takes, at the very least."""

FAILING = {
    "400": Orders(status=400),
    "503, tried again": Orders(status=503, after=0),
    "no answer in time": Orders(hang=True),
    "half an answer": Orders(half=True),
}
KINDS = pytest.mark.parametrize("what", FAILING)


@pytest.fixture(autouse=True)
def no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep pytest from keeping what is logged."""
    monkeypatch.setattr(logging.getLogger("pusher_channels"), "disabled", True)


def check_flat(work: Callable[[], None], times: int, *, at_once: int = 1) -> None:
    """Check that work which is done again and again takes no more memory, descriptors and threads.

    It does something that many times. If each time left anything, it would be one block of memory or more, in every
    round. The caches of Python and of the libraries fill in the first few. Where several calls are ``at_once``, it is
    chance how many connections their pool keeps: as many, at the most.
    """

    def blocks() -> int:
        for _ in range(3):
            gc.collect()
        return sys.getallocatedblocks()

    work()  # fills caches, imports what it needs
    blocks()
    threads, held = threading.active_count(), descriptors()
    grown: list[int] = []
    while len(grown) < 10 and min(grown, default=times) >= times // 2:
        before = blocks()
        work()
        grown.append(blocks() - before)
    assert min(grown) < times // 2
    assert threading.active_count() == threads
    assert descriptors() < held + at_once


def options(orders: Orders) -> tuple[float, int]:
    """Return how long to wait for such answers, and how often to try again."""
    return (0.015 if orders.hang or orders.half else 20.0), (1 if orders.after is not None else 0)


@TLS
def test_calls(server: Server, tls: bool) -> None:
    with sync_client(server, tls=tls) as pusher:
        check_flat(lambda: [call(pusher, f"c{number}", number % 5) for number in range(CALLS)].clear(), CALLS)


@TLS
def test_awaited_calls(server: Server, tls: bool) -> None:
    async def batch() -> None:
        for start in range(0, CALLS, 50):
            await asyncio.gather(*(acall(pusher, f"c{start + number}", number % 5) for number in range(50)))

    with asyncio.Runner() as runner:
        pusher = async_client(server, tls=tls)
        check_flat(lambda: runner.run(batch()), CALLS, at_once=50)
        assert asyncio.all_tasks(runner.get_loop()) == set()


@KINDS
def test_calls_that_fail(server: Server, what: str) -> None:
    orders = FAILING[what]
    timeout, retries = options(orders)
    with sync_client(server, tls=False, timeout=timeout) as pusher:
        failing = pusher.with_options(headers=orders.header(), max_retries=retries)

        def batch() -> None:
            for _ in range(CALLS // 4):
                with pytest.raises(PusherError):
                    failing.trigger("c", "e", "d")

        check_flat(batch, CALLS // 4)
        call(pusher.with_options(timeout=20), "after", 0)
    until(lambda: server.open_connections() == 0)


@KINDS
def test_awaited_calls_that_fail(server: Server, what: str) -> None:
    orders = FAILING[what]
    timeout, retries = options(orders)
    pusher = async_client(server, tls=False, timeout=timeout)
    failing = pusher.with_options(headers=orders.header(), max_retries=retries)

    async def batch() -> None:
        for _ in range(CALLS // 25):
            outcomes = await asyncio.gather(
                *(failing.trigger("c", "e", "d") for _ in range(10)), return_exceptions=True
            )
            assert all(isinstance(outcome, PusherError) for outcome in outcomes)

    with asyncio.Runner() as runner:
        check_flat(lambda: runner.run(batch()), CALLS // 25 * 10, at_once=10)
        runner.run(acall(pusher.with_options(timeout=20), "after", 0))
        assert asyncio.all_tasks(runner.get_loop()) == set()
    until(lambda: server.open_connections() == 0)


@TLS
def test_cancelled_calls(slow_server: Server, tls: bool) -> None:
    pusher = async_client(slow_server, tls=tls)
    paused = pusher.with_options(headers=Orders(pause=0.002).header())

    async def cancelled(after: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(after):
                await paused.trigger("c", "e", "d")

    async def batch() -> None:
        for _ in range(CALLS // 25):
            await asyncio.gather(*(cancelled(number * 0.001) for number in range(10)))
        await asyncio.sleep(0.05)  # in which the event loop closes what they had opened

    with asyncio.Runner() as runner:
        runner.run(acall(pusher, "before", 0))
        check_flat(lambda: runner.run(batch()), CALLS // 25 * 10, at_once=10)
        runner.run(acall(pusher, "after", 0))
        assert asyncio.all_tasks(runner.get_loop()) == set()


def test_connections_that_are_refused() -> None:
    with closed_port() as port, Pusher.from_url(f"http://key:secret@127.0.0.1:{port}/apps/3", max_retries=0) as pusher:

        def batch() -> None:
            for _ in range(CALLS // 4):
                with pytest.raises(PusherError):
                    pusher.trigger("c", "e", "d")

        check_flat(batch, CALLS // 4)


def test_clients(server: Server) -> None:
    def batch() -> None:
        for number in range(CALLS // 10):
            pusher = sync_client(server, tls=False)
            call(pusher, "c", number % 5)
            if number % 2:
                pusher.close()

    check_flat(batch, CALLS // 10 * A_CLIENT)


def test_event_loops(server: Server) -> None:
    shared = async_client(server, tls=False)

    async def use(number: int) -> None:
        await acall(shared, "c", number % 5)
        pusher: AsyncPusher = async_client(server, tls=False)
        await acall(pusher, "c", number % 5)
        if number % 2:
            await pusher.aclose()

    check_flat(lambda: [asyncio.run(use(number)) for number in range(CALLS // 10)].clear(), CALLS // 10 * A_CLIENT)


def test_publishers(server: Server) -> None:
    def batch() -> None:
        with sync_client(server, tls=False) as pusher:  # a publisher is not what keeps its connections
            for _ in range(3):
                with pusher.publisher(max_age=0) as publisher:
                    for number in range(CALLS // 3):
                        publisher.publish(f"c{number % 7}", "e", "d")

    check_flat(batch, CALLS)
