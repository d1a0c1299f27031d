"""Closing: twice, while others call, and using the client afterwards."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pusher_channels import AsyncPusher, Attempt, Event, Pusher, PusherError, ServerError
from pusher_channels_rest.models import BatchEvent
from tests.lifecycle.server import Orders, Server
from tests.lifecycle.support import SOAK, TLS, acall, async_client, auntil, call, descriptors, sync_client, until

ROUNDS = 300 if SOAK else 25
MANY = 1_000_000
"""More calls than anybody makes before the client is closed."""
HELD = Orders(hold=True).header()
CLOSED = "^the client is closed$"


def refused(error: BaseException | None) -> bool:
    return type(error) is PusherError and str(error) == "the client is closed"


# Calls under way.


@TLS
def test_calls_under_way_finish(server: Server, tls: bool) -> None:
    before, threads = descriptors(), threading.active_count()
    pusher = sync_client(server, tls=tls)
    call(pusher, "idle", 0)
    held = pusher.with_options(headers=HELD)
    with ThreadPoolExecutor(8) as executor:
        calls = [executor.submit(call, held, f"held-{number}", number % 5) for number in range(8)]
        until(lambda: server.held() == 8)
        pusher.close()
        with pytest.raises(PusherError, match=CLOSED):
            call(pusher, "late", 0)
        assert server.held() == 8  # closing waited for nobody
        server.release()
        for under_way in calls:
            under_way.result()  # each its own answer
    assert (descriptors(), threading.active_count()) == (before, threads)
    until(lambda: server.open_connections() == 0)


@TLS
async def test_awaited_calls_finish(server: Server, tls: bool) -> None:
    before = descriptors()
    pusher = async_client(server, tls=tls)
    await acall(pusher, "idle", 0)
    held = pusher.with_options(headers=HELD)
    tasks = [asyncio.create_task(acall(held, f"held-{number}", number % 5)) for number in range(8)]
    await auntil(lambda: server.held() == 8)
    await pusher.aclose()
    with pytest.raises(PusherError, match=CLOSED):
        await acall(pusher, "late", 0)
    assert server.held() == 8
    server.release()
    await asyncio.gather(*tasks)
    assert descriptors() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await auntil(lambda: server.open_connections() == 0)


def test_a_call_that_will_be_tried_again_is_under_way(server: Server) -> None:
    before = descriptors()
    closing: list[Pusher] = []

    def close(attempt: Attempt) -> None:
        for pusher in closing:
            pusher.close()

    orders = Orders(status=503, after=0)
    pusher = Pusher.from_url(server.url, on_response=close)
    closing.append(pusher)
    with pytest.raises(ServerError):
        pusher.with_options(headers=orders.header()).trigger("c", "e", "d")
    assert len(server.records()) == 3  # tried again as always
    with pytest.raises(PusherError, match=CLOSED):
        pusher.channels.list()
    assert descriptors() == before
    closing.clear()


@TLS
def test_closing_while_connections_are_made(slow_server: Server, tls: bool) -> None:
    before = descriptors()
    finished: list[int] = []

    def work(pusher: Pusher, begin: threading.Barrier, thread: int) -> None:
        begin.wait()
        for number in range(MANY):
            call(pusher, f"t{thread}-{number}", number % 5)
            finished.append(number)

    with ThreadPoolExecutor(6) as executor:
        for rounds in range(ROUNDS):
            pusher, begin = sync_client(slow_server, tls=tls), threading.Barrier(7)
            futures = [executor.submit(work, pusher, begin, thread) for thread in range(6)]
            begin.wait()
            time.sleep(rounds / ROUNDS * 0.02)
            pusher.close()
            for future in futures:
                assert refused(future.exception())  # not a time-out, not a broken connection
            assert descriptors() == before
    assert finished
    until(lambda: slow_server.open_connections() == 0)


@TLS
async def test_closing_while_tasks_make_connections(slow_server: Server, tls: bool) -> None:
    before = descriptors()
    finished = 0

    async def work(pusher: AsyncPusher, task: int) -> None:
        nonlocal finished
        for number in range(MANY):
            await acall(pusher, f"t{task}-{number}", number % 5)
            finished += 1

    for rounds in range(ROUNDS):
        pusher = async_client(slow_server, tls=tls)
        tasks = [asyncio.create_task(work(pusher, task)) for task in range(6)]
        await asyncio.sleep(rounds / ROUNDS * 0.02)
        await pusher.aclose()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert refused(outcome)
        assert descriptors() == before
    assert finished > 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await auntil(lambda: slow_server.open_connections() == 0)


def test_closing_out_of_another_event_loop(server: Server) -> None:
    """Each loop's calls finish, and each loop's connections are closed, those of idle loops included."""
    before = descriptors()
    pusher = async_client(server, tls=True)
    held = pusher.with_options(headers=HELD)
    done = threading.Event()

    async def idle() -> None:
        await acall(pusher, "idle", 0)
        await auntil(done.is_set)
        await auntil(lambda: server.open_connections() == 0)  # while this loop goes on

    async def under_way() -> None:
        await acall(held, "held", 1)

    with ThreadPoolExecutor(2) as executor:
        one, other = executor.submit(asyncio.run, idle()), executor.submit(asyncio.run, under_way())
        try:
            until(lambda: server.held() == 1 and server.open_connections() == 2)
            asyncio.run(pusher.aclose())
            with pytest.raises(PusherError, match=CLOSED):
                asyncio.run(acall(pusher, "late", 0))
        finally:
            server.release()
            done.set()
        other.result()
        one.result()
    assert descriptors() == before


async def test_many_may_close_at_once(server: Server) -> None:
    before = descriptors()
    pusher = async_client(server, tls=True)
    await asyncio.gather(*(acall(pusher, f"c{number}", 2) for number in range(5)))
    await asyncio.gather(*(pusher.aclose() for _ in range(5)))
    await pusher.aclose()
    assert descriptors() == before


def test_many_threads_may_close_at_once(server: Server) -> None:
    before = descriptors()
    pusher = sync_client(server, tls=True)
    call(pusher, "c", 2)
    with ThreadPoolExecutor(5) as executor:
        for closing in [executor.submit(pusher.close) for _ in range(20)]:
            closing.result()
    assert descriptors() == before


# Use after close.

CALLS: dict[str, Callable[[Pusher], object]] = {
    "trigger": lambda p: p.trigger("c", "e", "d"),
    "trigger_batch": lambda p: p.trigger_batch([Event("c", "e", "d")]),
    "send_to_user": lambda p: p.send_to_user("u", "e", "d"),
    "notify": lambda p: p.notify(["i"], apns={"aps": {}}),
    "request": lambda p: p.request("GET", "/x"),
    "channels": lambda p: p.channels.list(),
    "channels.get": lambda p: p.channels.get("c"),
    "channels.users": lambda p: p.channels.users("presence-c"),
    "channels.stats": lambda p: p.channels.stats("c"),  # pyright: ignore[reportDeprecated]
    "channels.trigger_event": lambda p: p.channels.trigger_event("c", name="e", body="{}"),  # pyright: ignore[reportDeprecated]
    "users": lambda p: p.users.terminate_connections("u"),
    "events": lambda p: p.events.trigger(name="e", data="d", channels=["c"]),
    "events.trigger_batch": lambda p: p.events.trigger_batch(batch=[BatchEvent(channel="c", name="e", data="d")]),
    "push_notifications": lambda p: p.push_notifications.publish(  # pyright: ignore[reportDeprecated]
        interests=["i"], apns={"aps": {}}
    ),
    "with_options": lambda p: p.with_options(timeout=1).trigger("c", "e", "d"),
}
LOCAL = {"authorize_channel", "authorize_channel_form", "authenticate_user", "authenticate_user_form", "webhook"}
OTHER = {"close", "aclose", "from_url", "from_env", "publisher"}


USED = pytest.mark.parametrize("used", [False, True], ids=["never used", "used before"])


def test_the_list_of_calls_is_whole(server: Server) -> None:
    public = {name for name in dir(Pusher) if not name.startswith("_")} - LOCAL - OTHER
    assert public == {name.partition(".")[0] for name in CALLS}
    with sync_client(server, tls=False) as pusher:
        for name in ("channels", "events", "push_notifications", "users"):
            methods = {method for method in dir(getattr(pusher, name)) if not method.startswith("_")}
            assert len(methods) == len([call for call in CALLS if call.partition(".")[0] == name])


@USED
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_calls_after_close(server: Server, name: str, used: bool) -> None:
    pusher = sync_client(server, tls=False)
    if used:
        call(pusher, "before", 2)
    server.forget()
    pusher.close()
    with pytest.raises(PusherError, match=CLOSED) as info:
        CALLS[name](pusher)
    assert refused(info.value)
    assert server.records() == []


@USED
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_awaits_after_close(server: Server, name: str, used: bool) -> None:
    pusher = async_client(server, tls=False)
    if used:
        await acall(pusher, "before", 2)
    server.forget()
    await pusher.aclose()
    coroutine: Callable[[AsyncPusher], Awaitable[object]] = CALLS[name]  # type: ignore[assignment]  # pyright: ignore
    with pytest.raises(PusherError, match=CLOSED) as info:
        await coroutine(pusher)
    assert refused(info.value)
    assert server.records() == []


def test_what_was_held_from_before(server: Server) -> None:
    pusher = sync_client(server, tls=False)
    view, get, publisher = pusher.with_options(timeout=30), pusher.channels.get, pusher.publisher(max_age=0)
    get("c")
    publisher.publish("c", "e", "d").result(20)
    pusher.close()
    for use in (lambda: get("c"), lambda: view.channels.list(), publisher.publish("c", "e", "d").result):
        with pytest.raises(PusherError, match=CLOSED):
            use()
    with pusher.publisher(max_age=0) as late, pytest.raises(PusherError, match=CLOSED):
        late.publish("c", "e", "d").result(20)
    publisher.close()
    publisher.close()
    with pytest.raises(PusherError, match="^the publisher is closed$"):
        publisher.publish("c", "e", "d")
    publisher.flush()
    assert publisher.statistics.published == 1
    assert pusher.authorize_channel("1.1", "private-x").auth
    assert pusher.authenticate_user("1.1", {"id": "u"}).auth


async def test_what_tasks_held_from_before(server: Server) -> None:
    pusher = async_client(server, tls=False)
    view, get, publisher = pusher.with_options(timeout=30), pusher.channels.get, pusher.publisher(max_age=0)
    await get("c")
    await (await publisher.publish("c", "e", "d"))
    await pusher.aclose()
    for use in (get("c"), view.channels.list(), await publisher.publish("c", "e", "d")):
        with pytest.raises(PusherError, match=CLOSED):
            await use
    await publisher.aclose()
    await publisher.aclose()
    with pytest.raises(PusherError, match="^the publisher is closed$"):
        await publisher.publish("c", "e", "d")
    await publisher.flush()
    assert publisher.statistics.published == 1


async def test_a_with_block_is_entered_once(server: Server) -> None:
    with sync_client(server, tls=False) as pusher:
        with pusher.with_options(timeout=30) as view:
            call(view, "view", 0)
        call(pusher, "still-open", 4)
    with pusher, pytest.raises(PusherError, match=CLOSED):
        call(pusher, "again", 0)
    async with async_client(server, tls=False) as twin:
        async with twin.with_options(timeout=30) as twins_view:
            await acall(twins_view, "view", 0)
        await acall(twin, "still-open", 4)
    async with twin:
        with pytest.raises(PusherError, match=CLOSED):
            await acall(twin, "again", 0)


def test_a_given_http_client_stays_open(server: Server) -> None:
    with httpx.Client(verify=server.context) as given:
        pusher = Pusher.from_url(server.tls_url, http_client=given)
        call(pusher, "before", 0)
        pusher.close()
        with pytest.raises(PusherError, match=CLOSED):
            call(pusher, "after", 0)
        call(Pusher.from_url(server.tls_url, http_client=given), "another", 0)
    with pytest.raises(PusherError, match=CLOSED):  # by its owner
        call(Pusher.from_url(server.tls_url, http_client=given), "late", 0)


def test_a_hook_may_close(server: Server) -> None:
    """It runs inside of a call, as a signal handler may: closing must not wait for that."""
    before = descriptors()
    closing: list[Pusher] = []
    pusher = Pusher.from_url(server.url, on_request=lambda attempt: closing.pop().close())
    closing.append(pusher)
    call(pusher, "last", 0)
    with pytest.raises(PusherError, match=CLOSED):
        call(pusher, "late", 0)
    assert descriptors() == before


# Not closed at all.


@TLS
def test_a_client_that_nobody_holds_any_more(server: Server, tls: bool) -> None:
    before = descriptors()
    pusher = sync_client(server, tls=tls)
    call(pusher, "c", 0)
    assert descriptors() == before + 1
    del pusher
    assert descriptors() == before


@TLS
async def test_an_async_client_that_nobody_holds_any_more(server: Server, tls: bool) -> None:
    before = descriptors()
    pusher = async_client(server, tls=tls)
    await asyncio.gather(*(acall(pusher, f"c{number}", 0) for number in range(3)))
    assert descriptors() == before + 3
    del pusher
    await auntil(lambda: descriptors() == before)
    await auntil(lambda: asyncio.all_tasks() == {asyncio.current_task()})


@TLS
def test_an_event_loop_that_ends(server: Server, tls: bool) -> None:
    before = descriptors()
    pusher = async_client(server, tls=tls)

    async def use(hurried: bool) -> None:
        calls = [asyncio.create_task(acall(pusher, f"c{number}", number)) for number in range(5)]
        if hurried:
            await asyncio.sleep(0.001)  # then asyncio.run cancels them
        else:
            await asyncio.gather(*calls)

    for hurried in (False, True, False, True, False):
        asyncio.run(use(hurried))
        assert descriptors() == before
    until(lambda: server.open_connections() == 0)


def test_an_event_loop_of_ones_own(server: Server) -> None:
    before = descriptors()
    pusher = async_client(server, tls=True)
    for _ in range(3):
        loop = asyncio.new_event_loop()
        for number in range(3):  # between which it does not run
            loop.run_until_complete(acall(pusher, "c", number))
        loop.run_until_complete(loop.shutdown_asyncgens())  # as asyncio.run does
        loop.close()
        assert descriptors() == before


@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
def test_an_event_loop_that_is_just_closed(server: Server) -> None:
    """Nobody is told of that: its connections go when the client is used again."""
    before = descriptors()
    pusher = async_client(server, tls=False)
    for number in range(5):
        loop = asyncio.new_event_loop()
        loop.run_until_complete(acall(pusher, "c", number))
        loop.close()
        gc.collect()
        assert descriptors() == before + 1
    asyncio.run(pusher.aclose())
    gc.collect()
    assert descriptors() == before
