"""End-to-end encryption, and the guard against plaintext on encrypted channels."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import cast

import pytest
from nacl.secret import SecretBox

from pusher_channels import ConfigurationError, EncryptionError, Event, InvalidArgumentError, Pusher
from pusher_channels._encryption import KeyRing, refuse_plaintext
from tests.unit.support import APP_ID, KEY, MASTER_KEY, OTHER_MASTER_KEY, SECRET, Recorder

CHANNEL = "private-encrypted-foobar"
SEALED = '{"nonce":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX","ciphertext":"i7JXKfgEFt5uxlDAGLvFkdwDZJRFJ6xmFCyZqOkpgw=="}'


def open_sealed(channel: str, data: object, master_key: str = MASTER_KEY) -> str:
    """Decrypt as a subscriber does, by the protocol alone."""
    assert isinstance(data, str)
    sealed = json.loads(data)
    key = hashlib.sha256(channel.encode() + base64.b64decode(master_key)).digest()
    box = SecretBox(key).decrypt(base64.b64decode(sealed["ciphertext"]), base64.b64decode(sealed["nonce"]))
    return box.decode()


def test_trigger_encrypts(recorder: Recorder) -> None:
    recorder.sync(encryption_master_key_base64=MASTER_KEY).trigger(CHANNEL, "e", {"some": "dätä"})
    assert recorder.body["channels"] == [CHANNEL]
    assert open_sealed(CHANNEL, recorder.body["data"]) == '{"some":"dätä"}'
    assert b"some" not in recorder.requests[0].content


def test_str_is_encrypted_as_it_is(recorder: Recorder) -> None:
    recorder.sync(encryption_master_key_base64=MASTER_KEY).trigger(CHANNEL, "e", "text")
    assert open_sealed(CHANNEL, recorder.body["data"]) == "text"


def test_batch_encrypts_each_event_and_changes_nothing_of_the_callers(recorder: Recorder) -> None:
    pusher = recorder.sync(encryption_master_key_base64=MASTER_KEY)
    data = {"a": 1}
    events = [Event(CHANNEL, "e", data), Event("public", "e", data), Event("private-encrypted-2", "e", data)]
    for _ in range(2):
        pusher.trigger_batch(events)
        batch = recorder.body["batch"]
        first, second, third = (item["data"] for item in cast("list[dict[str, str]]", batch))
        assert open_sealed(CHANNEL, first) == open_sealed("private-encrypted-2", third) == second == '{"a":1}'
    assert data == {"a": 1}
    assert events[0] == Event(CHANNEL, "e", {"a": 1})


def test_nonce_is_fresh(recorder: Recorder) -> None:
    pusher = recorder.sync(encryption_master_key_base64=MASTER_KEY)
    seen: set[object] = set()
    for _ in range(50):
        pusher.trigger(CHANNEL, "e", "same")
        seen.add(recorder.body["data"])
    assert len(seen) == 50


def test_first_key_encrypts_and_all_decrypt() -> None:
    old, new = KeyRing(OTHER_MASTER_KEY), KeyRing([MASTER_KEY, OTHER_MASTER_KEY])
    assert new.decrypt(CHANNEL, old.encrypt(CHANNEL, "x")) == "x"
    assert new.decrypt(CHANNEL, new.encrypt(CHANNEL, "y")) == "y"
    assert open_sealed(CHANNEL, new.encrypt(CHANNEL, "z"), MASTER_KEY) == "z"
    assert new.shared_secret(CHANNEL) == KeyRing(MASTER_KEY).shared_secret(CHANNEL)
    with pytest.raises(EncryptionError, match="none of the master keys"):
        old.decrypt(CHANNEL, new.encrypt(CHANNEL, "y"))


@pytest.mark.parametrize(
    "data",
    ["", "null", "[]", "{}", '{"nonce":"AA==","ciphertext":"AA=="}', SEALED[:-1] + ',"x":1}', "x" * 100, "[" * 10_000],
)
def test_what_is_not_sealed_does_not_decrypt(data: str) -> None:
    with pytest.raises(EncryptionError):
        KeyRing(MASTER_KEY).decrypt(CHANNEL, data)


def test_an_encrypted_channel_shares_no_trigger(recorder: Recorder) -> None:
    pusher = recorder.sync(encryption_master_key_base64=MASTER_KEY)
    for channels in ([CHANNEL, "public"], ["public", CHANNEL], [CHANNEL, "private-encrypted-2"], [CHANNEL, CHANNEL]):
        with pytest.raises(InvalidArgumentError, match="^channels: .*alone"):
            pusher.trigger(channels, "e", {})
    assert recorder.requests == []


def test_an_encrypted_channel_needs_a_master_key(recorder: Recorder) -> None:
    pusher = recorder.sync()
    for call in (
        lambda: pusher.trigger(CHANNEL, "e", {}),
        lambda: pusher.trigger_batch([Event(CHANNEL, "e", {})]),
        lambda: pusher.authorize_channel("1.1", CHANNEL),
    ):
        with pytest.raises(ConfigurationError, match="encryption_master_key_base64"):
            call()
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        ("not base64 at all!", "valid base64"),
        (MASTER_KEY[:-1], "valid base64"),
        (MASTER_KEY + "\n", "valid base64"),
        (base64.b64encode(b"x" * 31).decode(), "32 bytes"),
        (base64.b64encode(b"x" * 33).decode(), "32 bytes"),
        ("", "32 bytes"),
        (b"bytes", "must be a str"),
        ([MASTER_KEY, "short"], r"\[1\]"),
    ],
)
def test_a_wrong_master_key_is_refused_when_the_client_is_made(key: object, rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule) as caught:
        Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=key)  # type: ignore[arg-type]  # pyright: ignore
    assert caught.value.option.startswith("encryption_master_key_base64")
    assert "not base64" not in str(caught.value)


def test_the_largest_plaintext_that_fits(recorder: Recorder) -> None:
    pusher = recorder.sync(encryption_master_key_base64=MASTER_KEY)
    pusher.trigger(CHANNEL, "e", "x" * 7619)
    with pytest.raises(InvalidArgumentError, match="data: .*10240"):
        pusher.trigger(CHANNEL, "e", "x" * 7620)
    assert len(recorder.requests) == 1


def sent(body: object) -> bytes:
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": "plain"})),
        ("/apps/3/events", (), sent({"channels": [CHANNEL], "data": "{}"})),
        ("/apps/3/events", (), sent({"channels": [CHANNEL]})),
        ("/apps/3/events", (), sent({"channels": [CHANNEL, "public"], "data": SEALED})),
        ("/apps/3/events", (), sent({"channels": ["public"], "channel": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (), sent({"Channel": CHANNEL, "data": "plain"})),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED})[:-1] + b',"data":"plain"}'),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": "plain"})[:-1] + b',"channel":"public"}'),
        ("/apps/3/events", (), rb'{"channel":"private\u002dencrypted-x","data":"plain"}'),
        ("/apps/3/events", (), json.dumps({"channel": CHANNEL, "data": "plain"}).encode("utf-16")),
        ("/apps/3/events", (), b"channel=private-encrypted-x&data=plain"),
        ("/apps/3/events", (), sent({"data": {"channel": CHANNEL}, "channel": "x", "deep": [{"channel": CHANNEL}]})),
        (
            "/apps/3/batch_events",
            (),
            sent({"batch": [{"channel": "a", "data": "x"}, {"channel": CHANNEL, "data": "x"}]}),
        ),
        ("/apps/3/events", (("channel", CHANNEL), ("data", "plain")), None),
        ("/apps/3/events", (("channels[]", CHANNEL),), sent({"name": "e", "data": "plain"})),
        (f"/apps/3/channels/{CHANNEL}/events", (("name", "e"),), b"plain"),
        (f"/apps/3/channels/{CHANNEL}/events", (("name", "e"),), sent({"some": "data"})),
        ("/apps/3/channels/private%2Dencrypted-foobar/events", (), sent({"some": "data"})),
        (f"/apps/3/channels/{CHANNEL}/events", (("data", "plain"),), None),
        # a key that stands twice in the sealed text
        ("/apps/3/events", (), sent({"channels": [CHANNEL], "data": '{"ciphertext":"plain",' + SEALED[1:]})),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": '{"nonce":{"a":"plain"},' + SEALED[1:]})),
        (f"/apps/3/channels/{CHANNEL}/events", (("name", "e"),), b'{"ciphertext":"plain",' + SEALED[1:].encode()),
        # an empty object is data too, and a sealed body covers nothing in the query
        (f"/apps/3/channels/{CHANNEL}/events", (("name", "e"),), b"{}"),
        (f"/apps/3/channels/{CHANNEL}/events", (("name", "e"), ("data", "plain")), b"{}"),
        ("/apps/3/events", (("name", "e"), ("data", "plain"), ("channels", CHANNEL)), SEALED.encode()),
        ("/apps/3/events", (("Data", "plain"),), sent({"channel": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (("channel", "public"),), sent({"channel": CHANNEL, "data": SEALED})),
        # other spellings of the path
        (f"/apps/3/channels//{CHANNEL}/events", (), b"plain"),
        (f"/apps/3/channels%2F{CHANNEL}/events", (), b"plain"),
        (f"/apps/3/x%2Fchannels/{CHANNEL}/events", (), b"plain"),
        ("/apps/3/channels/%2570rivate-encrypted-x/events", (), b"plain"),
        (f"/apps/3/Channels/{CHANNEL}/events", (), b"plain"),
        (f"/apps/3/channels;v=1/{CHANNEL}/events", (), b"plain"),
        (f"/apps/3/events/{CHANNEL}", (), b"plain"),
        (f"/apps/3/users/7/channels/{CHANNEL}/events", (), b"plain"),
        # other shapes of the body
        *(
            ("/apps/3/events", (), sent(shape))
            for shape in (
                {"channels": [[CHANNEL]], "data": "plain"},
                {"channels": {"0": CHANNEL}, "data": "plain"},
                {"channels": {CHANNEL: True}, "data": "plain"},
                {"channels": "a," + CHANNEL, "data": SEALED},
                {" channels": [CHANNEL], "data": SEALED},
                {"target": CHANNEL, "data": "plain"},
                {"channels": [" " + CHANNEL], "data": SEALED},
                {"channel": CHANNEL, "data": SEALED, "Data": "plain"},
                {"channel": CHANNEL, "data": SEALED, "payload": "plain"},
                {"channel": CHANNEL, "data": SEALED, "payload": ["plain"]},
                {"channels": [CHANNEL, CHANNEL], "data": SEALED},
                json.dumps({"channel": CHANNEL, "data": "plain"}),
                [CHANNEL, "plain"],
            )
        ),
        ("/apps/3/events", (), b"channels[]=private%2Dencrypted%2Dx&data=plain"),
        ("/apps/3/events", (), b"{}&channel=private%2Dencrypted-x&data=plain"),
        (f"/apps/3/channels/{CHANNEL}/publish", (), sent([{"name": "e", "data": SEALED}, "plain"])),
        (f"/apps/3/channels/{CHANNEL}/publish", (), sent([{"name": "e", "data": "plain"}, {"data": SEALED}])),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED, "more": {"a": "plain"}})),
        ("/apps/3/events", (), "channels=private-encrypted-x&data=plain".encode("utf-16")),
    ],
)
def test_guard_refuses_plaintext(path: str, query: tuple[tuple[str, str], ...], body: bytes | None) -> None:
    with pytest.raises(EncryptionError, match="plaintext for a private-encrypted- channel was refused"):
        refuse_plaintext(path, query, body)


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (), sent({"channels": [CHANNEL], "data": SEALED, "name": "e"})),
        ("/apps/3/events", (), sent({"channel": "private-encrypted-a,b", "data": SEALED})),
        ("/apps/3/events", (), sent({"channel": "public", "data": CHANNEL})),
        ("/apps/3/events", (), sent({"channel": "private-encrypted", "data": "plain"})),
        ("/apps/3/events", (), sent({"channel": "x", "data": "\u0001"})),
        (f"/apps/3/channels/{CHANNEL}/events", (("name", "e"),), SEALED.encode()),
        (f"/apps/3/channels/{CHANNEL}", (("info", "user_count"),), None),
        (f"/apps/3/users/{CHANNEL}/terminate_connections", (), b"{}"),
        ("/apps/3/channels", (("filter_by_prefix", "private-encrypted-"),), None),
        ("/apps/3/events", (), b"not json, but names no such channel"),
        ("/apps/3/events", (), sent({"channel": "x", "name": CHANNEL, "data": CHANNEL})),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED, "priority": 3, "fresh": True})),
        (f"/apps/3/channels/{CHANNEL}/publish", (), sent({"name": "e", "data": SEALED})),
        ("/server_api/v1/apps/3/notifications", (), sent({"interests": ["a"], "fcm": {"data": {"channel": CHANNEL}}})),
    ],
)
def test_guard_lets_everything_else_pass(path: str, query: tuple[tuple[str, str], ...], body: bytes | None) -> None:
    refuse_plaintext(path, query, body)


def test_guard_looks_at_generated_operations_and_raw_requests(recorder: Recorder) -> None:
    pusher = recorder.sync(encryption_master_key_base64=MASTER_KEY)
    for call in (
        lambda: pusher.events.trigger(name="e", data="plain", channels=[CHANNEL]),
        lambda: pusher.events.trigger(name="e", data="plain", channel=CHANNEL),
        lambda: pusher.request("POST", "/events", body={"name": "e", "channel": CHANNEL, "data": "plain"}),
        lambda: pusher.request("POST", f"/channels/{CHANNEL}/events", query={"name": "e"}, body="plain"),
    ):
        with pytest.raises(EncryptionError):
            call()
    assert recorder.requests == []
    pusher.events.trigger(name="e", data=SEALED, channels=[CHANNEL])
    assert len(recorder.requests) == 1
