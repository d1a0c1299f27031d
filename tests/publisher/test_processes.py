"""Threads, event loops, forks and the end of the interpreter."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from pusher_channels import (
    AsyncPusher,
    ChannelAttributes,
    DeliveryUnknownError,
    Publisher,
    Pusher,
    PusherError,
    QueueFullError,
)
from tests.publisher.faults import FaultServer, in_turn
from tests.publisher.twins import until

OUTCOME = ChannelAttributes(subscription_count=1)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


@pytest.fixture
def publisher(server: FaultServer) -> Iterator[Publisher]:
    with Pusher.from_url(server.url) as pusher, pusher.publisher(max_age=0) as made:
        yield made


def test_a_callback_may_publish(publisher: Publisher, server: FaultServer) -> None:
    second = Future[ChannelAttributes]()

    def chain(_: Future[ChannelAttributes]) -> None:
        publisher.publish("c", "e", "second").add_done_callback(lambda future: second.set_result(future.result()))

    publisher.publish("c", "e", "first").add_done_callback(chain)
    assert second.result(20) == OUTCOME
    assert server.taken["c"] == ["first", "second"]


@pytest.mark.parametrize("method", ["flush", "close"])
def test_a_callback_that_would_wait_for_itself_is_told_so(
    publisher: Publisher, server: FaultServer, method: str
) -> None:
    told = Future[BaseException | None]()

    def call(_: Future[ChannelAttributes]) -> None:
        try:
            getattr(publisher, method)()
        except PusherError as error:
            told.set_result(error)

    server.held.clear()  # once the outcome is there, it would be called at once, by this thread
    publisher.publish("c", "e", "d").add_done_callback(call)
    server.answer()
    assert f"{method} was called in a callback" in str(told.result(20))


def test_a_callback_is_refused_where_others_wait(server: FaultServer) -> None:
    told = Future[BaseException]()

    def publish_too_many(_: Future[ChannelAttributes]) -> None:
        try:
            for number in range(3):
                small.publish("c", "e", number)
        except QueueFullError as error:
            told.set_result(error)

    server.held.clear()
    with Pusher.from_url(server.url) as pusher, pusher.publisher(max_queue=2, max_age=0) as small:
        small.publish("c", "e", "d").add_done_callback(publish_too_many)
        server.answer()
        assert "2 events" in str(told.result(20))


def test_a_callback_that_fails_takes_nobody_with_it(server: FaultServer, caplog: pytest.LogCaptureFixture) -> None:
    def exit_thread(_: Future[ChannelAttributes]) -> None:
        raise SystemExit

    with Pusher.from_url(server.url) as pusher, pusher.publisher(max_age=3600, concurrency=1) as publisher:
        server.held.clear()
        futures = [publisher.publish("c", "e", number) for number in range(10)]
        futures[3].add_done_callback(exit_thread)
        futures[5].add_done_callback(lambda future: 1 / 0)
        server.answer()
        publisher.flush()
        assert [future.result(20).subscription_count for future in futures] == [10] * 10
        publisher.publish("c", "e", "d")
    assert "a callback failed" in caplog.text
    assert len(server.taken["c"]) == 11


def test_the_books_are_right_in_a_callback(publisher: Publisher, server: FaultServer) -> None:
    told = Future[tuple[int, int, int]]()

    def look(_: Future[ChannelAttributes]) -> None:
        books = publisher.statistics
        told.set_result((books.queued, books.in_flight, books.published))

    server.held.clear()
    publisher.publish("c", "e", "d").add_done_callback(look)
    server.answer()
    assert told.result(20) == (0, 0, 1)


def test_the_threads_end(server: FaultServer) -> None:
    before = set(threading.enumerate())  # some of which may be the last of other tests, and end meanwhile
    with Pusher.from_url(server.url) as pusher:
        with pusher.publisher(concurrency=7) as publisher:
            assert set(threading.enumerate()) <= before
            publisher.publish("c", "e", "d")
            assert len(set(threading.enumerate()) - before) == 7
        assert set(threading.enumerate()) <= before


async def test_cancelled_sending_is_in_doubt(server: FaultServer) -> None:
    server.held.clear()
    async with AsyncPusher.from_url(server.url) as pusher, pusher.publisher(max_age=0, concurrency=1) as publisher:
        first = await publisher.publish("c", "e", "first")
        second = await publisher.publish("c", "e", "second")
        await until(lambda: bool(server.connections))
        (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "pusher-channels-publisher")
        task.cancel()
        with pytest.raises(DeliveryUnknownError):
            await first
        server.answer()
        await second
        assert (publisher.statistics.unknown, publisher.statistics.published) == (1, 1)


async def test_sending_that_was_cancelled_before_it_began_is_not_in_doubt(server: FaultServer) -> None:
    async with AsyncPusher.from_url(server.url) as pusher, pusher.publisher(max_age=0) as publisher:
        future = await publisher.publish("c", "e", "d")
        (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "pusher-channels-publisher")
        task.cancel()
        with pytest.raises(PusherError, match="was cancelled") as info:
            await future
        assert type(info.value) is PusherError
    assert server.requests == []


async def test_cancelled_while_singles_are_sent(server: FaultServer) -> None:
    server.plan = in_turn("400")
    async with AsyncPusher.from_url(server.url) as pusher, pusher.publisher(max_age=3600) as publisher:
        futures = [await publisher.publish("c", "e", number) for number in range(10)]
        (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "pusher-channels-publisher")
        futures[2].add_done_callback(lambda _: task.cancel())
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds[:3] == [ChannelAttributes] * 3
    assert kinds[3] in (DeliveryUnknownError, PusherError)
    assert kinds[4:] == [PusherError] * 6
    assert publisher.statistics.in_flight == publisher.statistics.queued == 0


def test_an_async_publisher_belongs_to_one_loop(server: FaultServer) -> None:
    pusher = AsyncPusher.from_url(server.url)
    publisher = pusher.publisher()

    async def use() -> None:
        await (await publisher.publish("c", "e", "d"))

    async def close() -> None:
        await publisher.aclose()

    async def use_and_close() -> None:
        await use()
        await publisher.aclose()
        await pusher.aclose()

    asyncio.run(use_and_close())
    with pytest.raises(PusherError, match="another event loop"):
        asyncio.run(use())
    with pytest.raises(PusherError, match="another event loop"):
        asyncio.run(close())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_cannot_use_the_parents_publisher(server: FaultServer) -> None:
    code = f"""
import os, sys
from pusher_channels import Pusher, PusherError
pusher = Pusher.from_url({server.url!r})
publisher = pusher.publisher(max_age=3600)
publisher.publish("c", "e", "parent's")
child = os.fork()
if child == 0:
    for use in (lambda: publisher.publish("c", "e", "child's"), publisher.flush, publisher.close,
                lambda: publisher.statistics):
        try:
            use()
        except PusherError as error:
            assert "parent process" in str(error)
        else:
            os._exit(1)
    with pusher.publisher() as own:
        own.publish("c", "e", "child's own").result()
    sys.exit(0)
_, status = os.waitpid(child, 0)
publisher.close()
sys.exit(os.waitstatus_to_exitcode(status))
"""
    run = run_code(code)
    assert (run.returncode, run.stderr) == (0, "")
    assert server.taken["c"] == ["child's own", "parent's"]


def run_code(code: str) -> subprocess.CompletedProcess[str]:
    # From Python 3.12 on it warns of forks of processes that have threads.
    command = [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_what_is_left_at_exit_is_sent(server: FaultServer) -> None:
    run = run_code(f"""
from pusher_channels import Pusher
publisher = Pusher.from_url({server.url!r}).publisher(max_age=3600)
for number in range(25):
    publisher.publish("c", "e", number)
""")
    assert (run.returncode, run.stderr) == (0, "")
    assert server.taken["c"] == [str(number) for number in range(25)]


def test_what_cannot_be_sent_at_exit_is_reported(server: FaultServer) -> None:
    server.plan = in_turn("hang", "hang")
    run = run_code(f"""
import logging, sys, time
from pusher_channels import Pusher
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
pusher = Pusher.from_url({server.url!r}, timeout=60, deadline=60, verify=False)
publisher = pusher.publisher(concurrency=1, max_age=3600)
for number in range(25):
    publisher.publish("c", "e", number)
while publisher.statistics.in_flight < 10:
    time.sleep(0.01)
publisher._exit_limit = 0.1  # shorter than the attempt
""")
    text = "25 events were not confirmed when the interpreter exited: 15 were not sent, 10 may have been taken or not"
    assert run.stderr == f"pusher_channels: {text}\n"
    assert f"ERROR {text}\n" in run.stdout


def test_an_async_publisher_that_was_not_closed_is_reported(server: FaultServer) -> None:
    run = run_code(f"""
import asyncio
from pusher_channels import AsyncPusher

async def main():
    async with AsyncPusher.from_url({server.url!r}) as pusher:
        global publisher
        publisher = pusher.publisher(max_age=3600)
        for number in range(3):
            await publisher.publish("c", "e", number)

asyncio.run(main())
""")
    assert "3 events were not confirmed when the interpreter exited: 3 were not sent, 0 may" in run.stderr
    assert server.all_taken == []
