"""Both publishers against a server that does as it is told."""

from __future__ import annotations

import asyncio
import logging
import math
import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from pusher_channels import (
    APIConnectionError,
    APITimeoutError,
    Attempt,
    BadRequestError,
    ChannelAttributes,
    ConfigurationError,
    DeliveryUnknownError,
    Event,
    InvalidArgumentError,
    NotFoundError,
    PayloadTooLargeError,
    Pusher,
    PusherError,
    QueueFullError,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
)
from pusher_channels.emulator import Emulator
from tests.faults.certificates import make_certificates
from tests.faults.network import closed_port
from tests.faults.secrets import leaks
from tests.publisher.faults import SERVER_CLOCK, Fault, FaultServer, failing_if, in_turn
from tests.publisher.twins import KINDS, Outcome, Twin, open_twin, until
from tests.unit.support import MASTER_KEY, Recorder

ACCEPTED = ChannelAttributes
NEVER = 3600.0
"""An age at which only full batches and flushes are sent."""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


async def publish_all(twin: Twin, count: int, channels: int = 100) -> list[Outcome]:
    return [await twin.publish(f"channel-{number % channels}", "e", number) for number in range(count)]


@KINDS
async def test_events_share_requests_up_to_the_limit_of_the_spec(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        futures = await publish_all(twin, 95)
        await twin.flush()
        assert [type(outcome) for outcome in await twin.outcomes(*futures)] == [ACCEPTED] * 95
        statistics = twin.statistics
    assert sorted(map(int, server.all_taken)) == list(range(95))
    assert max(map(len, server.requests)) == 10
    assert len(server.requests) <= 12
    assert (statistics.published, statistics.requests, statistics.retried) == (95, len(server.requests), 0)
    assert statistics.queued == statistics.in_flight == statistics.failed == statistics.unknown == 0
    assert 0 < statistics.latency_median <= statistics.latency_p99 <= statistics.latency_max < 60


@KINDS
async def test_the_clients_own_limit_counts(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, client={"max_batch_events": 3}, max_age=NEVER) as twin:
        futures = await publish_all(twin, 9)
        await twin.outcomes(*futures)
    assert [len(request) for request in server.requests] == [3, 3, 3]


@KINDS
async def test_everything_of_an_event_arrives(kind: str) -> None:
    async with Emulator() as emulator, open_twin(kind, emulator.url, max_age=NEVER) as twin:  # in one batch
        first = await twin.publish("presence-a", "one", {"n": 1}, socket_id="1.2", info="user_count")
        second = await twin.publish_event(Event("b", "two", "text", info=["subscription_count"]))
        third = await twin.publish("c", "three", b"bytes")
        await twin.flush()
        assert await first == ACCEPTED(user_count=0)
        assert (await second).subscription_count is not None
        assert await third == ACCEPTED()
        assert [(event.channel, event.name, event.data, event.socket_id) for event in emulator.published] == [
            ("presence-a", "one", '{"n":1}', "1.2"),
            ("b", "two", "text", None),
            ("c", "three", "bytes", None),
        ]


@KINDS
async def test_each_channel_keeps_its_order(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=0) as twin:
        await publish_all(twin, 300, channels=3)
    for number in range(3):
        assert server.taken[f"channel-{number}"] == [str(event) for event in range(number, 300, 3)]


@KINDS
async def test_a_channel_is_never_in_two_requests_at_once(kind: str, server: FaultServer) -> None:
    server.held.clear()
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        for number in range(20):
            await twin.publish("busy", "e", number)
        await publish_all(twin, 10)
        await until(lambda: twin.statistics.in_flight == 20)
        assert twin.statistics.queued == 10
        server.answer()
    assert server.taken["busy"] == [*map(str, range(20))]


@KINDS
async def test_what_is_wrong_is_refused_before_it_is_queued(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url) as twin:
        for arguments, argument in (
            (("no spaces", "e", "d"), "channel"),
            (("c", "", "d"), "event_name"),
            (("c", "e", "x" * 10_241), "data"),
            (("c", "e", math.nan), "data"),
        ):
            with pytest.raises(InvalidArgumentError) as info:
                await twin.publish(*arguments)
            assert info.value.argument == argument
        for options in ({"socket_id": "1"}, {"info": "nothing"}):
            with pytest.raises(InvalidArgumentError):
                await twin.publish("c", "e", "d", **options)
        with pytest.raises(InvalidArgumentError, match="^name: "):
            await twin.publish_event(Event("c", "", "d"))
        with pytest.raises(InvalidArgumentError, match="^event: must be an Event$"):
            await twin.publish_event({"channel": "c"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        assert (twin.statistics.queued, twin.statistics.failed) == (0, 0)
    assert server.requests == []


@KINDS
async def test_an_event_waits_for_company_no_longer_than_its_age(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=0.02) as twin:
        assert await (await twin.publish("c", "e", "d")) == ACCEPTED(subscription_count=1)


@KINDS
async def test_a_full_batch_waits_for_nothing(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        await asyncio.gather(*await publish_all(twin, 10))


@KINDS
async def test_a_full_queue_refuses_if_told_so(kind: str, server: FaultServer) -> None:
    server.held.clear()
    async with open_twin(kind, server.url, max_queue=5, when_full="refuse", max_age=0) as twin:
        futures = await publish_all(twin, 5)
        with pytest.raises(QueueFullError, match="5 events have no outcome yet"):
            await twin.publish("c", "e", "one too many")
        server.answer()
        await asyncio.gather(*futures)
        await twin.flush()  # events leave the queue a moment after they have their outcome
        await (await twin.publish("c", "e", "again"))
    assert sorted(server.all_taken) == ["0", "1", "2", "3", "4", "again"]


@KINDS
async def test_a_full_queue_makes_publishers_wait(kind: str, server: FaultServer) -> None:
    server.held.clear()
    async with open_twin(kind, server.url, max_queue=5, max_age=0) as twin:
        await publish_all(twin, 5)
        waiting = [asyncio.create_task(twin.publish("c", "e", f"late {number}")) for number in range(20)]
        done, _ = await asyncio.wait(waiting, timeout=0.05)
        assert not done
        server.answer()
        await asyncio.gather(*[await task for task in waiting])
        assert twin.statistics.published == 25


@KINDS
@pytest.mark.parametrize("status", ["400", "413"])
async def test_a_bad_event_fails_alone(kind: str, status: Fault, server: FaultServer) -> None:
    server.plan = failing_if(status, lambda event: event["data"] == "bad")
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        data = [*map(str, range(4)), "bad", *map(str, range(4, 9))]
        futures = [await twin.publish("c", "e", text) for text in data]
        outcomes = await twin.outcomes(*futures)
        statistics = twin.statistics
    error = outcomes.pop(4)
    assert isinstance(error, BadRequestError if status == "400" else PayloadTooLargeError)
    assert error.body == f"refused with {status}"
    assert outcomes == [ACCEPTED(subscription_count=1)] * 9
    assert server.taken["c"] == [*map(str, range(9))]
    assert [len(request) for request in server.requests] == [10, *[1] * 10]
    assert (statistics.published, statistics.failed, statistics.requests, statistics.retried) == (9, 1, 11, 10)


@KINDS
async def test_a_refused_batch_stays_whole_if_told_so(kind: str, server: FaultServer) -> None:
    server.plan = in_turn("400")
    async with open_twin(kind, server.url, split_refused=False, max_age=NEVER) as twin:
        outcomes = await twin.outcomes(*await publish_all(twin, 10))
        assert [type(outcome) for outcome in outcomes] == [BadRequestError] * 10
        assert len({id(outcome) for outcome in outcomes}) == 10
        assert twin.statistics.failed == 10
    assert len(server.requests) == 1


IN_DOUBT: dict[Fault, type[PusherError]] = {
    "500": ServerError,
    "500 taken": ServerError,
    "reset before": APIConnectionError,
    "reset taken": APIConnectionError,
    "reset in the answer": APIConnectionError,
    "hang taken": APITimeoutError,
    "garbage": APIConnectionError,
}


@KINDS
@pytest.mark.parametrize("fault", IN_DOUBT)
async def test_what_may_have_been_taken_is_not_sent_again(kind: str, fault: Fault, server: FaultServer) -> None:
    server.plan = in_turn(fault)
    client = {"timeout": 1.0 if fault == "hang taken" else 20.0}
    async with open_twin(kind, server.url, client=client, max_age=0) as twin:
        unknown = await twin.publish("c", "e", "first")
        (error,) = await twin.outcomes(unknown)
        assert type(error) is DeliveryUnknownError
        assert isinstance(error.__cause__, IN_DOUBT[fault])
        assert leaks(error, signatures(server)) == []
        assert await (await twin.publish("c", "e", "second")) == ACCEPTED(subscription_count=1)
        statistics = twin.statistics
    assert [len(request) for request in server.requests] == [1, 1]
    assert (statistics.published, statistics.unknown, statistics.failed, statistics.retried) == (1, 1, 0, 0)


def signatures(server: FaultServer) -> set[str]:
    found = {signature for head in server.heads for signature in re.findall("auth_signature=([0-9a-f]{64})", head)}
    assert found
    return found


@KINDS
async def test_a_success_that_cannot_be_read_is_in_doubt(kind: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}]}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as listener:
        url = f"http://k:s@127.0.0.1:{listener.sockets[0].getsockname()[1]}/apps/3"
        async with open_twin(kind, url, max_age=0) as twin:
            (error,) = await twin.outcomes(await twin.publish("c", "e", "d"))
    assert type(error) is DeliveryUnknownError
    assert isinstance(error.__cause__, ResponseDecodeError)


@KINDS
@pytest.mark.parametrize(
    ("faults", "kind_of_error"),
    [
        (["429"] * 3, RateLimitError),
        (["503 with retry-after"] * 3, ServerError),
        (["404 in chunks"], NotFoundError),
    ],
)
async def test_what_was_certainly_not_taken_has_its_own_error(
    kind: str, faults: list[Fault], kind_of_error: type[PusherError], server: FaultServer
) -> None:
    server.plan = in_turn(*faults)
    async with open_twin(kind, server.url, max_age=0) as twin:
        (error,) = await twin.outcomes(await twin.publish("c", "e", "d"))
        assert type(error) is kind_of_error
        statistics = twin.statistics
    assert len(server.requests) == len(faults) == statistics.requests
    assert (statistics.failed, statistics.unknown, statistics.retried) == (1, 0, len(faults) - 1)
    assert server.all_taken == []


@KINDS
async def test_nobody_listens(kind: str) -> None:
    with closed_port() as port:
        async with open_twin(kind, f"http://k:s@127.0.0.1:{port}/apps/3", max_age=0) as twin:
            (error,) = await twin.outcomes(await twin.publish("c", "e", "d"))
            assert type(error) is APIConnectionError
            assert isinstance(error.__cause__, ConnectionRefusedError)
            assert (twin.statistics.failed, twin.statistics.requests) == (1, 3)


@KINDS
@pytest.mark.parametrize("fault", ["429", "503 with retry-after", "idle", "reset after the answer"])
async def test_what_can_be_repeated_safely_is(kind: str, fault: Fault, server: FaultServer) -> None:
    server.plan = in_turn(fault)
    async with open_twin(kind, server.url, max_age=0) as twin:
        await (await twin.publish("c", "e", "first"))
        await until(lambda: fault in ("429", "503 with retry-after") or not server.connections)
        await (await twin.publish("c", "e", "second"))
        assert (twin.statistics.published, twin.statistics.unknown) == (2, 0)
    assert server.taken["c"] == ["first", "second"]


@KINDS
async def test_retry_unsafe_sends_again(kind: str, server: FaultServer) -> None:
    server.plan = in_turn("500 taken", "reset before")
    async with open_twin(kind, server.url, client={"retry_unsafe": True}, max_age=0) as twin:
        await (await twin.publish("c", "e", "d"))
        assert (twin.statistics.published, twin.statistics.retried) == (1, 2)
    assert server.taken["c"] == ["d", "d"]


@KINDS
async def test_with_retry_unsafe_a_refusal_after_a_doubtful_attempt_is_in_doubt(kind: str, server: FaultServer) -> None:
    server.plan = in_turn("reset taken", "429", "404 in chunks")
    async with open_twin(kind, server.url, client={"retry_unsafe": True}, max_age=0) as twin:
        (error,) = await twin.outcomes(await twin.publish("c", "e", "d"))
    assert type(error) is DeliveryUnknownError
    assert isinstance(error.__cause__, NotFoundError)


@KINDS
async def test_the_deadline_includes_the_first_attempt(kind: str, server: FaultServer) -> None:
    server.plan = failing_if("hang", lambda event: True)
    client = {"timeout": 0.5, "deadline": 0.75, "max_retries": 50, "retry_unsafe": True}
    async with open_twin(kind, server.url, client=client, max_age=0) as twin:
        (error,) = await twin.outcomes(await twin.publish("c", "e", "d"))
        assert type(error) is DeliveryUnknownError
        assert twin.statistics.requests <= 2  # the first has its whole time, the second what is left of the deadline


@KINDS
async def test_the_clock_is_corrected(kind: str, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.fromisoformat(SERVER_CLOCK).timestamp()
    monkeypatch.setattr("time.time", lambda: now - 3600)
    server.plan = in_turn("401 for the clock")
    async with open_twin(kind, server.url, max_age=0) as twin:
        await (await twin.publish("c", "e", "first"))
        await (await twin.publish("c", "e", "second"))
    stamps = [int(re.findall("auth_timestamp=([0-9]+)", head)[0]) for head in server.heads]
    assert [stamp - int(now) for stamp in stamps] == [-3600, 0, 0]


@KINDS
async def test_a_cancelled_event_is_not_sent(kind: str, server: FaultServer) -> None:
    server.held.clear()
    async with open_twin(kind, server.url, concurrency=1, max_age=0) as twin:
        first = await twin.publish("c", "e", "first")
        await until(lambda: twin.statistics.in_flight == 1)
        second, third = await twin.publish("c", "e", "second"), await twin.publish("c", "e", "third")
        assert second.cancel()
        await asyncio.sleep(0)  # asyncio tells the thread's future in the next turn
        first.cancel()
        server.answer()
        await third
        await twin.flush()
        statistics = twin.statistics
        assert (statistics.published, statistics.cancelled, statistics.in_flight) == (2, 1, 0)
    assert server.taken["c"] == ["first", "third"]


@KINDS
async def test_closing_sends_what_is_left(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        futures = await publish_all(twin, 17, channels=2)
        await twin.close()
        assert all(future.done() for future in futures) or kind == "sync"  # asyncio hears of the others' a turn later
        await asyncio.gather(*futures)
        with pytest.raises(PusherError, match="the publisher is closed"):
            await twin.publish("c", "e", "d")
        await twin.close()
        await twin.flush()


@KINDS
async def test_closing_wakes_those_who_wait_for_room(kind: str, server: FaultServer) -> None:
    server.held.clear()
    async with open_twin(kind, server.url, max_queue=1, max_age=0) as twin:
        first = await twin.publish("c", "e", "first")
        waiting = asyncio.create_task(twin.publish("c", "e", "second"))
        await asyncio.sleep(0.02)
        closing = asyncio.create_task(twin.close())
        await until(lambda: "closed=True" in repr(twin.publisher))
        server.answer()
        await closing
        with pytest.raises(PusherError, match="the publisher is closed"):
            await waiting
        await first


@KINDS
async def test_closing_in_limited_time(kind: str, server: FaultServer) -> None:
    server.held.clear()
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        futures = await publish_all(twin, 15, channels=1)
        await until(lambda: twin.statistics.in_flight == 10)
        with pytest.raises(TimeoutError, match="5 of them were not sent"):
            await twin.close(timeout=0.1)
        for future in futures[10:]:
            with pytest.raises(PusherError, match="closed before the event was sent"):
                await future
        server.answer()
        await asyncio.gather(*futures[:10])
        assert (twin.statistics.published, twin.statistics.failed) == (10, 5)
    assert len(server.all_taken) == 10


@KINDS
async def test_flushing_in_limited_time(kind: str, server: FaultServer) -> None:
    server.held.clear()
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        future = await twin.publish("c", "e", "d")
        with pytest.raises(TimeoutError, match="not all events"):
            await twin.flush(timeout=0.05)
        server.answer()
        await future


@KINDS
async def test_a_flush_waits_for_what_came_before_it_only(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        before = await twin.publish("c", "e", "before")
        await twin.flush()
        after = await twin.publish("c", "e", "after")
        assert twin.statistics.published == 1
        assert not after.done()
        await before


@KINDS
async def test_the_client_is_closed_first(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=NEVER) as twin:
        future = await twin.publish("c", "e", "d")
        await twin.close_client()
        await twin.flush()
        with pytest.raises(PusherError, match="the client is closed"):
            await future
        assert (twin.statistics.failed, twin.statistics.unknown, twin.statistics.requests) == (1, 0, 0)
    assert server.requests == []


@KINDS
async def test_encrypted_channels(kind: str, server: FaultServer) -> None:
    client = {"encryption_master_key_base64": MASTER_KEY}
    async with open_twin(kind, server.url, client=client, max_age=0) as twin:
        await (await twin.publish("private-encrypted-c", "e", "plaintext"))
    (data,) = server.taken["private-encrypted-c"]
    assert re.fullmatch(r'\{"nonce":"[^"]+","ciphertext":"[^"]+"\}', data)
    async with open_twin(kind, server.url) as twin:
        with pytest.raises(ConfigurationError):
            await twin.publish("private-encrypted-c", "e", "plaintext")
    assert len(server.requests) == 1


@KINDS
async def test_hooks_see_every_attempt(kind: str, server: FaultServer) -> None:
    server.plan = in_turn("429")
    seen: list[Attempt] = []
    async with open_twin(kind, server.url, client={"on_response": seen.append}, max_age=0) as twin:
        await (await twin.publish("c", "e", "d"))
        assert (twin.statistics.requests, twin.statistics.retried) == (2, 1)
    assert [attempt.status_code for attempt in seen] == [429, 200]


@KINDS
async def test_debug_logging_sees_every_attempt(
    kind: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "pusher_channels"):
        async with open_twin(kind, server.url, max_age=0) as twin:
            await (await twin.publish("c", "e", "d"))
    assert "batch_events -> 200" in caplog.text


@KINDS
async def test_failures_are_logged_in_one_line(
    kind: str, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan = in_turn("404 in chunks", "500")
    async with open_twin(kind, server.url, max_age=0) as twin:
        for channel in ("c", "d"):  # one after the other: a busy machine would send them together
            await twin.outcomes(await twin.publish(channel, "e", "d"))
    lines = [record.getMessage() for record in caplog.records if record.name == "pusher_channels"]
    assert sorted(lines) == ["1 events failed: 404: none", "1 events may have been taken or not: 500: refused with 500"]


@KINDS
async def test_the_short_way_sends_what_the_transport_sends(kind: str, server: FaultServer) -> None:
    async with open_twin(kind, server.url, max_age=0) as twin:
        await (await twin.publish("c", "e", "d"))
        server.plan = in_turn("429")  # the second attempt goes through the transport
        await (await twin.publish("c", "e", "d"))
    first, again, through_transport = (
        sorted(re.sub("(?<=timestamp=)[0-9]+|(?<=signature=)[0-9a-f]+", "", head).split("\r\n"))
        for head in server.heads
    )
    assert first == again == through_transport
    assert server.requests[0] == server.requests[1] == server.requests[2]


async def test_an_http_client_of_ones_own_is_used() -> None:
    recorder = Recorder(content=b'{"batch":[{"user_count":4}]}')
    with recorder.sync() as pusher, pusher.publisher() as publisher:
        assert publisher.publish("c", "e", "d").result() == ChannelAttributes(user_count=4)
    async with recorder.asynchronous() as async_pusher, async_pusher.publisher() as async_publisher:
        assert await (await async_publisher.publish("c", "e", "d")) == ChannelAttributes(user_count=4)
    assert [request.url.path for request in recorder.requests] == ["/apps/3/batch_events"] * 2


@KINDS
async def test_tls_and_a_certificate_that_is_refused(kind: str, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with FaultServer(context=certificates.good) as server:
        async with open_twin(kind, server.url, client={"verify": certificates.client}, max_age=0) as twin:
            await asyncio.gather(*await publish_all(twin, 20))
        assert len(server.all_taken) == 20
        async with open_twin(kind, server.url, max_age=0) as twin:
            (error,) = await twin.outcomes(await twin.publish("c", "e", "d"))
            assert type(error) is APIConnectionError
            assert twin.statistics.requests == 1
    assert len(server.all_taken) == 20


def test_a_flush_ends_although_the_publisher_is_closed_before_a_thread_has_seen_it(server: FaultServer) -> None:
    server.plan = in_turn("hang")
    flushed = threading.Event()
    with Pusher.from_url(server.url, timeout=60, max_retries=0) as pusher:
        publisher = pusher.publisher(concurrency=1, max_age=0.0)
        first = publisher.publish("a", "e", "sent, and not answered")
        while not server.requests:
            time.sleep(0.01)

        def flush() -> None:
            publisher.flush(timeout=20)
            flushed.set()

        threading.Thread(target=flush, daemon=True).start()
        while not publisher._inbox:  # pyright: ignore[reportPrivateUsage]
            time.sleep(0.01)
        assert publisher.statistics.queued == 0  # a flush is no event
        with pytest.raises(TimeoutError, match="0 of them were not sent"):
            publisher.close(timeout=0.1)  # the only thread of the publisher waits for the answer
        server.cut_off()
        assert isinstance(first.exception(20), DeliveryUnknownError)
        assert flushed.wait(20)


def test_who_waits_for_room_gets_that_of_a_flush(server: FaultServer) -> None:
    server.held.clear()
    with Pusher.from_url(server.url) as pusher, pusher.publisher(max_queue=1, concurrency=1, max_age=0) as publisher:
        publisher.publish("c", "e", "first")
        while not publisher.statistics.in_flight:
            time.sleep(0.01)
        flushing = threading.Thread(target=publisher.flush)
        flushing.start()
        while not publisher._inbox:  # pyright: ignore[reportPrivateUsage]
            time.sleep(0.01)
        publishing = threading.Thread(target=publisher.publish, args=("c", "e", "second"), daemon=True)
        publishing.start()
        time.sleep(0.1)  # it waits for room
        server.answer()
        for thread in (flushing, publishing):
            thread.join(20)
            assert not thread.is_alive()
    assert server.taken["c"] == ["first", "second"]
