"""Webhooks: every kind, as a real receiver gets them."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import attrs
import pytest

from pusher_channels.emulator import AppConfig, Emulator, WebhookEndpoint
from tests.emulator.client import TIMEOUT, open_client
from tests.emulator.receiver import Receiver, open_receiver, stop_listening
from tests.emulator.signed_http import Http

QUICK = AppConfig(webhook_delay=0.05, webhook_batch_delay=0.02, webhook_retry_delay=0.02, subscription_counts=False)


def emulator(receiver: Receiver, app: AppConfig = QUICK) -> Emulator:
    return Emulator(apps=[attrs.evolve(app, webhooks=(WebhookEndpoint(receiver.url),))])


async def test_the_request() -> None:
    async with open_receiver() as receiver:
        with emulator(receiver) as server:
            before = time.time_ns() // 1_000_000
            async with open_client(server) as client:
                await client.subscribe("public")
                delivery = await receiver.next()
            assert delivery.headers["content-type"] == "application/json"
            assert delivery.is_signed(QUICK.key, QUICK.secret)
            body = json.loads(delivery.body)
            assert before <= body["time_ms"] <= time.time_ns() // 1_000_000
            assert body["events"] == [{"name": "channel_occupied", "channel": "public"}]


async def test_occupied_and_vacated() -> None:
    async with open_receiver() as receiver:
        with emulator(receiver) as server:
            async with open_client(server) as one, open_client(server) as two:
                await one.subscribe("public")
                await two.subscribe("public")
            assert await receiver.events(2) == [
                {"name": "channel_occupied", "channel": "public"},
                {"name": "channel_vacated", "channel": "public"},
            ]


async def test_members() -> None:
    async with open_receiver() as receiver:
        with emulator(receiver) as server:
            async with open_client(server) as one:
                await one.subscribe("presence-room", {"user_id": 1})
                async with open_client(server) as two:
                    await two.subscribe("presence-room", {"user_id": "two"})
                assert await receiver.events(4) == [
                    {"name": "channel_occupied", "channel": "presence-room"},
                    {"name": "member_added", "channel": "presence-room", "user_id": "1"},
                    {"name": "member_added", "channel": "presence-room", "user_id": "two"},
                    {"name": "member_removed", "channel": "presence-room", "user_id": "two"},
                ]


async def test_a_client_that_comes_back_in_time_was_never_away() -> None:
    app = attrs.evolve(QUICK, webhook_delay=3.0)  # time enough to come back, on a busy machine too
    async with open_receiver() as receiver:
        with emulator(receiver, app) as server:
            for _ in range(3):
                async with open_client(server) as client:
                    await client.subscribe("presence-room", {"user_id": "1"})
            assert [event["name"] for event in await receiver.events(4)] == [
                "channel_occupied",
                "member_added",
                "member_removed",
                "channel_vacated",
            ]


async def test_client_events() -> None:
    async with open_receiver() as receiver:
        with emulator(receiver) as server:
            async with open_client(server) as client:
                await client.subscribe("private-chat")
                await client.subscribe("presence-room", {"user_id": 7})
                await client.send("client-a", {"text": "é"}, channel="private-chat")
                await client.send("client-b", "text", channel="presence-room")
                events = await receiver.events(5)
            assert events[3:] == [
                {
                    "name": "client_event",
                    "channel": "private-chat",
                    "event": "client-a",
                    "data": '{"text":"é"}',
                    "socket_id": client.socket_id,
                },
                {
                    "name": "client_event",
                    "channel": "presence-room",
                    "event": "client-b",
                    "data": "text",
                    "socket_id": client.socket_id,
                    "user_id": "7",
                },
            ]


async def test_cache_misses_are_deduplicated() -> None:
    async with open_receiver() as receiver:
        with emulator(receiver) as server:
            async with open_client(server) as one, open_client(server) as two:
                for client in (one, two):
                    await client.subscribe("cache-a")
                    await client.expect("pusher:cache_miss", "cache-a")
            assert await receiver.events(3) == [
                {"name": "channel_occupied", "channel": "cache-a"},
                {"name": "cache_miss", "channel": "cache-a"},
                {"name": "channel_vacated", "channel": "cache-a"},
            ]
            async with open_client(server) as client:
                await client.subscribe("cache-a")
                assert [event["name"] for event in await receiver.events(2)] == ["channel_occupied", "cache_miss"]


async def test_subscription_counts() -> None:
    app = attrs.evolve(QUICK, subscription_counts=True)
    async with open_receiver() as receiver:
        with emulator(receiver, app) as server:
            async with open_client(server) as one, open_client(server) as two:
                await one.subscribe("public")
                await two.send("pusher:subscribe", {"channel": "public"})
                assert await receiver.events(3) == [
                    {"name": "channel_occupied", "channel": "public"},
                    {"name": "subscription_count", "channel": "public", "subscription_count": 1},
                    {"name": "subscription_count", "channel": "public", "subscription_count": 2},
                ]


async def test_a_batch_has_20_events_at_most() -> None:
    app = attrs.evolve(QUICK, webhook_batch_delay=60.0)
    async with open_receiver() as receiver:
        with emulator(receiver, app) as server:
            async with open_client(server) as client:
                for number in range(45):
                    await client.subscribe(f"channel-{number}")
                names = [event["channel"] for _ in range(2) for event in (await receiver.next()).events]
                assert names == [f"channel-{number}" for number in range(40)]


async def test_batching_can_be_switched_off() -> None:
    app = attrs.evolve(QUICK, webhook_batch_events=1)
    async with open_receiver() as receiver:
        with emulator(receiver, app) as server:
            async with open_client(server) as client:
                for number in range(3):
                    await client.subscribe(f"channel-{number}")
                for number in range(3):
                    assert [event["channel"] for event in (await receiver.next()).events] == [f"channel-{number}"]


async def test_a_webhook_that_is_not_taken_is_sent_again_as_it_was() -> None:
    async with open_receiver(500, 404, 302) as receiver:
        with emulator(receiver) as server:
            async with open_client(server) as client:
                await client.subscribe("public")
                deliveries = [await receiver.next() for _ in range(4)]
                await client.expect_nothing()
    assert len({delivery.body for delivery in deliveries}) == 1
    assert len({delivery.headers["x-pusher-signature"] for delivery in deliveries}) == 1


async def test_a_webhook_that_waits_for_its_retry_holds_up_no_other() -> None:
    app = attrs.evolve(QUICK, webhook_retry_delay=60.0)
    async with open_receiver(500) as receiver:
        with emulator(receiver, app) as server:
            async with open_client(server) as client:
                for name in ("first", "second"):
                    await client.subscribe(name)
                    assert [event["channel"] for event in (await receiver.next()).events] == [name]


@pytest.mark.parametrize(("seconds", "told", "times"), [(60.0, "failed (ConnectError)", 3), (0.5, "given up", 1)])
async def test_a_receiver_that_is_down(seconds: float, told: str, times: int) -> None:
    lines: list[str] = []
    with socket.socket() as bound:  # nobody else gets the port, and nobody listens on it
        bound.bind(("127.0.0.1", 0))
        endpoint = WebhookEndpoint(f"http://127.0.0.1:{bound.getsockname()[1]}/")
        app = attrs.evolve(QUICK, webhooks=(endpoint,), webhook_retry_for=seconds)
        with Emulator(apps=[app], log=lines.append) as server:
            async with asyncio.timeout(TIMEOUT), open_client(server) as client:
                await client.subscribe("public")
                while sum(told in line for line in lines) < times:
                    await client.expect_nothing()
    assert any("given up" in line for line in lines) is (told == "given up")


async def test_webhooks_do_not_pile_up_before_a_receiver_that_hangs() -> None:
    def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    lines: list[str] = []
    writers: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as receiver:
        endpoint = WebhookEndpoint(f"http://127.0.0.1:{receiver.sockets[0].getsockname()[1]}/")
        app = attrs.evolve(
            QUICK, webhooks=(endpoint,), webhook_batch_events=1, webhook_timeout=0.2, webhook_retry_for=0.5
        )
        with Emulator(apps=[app], log=lines.append) as server:
            async with asyncio.timeout(TIMEOUT), open_client(server) as client:
                for number in range(20):  # all at once: what comes slowly does not pile up
                    await client.send("pusher:subscribe", {"channel": f"channel-{number}"})
                for number in range(20):
                    await client.expect("pusher_internal:subscription_succeeded", f"channel-{number}")
                while sum("given up" in line for line in lines) < 20:
                    await client.expect_nothing()
        await stop_listening(receiver)
        for writer in writers:
            writer.close()
    assert sum("failed" in line for line in lines) < 20


async def test_endpoints_choose_their_events() -> None:
    async with open_receiver() as all_events, open_receiver() as members:
        endpoints = (
            WebhookEndpoint(all_events.url),
            WebhookEndpoint(members.url, frozenset({"member_added"})),
        )
        with Emulator(apps=[attrs.evolve(QUICK, webhooks=endpoints)]) as server:
            async with open_client(server) as client:
                await client.subscribe("presence-room", {"user_id": "1"})
                assert len(await all_events.events(2)) == 2
                expected = [{"name": "member_added", "channel": "presence-room", "user_id": "1"}]
                assert await members.events(1) == expected


async def test_each_app_signs_with_its_own_key() -> None:
    async with open_receiver() as receiver:
        endpoint = WebhookEndpoint(receiver.url)
        one = attrs.evolve(QUICK, webhooks=(endpoint,))
        two = attrs.evolve(one, app_id="2", key="key-two", secret="secret-two")
        with Emulator(apps=[one, two]) as server:
            async with open_client(server, app=two) as client:
                await client.subscribe("public")
                assert (await receiver.next()).is_signed("key-two", "secret-two")


async def test_webhook_url_is_enough() -> None:
    async with open_receiver() as receiver:
        with Emulator(webhook_url=receiver.url) as server:
            http = Http(server)
            async with open_client(server) as client:
                await client.subscribe("public")
                assert (await receiver.next()).is_signed(server.apps[0].key, server.apps[0].secret)
            http.close()
