"""Both clients publish, and what arrives over real sockets is what was published."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from nacl.secret import SecretBox

from pusher_channels import ChannelAuthorization, Event
from pusher_channels.emulator import Emulator
from tests.emulator.client import open_client
from tests.emulator.settling import Client, settle


def decrypt(authorization: ChannelAuthorization, raw_data: object) -> str:
    """Decrypt as a browser does, with what the auth endpoint gave it."""
    assert isinstance(raw_data, str)
    assert authorization.shared_secret is not None
    sealed: dict[str, str] = json.loads(raw_data)
    assert set(sealed) == {"nonce", "ciphertext"}
    box = SecretBox(base64.b64decode(authorization.shared_secret, validate=True))
    nonce = base64.b64decode(sealed["nonce"], validate=True)
    return box.decrypt(base64.b64decode(sealed["ciphertext"], validate=True), nonce).decode()


@pytest.mark.parametrize(
    ("data", "arrives"),
    [
        ({"some": "data", "é": [1, 2.5, None, True]}, '{"some":"data","é":[1,2.5,null,true]}'),
        ("plain text", "plain text"),
        ("", ""),
        ("\U0001f600", "\U0001f600"),
        (b"bytes", "bytes"),
        (None, "null"),
        (12, "12"),
        ({"at": datetime(2026, 1, 2, tzinfo=UTC)}, '{"at":"2026-01-02T00:00:00+00:00"}'),
        ("x" * 10_240, "x" * 10_240),
    ],
)
async def test_any_data(server: Emulator, pusher: Client, data: object, arrives: str) -> None:
    async with open_client(server) as client:
        await client.subscribe("public")
        result = await settle(pusher.trigger("public", "my-event", data))
        assert result.to_dict() == {}
        assert (await client.expect("my-event", "public")).raw_data == arrives


@pytest.mark.parametrize("channel", ["public", "cache-a", "-_=@,.;Az09", "x" * 200])
async def test_public_channels(server: Emulator, pusher: Client, channel: str) -> None:
    async with open_client(server) as client:
        await client.subscribe(channel)
        if channel == "cache-a":
            await client.expect("pusher:cache_miss", channel)
        await settle(pusher.trigger(channel, "any name: é", {"to": "you"}))
        assert (await client.expect("any name: é", channel)).data == {"to": "you"}


@pytest.mark.parametrize("channel", ["private-a", "private-cache-a"])
async def test_private_channels(server: Emulator, pusher: Client, channel: str) -> None:
    await settle(pusher.trigger(channel, "my-event", "before"))
    async with open_client(server) as client:
        form = urlencode({"socket_id": client.socket_id, "channel_name": channel})
        await client.subscribe_as(channel, pusher.authorize_channel_form(form.encode()))
        if "cache" in channel:
            assert (await client.expect("my-event", channel)).raw_data == "before"
        await settle(pusher.trigger(channel, "my-event", "after"))
        assert (await client.expect("my-event", channel)).raw_data == "after"


@pytest.mark.parametrize("channel", ["presence-a", "presence-cache-a"])
async def test_presence_channels(server: Emulator, pusher: Client, channel: str) -> None:
    async with open_client(server) as one, open_client(server) as two:
        for client, user_id in ((one, "one"), (two, 2)):
            user: dict[str, Any] = {"user_id": user_id, "user_info": {"name": "é"}}
            succeeded = await client.subscribe_as(channel, pusher.authorize_channel(client.socket_id, channel, user))
            if "cache" in channel:
                await client.expect("pusher:cache_miss", channel)
        assert succeeded.data["presence"] == {
            "ids": ["one", "2"],
            "hash": {"one": {"name": "é"}, "2": {"name": "é"}},
            "count": 2,
        }
        await one.expect("pusher_internal:member_added", channel)
        await settle(pusher.trigger(channel, "my-event", {}))
        for client in (one, two):
            await client.expect("my-event", channel)


async def test_presence_of_a_signed_in_user(server: Emulator, pusher: Client) -> None:
    async with open_client(server) as client:
        user = {"id": "12345", "user_info": {"name": "é"}}
        signin = pusher.authenticate_user_form(urlencode({"socket_id": client.socket_id}), user)
        await client.send("pusher:signin", signin.to_dict())
        await client.expect("pusher:signin_success")
        authorization = pusher.authorize_channel(client.socket_id, "presence-a", signed_in=True)
        succeeded = await client.subscribe_as("presence-a", authorization)
        assert succeeded.data["presence"]["hash"] == {"12345": {"name": "é"}}


@pytest.mark.parametrize("channel", ["private-encrypted-a", "private-encrypted-cache-a"])
async def test_encrypted_channels(server: Emulator, pusher: Client, channel: str) -> None:
    await settle(pusher.trigger(channel, "my-event", {"nobody": "sees this"}))
    assert "nobody" not in server.published[0].data
    async with open_client(server) as client:
        authorization = pusher.authorize_channel(client.socket_id, channel)
        await client.subscribe_as(channel, authorization)
        if "cache" in channel:
            cached = await client.expect("my-event", channel)
            assert decrypt(authorization, cached.raw_data) == '{"nobody":"sees this"}'
        await settle(pusher.trigger(channel, "my-event", "secret é"))
        assert decrypt(authorization, (await client.expect("my-event", channel)).raw_data) == "secret é"
        await settle(pusher.trigger_batch([Event(channel, "my-event", [1]), Event("public", "my-event", [2])]))
        assert decrypt(authorization, (await client.expect("my-event", channel)).raw_data) == "[1]"


async def test_several_channels_and_an_excluded_sender(server: Emulator, pusher: Client) -> None:
    async with open_client(server) as one, open_client(server) as two:
        await one.subscribe("first")
        for client in (one, two):
            await client.subscribe("second")
        await settle(pusher.trigger(["first", "second"], "my-event", {}, socket_id=two.socket_id))
        await one.expect("my-event", "first")
        await one.expect("my-event", "second")
        await two.expect_nothing()


async def test_a_batch(server: Emulator, pusher: Client) -> None:
    async with open_client(server) as client:
        for channel in ("first", "second"):
            await client.subscribe(channel)
        events = [Event(("first", "second")[number % 2], f"event-{number}", {"number": number}) for number in range(9)]
        events.append(Event("first", "not for you", None, socket_id=client.socket_id))
        await settle(pusher.trigger_batch(events))
        for event in events[:9]:
            assert (await client.expect(event.name, event.channel)).data == event.data
        await client.expect_nothing()


async def test_events_for_a_user(server: Emulator, pusher: Client) -> None:
    async with open_client(server) as one, open_client(server) as two, open_client(server) as other:
        for client, user_id in ((one, "12345"), (two, "12345"), (other, "67890")):
            user = pusher.authenticate_user(client.socket_id, {"id": user_id})
            await client.send("pusher:signin", user.to_dict())
            await client.expect("pusher:signin_success")
        await settle(pusher.send_to_user("12345", "for-you", {"é": 1}))
        for client in (one, two):
            assert (await client.expect("for-you", "#server-to-user-12345")).data == {"é": 1}
        await other.expect_nothing()
        await settle(pusher.users.terminate_connections("12345"))
        for client in (one, two):
            assert (await client.expect_close())[0] == 4009
        await other.expect_nothing()
