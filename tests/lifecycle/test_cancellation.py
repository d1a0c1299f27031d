"""An await that is cancelled, at every point where that can happen, leaves the client as good as before."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pusher_channels import APITimeoutError, AsyncPusher
from tests.lifecycle.server import Orders, Server, count_of
from tests.lifecycle.support import SOAK, TLS, acall, async_client, auntil, descriptors

LIMIT = 100
PAUSED = Orders(pause=0.005)
"""So that a call waits for the head and for the body, and for each half of them, unless the machine is busy."""
AGAIN = Orders(status=503, after=0)
RANDOM_CALLS = 5_000 if SOAK else 400


class CancelledAt:
    """Awaits a coroutine, and cancels the task that does so where the coroutine is suspended for the n-th time.

    ``late`` cancels it later, but before it goes on: what it waited for has come already.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, object], at: int, *, late: bool) -> None:
        self._coroutine = coroutine
        self._at = at
        self._late = late
        self.suspensions = 0

    def __await__(self) -> Generator[Any, None, None]:
        task = asyncio.current_task()
        assert task is not None
        resume: Callable[[], Any] = lambda: self._coroutine.send(None)  # noqa: E731
        while True:
            try:
                waits_for: asyncio.Future[object] | None = resume()
            except StopIteration:
                return
            if self.suspensions == self._at:
                if self._late and waits_for is not None:
                    waits_for.add_done_callback(lambda _: task.cancel())
                else:
                    task.cancel()
            self.suspensions += 1
            try:
                yield waits_for
            except BaseException as error:
                thrown = error
                resume = lambda: self._coroutine.throw(thrown)  # noqa: B023, E731
            else:
                resume = lambda: self._coroutine.send(None)  # noqa: E731


async def cancel_at_every_point(
    make: Callable[[], Awaitable[tuple[AsyncPusher, Coroutine[Any, Any, object]]]], *, late: bool
) -> int:
    """Cancel a call at one point after the other, until it comes to its end first; return how many there were.

    There are those at which it connects and begins TLS, and one or more while it reads, as the answer comes in parts.
    """
    before, at = descriptors(), 0
    while True:
        pusher, coroutine = await make()
        cancelling = CancelledAt(coroutine, at, late=late)

        async def drive(cancelling: CancelledAt = cancelling) -> None:
            await cancelling

        with suppress(asyncio.CancelledError):
            await asyncio.create_task(drive())
        # What would come of a half read answer, if its connection were used again: the next calls get it.
        for kind in range(5):
            await acall(pusher, f"after-{at}", kind)
        await pusher.aclose()
        await auntil(lambda: descriptors() == before)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        if cancelling.suspensions <= at:
            return at
        at += 1


LATE = pytest.mark.parametrize("late", [False, True], ids=["at once", "when it is ready"])


@TLS
@LATE
async def test_a_call_on_a_new_connection(slow_server: Server, tls: bool, late: bool) -> None:
    async def make() -> tuple[AsyncPusher, Coroutine[Any, Any, object]]:
        pusher = async_client(slow_server, tls=tls)
        paused = pusher.with_options(headers=PAUSED.header())
        return pusher, acall(paused, "first", 0)

    assert await cancel_at_every_point(make, late=late) >= (3 if tls else 2)


@TLS
@LATE
async def test_a_call_on_a_used_connection(server: Server, tls: bool, late: bool) -> None:
    async def make() -> tuple[AsyncPusher, Coroutine[Any, Any, object]]:
        pusher = async_client(server, tls=tls)
        await acall(pusher, "warm", 2)
        return pusher, acall(pusher.with_options(headers=PAUSED.header()), "second", 1)

    assert await cancel_at_every_point(make, late=late) >= 1


@LATE
async def test_a_call_that_is_tried_again(server: Server, late: bool) -> None:
    async def make() -> tuple[AsyncPusher, Coroutine[Any, Any, object]]:
        pusher = async_client(server, tls=False)
        await acall(pusher, "warm", 2)

        async def fail() -> None:
            with pytest.raises(Exception, match="503"):
                await pusher.with_options(headers=AGAIN.header()).trigger("c", "e", "d")

        return pusher, fail()

    assert await cancel_at_every_point(make, late=late) >= 3


@TLS
@LATE
async def test_closing(server: Server, tls: bool, late: bool) -> None:
    async def make() -> tuple[AsyncPusher, Coroutine[Any, Any, object]]:
        closed, other = async_client(server, tls=tls), async_client(server, tls=tls)
        await asyncio.gather(*(acall(closed, f"c{number}", 2) for number in range(5)))
        return other, closed.aclose()

    assert await cancel_at_every_point(make, late=late) >= 1


@TLS
async def test_cancelled_at_random_moments(slow_server: Server, tls: bool) -> None:
    slow_server.forget()
    chance = random.Random(1)
    before = descriptors()
    pusher = async_client(slow_server, tls=tls)
    paused = pusher.with_options(headers=PAUSED.header())
    ended = 0

    async def one(number: int, seconds: float) -> None:
        nonlocal ended
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await acall(paused, f"random-{number}", number % 5)
                ended += 1

    began = time.perf_counter()
    await asyncio.gather(*(one(number, 60) for number in range(50)))
    longest = 1.5 * (time.perf_counter() - began)
    for start in range(50, RANDOM_CALLS, 50):
        await asyncio.gather(*(one(number, chance.uniform(0, longest)) for number in range(start, start + 50)))
    assert 50 < ended < RANDOM_CALLS
    await asyncio.gather(*(acall(pusher, f"after-{number}", number % 5) for number in range(2 * LIMIT)))
    await pusher.aclose()
    assert descriptors() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await auntil(lambda: slow_server.open_connections() == 0)


async def test_no_place_is_lost(server: Server) -> None:
    """More calls are cancelled than there may be connections: on their way, and waiting for a connection."""
    before = descriptors()
    pusher = async_client(server, tls=False)
    hanging = pusher.with_options(headers=Orders(hang=True).header())
    for _ in range(2):
        tasks = [asyncio.create_task(hanging.channels.get(f"hang-{number}")) for number in range(LIMIT + 30)]
        await auntil(lambda: len(server.records()) == LIMIT)
        for task in reversed(tasks):  # those first that wait for a connection
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        server.forget()
    paused = pusher.with_options(headers=Orders(pause=0.05).header())
    together = [asyncio.create_task(acall(paused, f"after-{number}", 2)) for number in range(LIMIT)]
    await auntil(lambda: len(server.records()) == LIMIT)  # all at once: each has a connection
    await asyncio.gather(*together)
    await pusher.aclose()
    assert descriptors() == before


@TLS
@pytest.mark.parametrize("how", ["cancelled", "out of time"])
async def test_a_server_that_is_gone(tmp_path: Path, how: str, tls: bool) -> None:
    """Connections are given up at once: nobody waits for its consent to the end of TLS."""
    before = descriptors()
    with Server(tmp_path) as server:
        pusher = async_client(server, tls=tls)
        held = pusher.with_options(headers=Orders(hold=True).header())
        warm = [asyncio.create_task(acall(held, f"c{number}", 2)) for number in range(10)]
        await auntil(lambda: server.held() == 10)  # all at once: each has a connection
        server.release()
        await asyncio.gather(*warm)
        server.stop()
        hanging = pusher.with_options(timeout=20.0 if how == "cancelled" else 0.2, max_retries=0)
        tasks = [asyncio.create_task(hanging.channels.get(f"c{number}")) for number in range(10)]
        await asyncio.sleep(0)  # in which each sends its request on one of them
        if how == "cancelled":
            for task in tasks:
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        expected = asyncio.CancelledError if how == "cancelled" else APITimeoutError
        assert all(isinstance(outcome, expected) for outcome in outcomes)
        await auntil(lambda: descriptors() <= before + 1)  # the one to the server's output
        await pusher.aclose()
    assert descriptors() == before


@TLS
def test_an_event_loop_that_ends_with_a_server_that_is_gone(tmp_path: Path, tls: bool) -> None:
    before = descriptors()
    with Server(tmp_path) as server:
        pusher = async_client(server, tls=tls)

        async def main() -> None:
            hanging = pusher.with_options(headers=Orders(hang=True).header())
            tasks = [asyncio.create_task(hanging.channels.get(f"c{number}")) for number in range(10)]
            await auntil(lambda: len(server.records()) == len(tasks))
            server.stop()

        asyncio.run(main())  # which cancels the tasks
        assert descriptors() == before + 1
    assert descriptors() == before


async def test_a_publisher_counts_what_was_cancelled(server: Server) -> None:
    async with async_client(server, tls=False) as pusher:
        held = pusher.with_options(headers=Orders(hold=True).header())
        publisher = held.publisher(max_queue=2, max_age=0)
        futures = [await publisher.publish(f"c{number}", "e", f"held-{number}") for number in range(2)]
        for waits in (publisher.publish("c0", "e", "refused"), publisher.flush(), publisher.aclose()):
            task = asyncio.create_task(waits)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await auntil(lambda: server.held() == 2)
        server.release()
        await publisher.aclose()
        counts = [(await future).subscription_count for future in futures]
        assert counts == [count_of("held-0"), count_of("held-1")]
        assert publisher.statistics.published == 2
    assert sorted(data for record in server.records() for data in record.data) == ["held-0", "held-1"]
