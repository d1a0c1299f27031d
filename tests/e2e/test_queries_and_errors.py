"""Both clients ask, are refused, and receive webhooks."""

from __future__ import annotations

import base64
import json

import attrs
import nacl.utils
import pytest
from nacl.secret import SecretBox

from pusher_channels import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    CacheMiss,
    ChannelOccupied,
    ChannelVacated,
    ClientEvent,
    Event,
    MemberAdded,
    MemberRemoved,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    Pusher,
    SubscriptionCount,
    WebhookEvent,
)
from pusher_channels.emulator import AppConfig, Emulator, WebhookEndpoint
from tests.e2e.conftest import MASTER_KEY, at_port, open_pusher
from tests.emulator.client import open_client
from tests.emulator.receiver import open_receiver
from tests.emulator.settling import Client, settle
from tests.faults.network import closed_port

KINDS = pytest.mark.parametrize("kind", Client.__args__)


@KINDS
async def test_counts(kind: type[Client]) -> None:
    async with (
        Emulator() as server,
        open_pusher(kind, server.url) as pusher,
        open_client(server) as one,
        open_client(server) as two,
    ):
        for client in (one, two):
            await client.subscribe("presence-room", {"user_id": "1"})
        await one.subscribe("public")
        info = ("user_count", "subscription_count")
        result = await settle(pusher.trigger(["presence-room", "public"], "my-event", {}, info=info))
        assert result.channels is not None
        room, public = result.channels["presence-room"], result.channels["public"]
        assert (room.user_count, room.subscription_count) == (1, 2)
        assert (public.user_count, public.subscription_count) == (None, 1)
        batch = await settle(
            pusher.trigger_batch([Event("public", "e", ""), Event("presence-room", "e", "", info="user_count")])
        )
        assert batch.batch is not None
        assert [each.to_dict() for each in batch.batch] == [{}, {"user_count": 1}]


async def test_channels(server: Emulator, pusher: Client) -> None:
    async with open_client(server) as one, open_client(server) as two:
        await one.subscribe("presence-room", {"user_id": 1})
        await two.subscribe("presence-room", {"user_id": "two"})
        await two.subscribe("public")
        listed = await settle(pusher.channels.list())
        assert sorted(listed.channels) == ["presence-room", "public"]
        presence = await settle(pusher.channels.list(filter_by_prefix="presence-", info=["user_count"]))
        assert {name: each.user_count for name, each in presence.channels.items()} == {"presence-room": 2}
        room = await settle(pusher.channels.get("presence-room", info="user_count"))
        assert (room.occupied, room.user_count) == (True, 2)
        users = await settle(pusher.channels.users("presence-room"))
        assert [user.id for user in users.users] == ["1", "two"]
    await settle(pusher.trigger("cache-a", "my-event", "cached"))
    cached = await settle(pusher.channels.get("cache-a", info=["cache"]))
    assert cached.cache is not None
    assert (cached.occupied, cached.cache.data) == (False, "cached")
    empty = await settle(pusher.channels.get("cache-b", info=["cache"]))
    assert empty.cache is None


async def test_any_signed_call(server: Emulator, pusher: Client) -> None:
    response = await settle(pusher.request("GET", "/channels", query={"filter_by_prefix": "a b+c&d"}))
    assert (response.status_code, json.loads(response.content)) == (200, {"channels": {}})
    with pytest.raises(NotFoundError) as error:
        await settle(pusher.request("GET", "/nothing"))
    assert error.value.body == "404 NOT FOUND\n"


async def test_push_notifications(pusher: Client) -> None:
    result = await settle(pusher.notify(["donuts"], apns={"aps": {"alert": {"body": "hi"}}}))
    assert result.number_of_subscribers == 0


async def test_refusals(pusher: Client) -> None:
    with pytest.raises(BadRequestError, match="Users can only be retrieved for presence channels"):
        await settle(pusher.channels.users("public"))
    with pytest.raises(BadRequestError, match="'pusher' namespace is reserved"):
        await settle(pusher.trigger("public", "pusher:mine", {}))
    with pytest.raises(BadRequestError, match="user_count may only be requested for presence channels"):
        await settle(pusher.channels.list(info="user_count"))


@KINDS
async def test_statuses(kind: type[Client]) -> None:
    small = AppConfig(limits=attrs.evolve(AppConfig().limits, max_data_bytes=10, max_batch_events=1))
    disabled = AppConfig(app_id="2", key="disabled", enabled=False)
    with Emulator(apps=[small, disabled]) as server:
        async with open_pusher(kind, server.url) as pusher:
            with pytest.raises(PayloadTooLargeError, match=r"exceeds the allowed maximum \(10 bytes\)"):
                await settle(pusher.trigger("public", "my-event", "x" * 11))
            with pytest.raises(BadRequestError, match=r"Batch too large \(2 > 1\)"):
                await settle(pusher.trigger_batch([Event("public", "my-event", "")] * 2))
        async with open_pusher(kind, server.url_of(disabled)) as pusher:
            with pytest.raises(PermissionDeniedError):
                await settle(pusher.channels.list())
        async with open_pusher(kind, server.url.replace("emulator-secret", "wrong")) as pusher:
            with pytest.raises(AuthenticationError, match="Invalid signature"):
                await settle(pusher.channels.list())
        async with open_pusher(kind, server.url.replace("emulator-key", "unknown")) as pusher:
            with pytest.raises(BadRequestError, match="Unknown auth_key"):
                await settle(pusher.channels.list())
        async with open_pusher(kind, server.url.replace("/apps/1", "/apps/2")) as pusher:
            with pytest.raises(BadRequestError, match="Token validated, but invalid for app"):
                await settle(pusher.channels.list())
        url = server.url
    with closed_port() as port:
        async with open_pusher(kind, at_port(url, port)) as pusher:
            with pytest.raises(APIConnectionError):
                await settle(pusher.channels.list())


async def test_webhooks() -> None:
    async with open_receiver() as receiver:
        app = AppConfig(webhooks=(WebhookEndpoint(receiver.url),), webhook_delay=0.05, webhook_batch_delay=0.05)
        with Emulator(apps=[app]) as server, Pusher.from_url(server.url) as pusher:

            async def receive(count: int) -> list[WebhookEvent]:
                events: list[WebhookEvent] = []
                while len(events) < count:
                    delivery = await receiver.next()
                    events.extend(pusher.webhook(delivery.headers, delivery.body).events)
                return events

            async with open_client(server) as client:
                await client.subscribe("presence-room", {"user_id": 1})
                assert await receive(2) == [
                    ChannelOccupied(channel="presence-room"),
                    MemberAdded(channel="presence-room", user_id="1"),
                ]
                await client.subscribe("cache-a")
                await client.expect("pusher:cache_miss", "cache-a")
                await client.expect("pusher_internal:subscription_count", "cache-a")
                assert await receive(3) == [
                    ChannelOccupied(channel="cache-a"),
                    CacheMiss(channel="cache-a"),
                    SubscriptionCount(channel="cache-a", subscription_count=1),
                ]
                await client.send("client-hello", {"é": 1}, channel="presence-room")
                (event,) = await receive(1)
                assert isinstance(event, ClientEvent)
                assert (event.channel, event.event, event.data) == ("presence-room", "client-hello", '{"é":1}')
                assert (event.socket_id, event.user_id) == (client.socket_id, "1")
                await client.send("pusher:unsubscribe", {"channel": "presence-room"})
                assert await receive(2) == [
                    MemberRemoved(channel="presence-room", user_id="1"),
                    ChannelVacated(channel="presence-room"),
                ]


async def test_an_encrypted_client_event_is_decrypted_in_the_webhook() -> None:
    async with open_receiver() as receiver:
        app = AppConfig(webhooks=(WebhookEndpoint(receiver.url, frozenset({"client_event"})),))
        with (
            Emulator(apps=[app]) as server,
            Pusher.from_url(server.url, encryption_master_key_base64=MASTER_KEY) as pusher,
        ):
            async with open_client(server) as client:
                channel = "private-encrypted-a"
                authorization = pusher.authorize_channel(client.socket_id, channel)
                await client.subscribe_as(channel, authorization)
                assert authorization.shared_secret is not None
                nonce = nacl.utils.random(SecretBox.NONCE_SIZE)
                sealed = SecretBox(base64.b64decode(authorization.shared_secret)).encrypt(b"secret", nonce)
                data = {
                    "nonce": base64.b64encode(nonce).decode(),
                    "ciphertext": base64.b64encode(sealed.ciphertext).decode(),
                }
                await client.send("client-hello", json.dumps(data), channel=channel)
                delivery = await receiver.next()
            (event,) = pusher.webhook(delivery.headers, delivery.body).events
            assert isinstance(event, ClientEvent)
            assert (event.data, event.decryption_error) == ("secret", None)
