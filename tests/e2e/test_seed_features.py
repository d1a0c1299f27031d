"""Every feature of pusher-http-go as of August 2018, by its name there, over real sockets."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Iterator

import pytest

from pusher_channels import ChannelVacated, Event, Pusher
from pusher_channels.emulator import Emulator

MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as server:
        yield server


@pytest.fixture
def pusher(server: Emulator) -> Iterator[Pusher]:
    with Pusher.from_url(server.url, encryption_master_key_base64=MASTER_KEY) as pusher:
        yield pusher


def published(server: Emulator, event_name: str) -> list[tuple[str, str, str | None]]:
    return [(e.channel, e.data, e.socket_id) for e in server.published if e.name == event_name]


def test_trigger(server: Emulator, pusher: Pusher) -> None:
    pusher.trigger("test_channel", "trigger", {"hello": "world"})
    assert published(server, "trigger") == [("test_channel", '{"hello":"world"}', None)]


def test_trigger_multi(server: Emulator, pusher: Pusher) -> None:
    pusher.trigger(["a", "b"], "trigger-multi", "yolo")
    assert published(server, "trigger-multi") == [("a", "yolo", None), ("b", "yolo", None)]


def test_trigger_exclusive(server: Emulator, pusher: Pusher) -> None:
    pusher.trigger("a", "trigger-exclusive", "yolo", socket_id="1234.12")
    assert published(server, "trigger-exclusive") == [("a", "yolo", "1234.12")]


def test_trigger_multi_exclusive(server: Emulator, pusher: Pusher) -> None:
    pusher.trigger(["a", "b"], "trigger-multi-exclusive", "yolo", socket_id="1234.12")
    assert published(server, "trigger-multi-exclusive") == [("a", "yolo", "1234.12"), ("b", "yolo", "1234.12")]


def test_trigger_batch(server: Emulator, pusher: Pusher) -> None:
    pusher.trigger_batch([Event("a", "trigger-batch", "yolo1"), Event("b", "trigger-batch", "yolo2", socket_id="1.2")])
    assert published(server, "trigger-batch") == [("a", "yolo1", None), ("b", "yolo2", "1.2")]


def test_channels(pusher: Pusher) -> None:
    assert dict(pusher.channels.list(filter_by_prefix="presence-", info=["user_count"]).channels) == {}


def test_channel(pusher: Pusher) -> None:
    channel = pusher.channels.get("presence-nobody", info=["user_count"])
    assert channel.occupied is False


def test_get_channel_users(pusher: Pusher) -> None:
    assert list(pusher.channels.users("presence-nobody").users) == []


def test_authenticate_private_channel() -> None:
    pusher = Pusher("3", "278d425bdf160c739803", "7ad3773142a6692b25b8")
    authorization = pusher.authorize_channel_form(b"channel_name=private-foobar&socket_id=1234.1234")
    assert json.dumps(authorization.to_dict()) == (
        '{"auth": "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"}'
    )


def test_authenticate_presence_channel() -> None:
    pusher = Pusher("3", "278d425bdf160c739803", "7ad3773142a6692b25b8")
    authorization = pusher.authorize_channel_form(
        b"channel_name=presence-foobar&socket_id=1234.1234", {"user_id": "10", "user_info": {"name": "Mr. Pusher"}}
    )
    assert authorization.to_dict() == {
        "auth": "278d425bdf160c739803:48dac51d2d7569e1e9c0f48c227d4b26f238fa68e5c0bb04222c966909c4f7c4",
        "channel_data": '{"user_id":"10","user_info":{"name":"Mr. Pusher"}}',
    }


def test_webhook() -> None:
    pusher = Pusher("3", "key", "secret")
    events = [{"name": "channel_vacated", "channel": "test_channel"}]
    body = json.dumps({"time_ms": int(time.time() * 1000), "events": events}).encode()
    headers = {"X-Pusher-Key": "key", "X-Pusher-Signature": hmac.new(b"secret", body, "sha256").hexdigest()}
    assert list(pusher.webhook(headers, body).events) == [ChannelVacated(channel="test_channel")]


def test_notify(server: Emulator, pusher: Pusher) -> None:
    # A URL names a host, so the legacy call goes there too when no host of its own is given.
    assert pusher.notify(["donuts"], fcm={"notification": {"title": "hello"}}).number_of_subscribers is not None


def test_encryption_master_key(server: Emulator, pusher: Pusher) -> None:
    pusher.trigger("private-encrypted-x", "encrypted", "secret words")
    ((_, data, _),) = published(server, "encrypted")
    assert set(json.loads(data)) == {"nonce", "ciphertext"}
    assert "secret words" not in data
    assert pusher.authorize_channel("1.1", "private-encrypted-x").shared_secret


def test_client_from_url(server: Emulator) -> None:
    with Pusher.from_url(server.url) as pusher:
        pusher.trigger("a", "from-url", "")
    assert published(server, "from-url") == [("a", "", None)]


def test_client_from_env(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PUSHER_URL", server.url)
    with Pusher.from_env("MY_PUSHER_URL") as pusher:
        pusher.trigger("a", "from-env", "")
    assert published(server, "from-env") == [("a", "", None)]
