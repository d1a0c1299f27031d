"""End-to-end encryption, and the guard against plaintext on encrypted channels."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import cast
from urllib.parse import quote

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
    with pytest.raises(InvalidArgumentError, match="^data: must be at most 10240 bytes long when encrypted"):
        pusher.trigger(CHANNEL, "e", "x" * 7620)
    assert len(recorder.requests) == 1


def sent(body: object) -> bytes:
    return json.dumps(body).encode()


HIDDEN = rb'{"channel":"\u0070rivate-encrypted-x","data":"plain","more":'


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
        # what Python does not take for JSON, and other servers do
        ("/apps/3/events", (), HIDDEN + b"9" * 5000 + b"}"),
        ("/apps/3/events", (), HIDDEN + b"[" * 5000 + b"]" * 5000 + b"}"),
        ("/apps/3/events", (), HIDDEN + b'"\xff"}'),
        ("/apps/3/events", (), HIDDEN + b'"a\nb"}'),
        ("/apps/3/events", (), quote(HIDDEN + b"}").encode()),
        # nested more deeply than a recursion of ours could go
        ("/apps/3/events", (), b"[" * 900 + b'"private-encrypted-x"' + b"]" * 900),
        (
            "/apps/3/events",
            (),
            b'{"data":"plain","channels":' + b"[" * 900 + rb'"\u0070rivate-encrypted-x"' + b"]" * 900 + b"}",
        ),
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
        ("/apps/3/events", (), rb"neither is C:\users, or 100% of \u12 \ud800"),
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


def message_of(kind: type[Exception], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


OPTION = "encryption_master_key_base64"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (7, f"{OPTION}: must be a str or a list of str"),
        ({MASTER_KEY}, f"{OPTION}: must be a str or a list of str"),
        ([7], f"{OPTION}[0]: must be a str"),
        ([MASTER_KEY, None], f"{OPTION}[1]: must be a str"),
        ("AA", f"{OPTION}: must be valid base64, with padding"),
        (MASTER_KEY.replace("A", "\u0100"), f"{OPTION}: must be valid base64, with padding"),
        ((MASTER_KEY, "AA=="), f"{OPTION}[1]: must decode to 32 bytes"),
    ],
)
def test_a_wrong_master_key_is_told_its_rule(keys: list[str], message: str) -> None:
    assert message_of(ConfigurationError, lambda: KeyRing(keys)) == message


def test_a_second_spelling_of_a_key_is_refused() -> None:
    stray = MASTER_KEY[:-2] + chr(ord(MASTER_KEY[-2]) + 1) + "="
    assert base64.b64decode(stray) == base64.b64decode(MASTER_KEY)
    assert "must be valid base64" in message_of(ConfigurationError, lambda: KeyRing(stray))


def test_a_key_ring_shows_how_many_keys_it_has() -> None:
    assert repr(KeyRing(None)) == repr(KeyRing([])) == "KeyRing(0 keys)"
    assert repr(KeyRing(MASTER_KEY)) == "KeyRing(1 keys)"
    assert repr(KeyRing((MASTER_KEY, OTHER_MASTER_KEY))) == "KeyRing(2 keys)"


def test_a_key_ring_says_why_it_does_not_encrypt_or_decrypt() -> None:
    ring, empty = KeyRing(MASTER_KEY), KeyRing(None)
    needed = f"{OPTION}: is needed for a private-encrypted- channel"
    assert message_of(ConfigurationError, lambda: empty.encrypt(CHANNEL, "x")) == needed
    assert message_of(ConfigurationError, lambda: empty.shared_secret(CHANNEL)) == needed
    assert message_of(EncryptionError, lambda: empty.decrypt(CHANNEL, SEALED)) == (
        f"no master key: set {OPTION} to read encrypted data"
    )
    assert message_of(EncryptionError, lambda: empty.decrypt(CHANNEL, "x")) == (
        "the data is not an object of nonce and ciphertext"
    )
    forged = KeyRing(OTHER_MASTER_KEY).encrypt(CHANNEL, "x")
    assert message_of(EncryptionError, lambda: ring.decrypt(CHANNEL, forged)) == (
        "none of the master keys opens the data"
    )
    assert message_of(EncryptionError, lambda: ring.decrypt("private-encrypted-\ud800", SEALED)) == (
        "the channel name or the decrypted data is not UTF-8 text"
    )


def test_plaintext_that_is_not_utf8_does_not_decrypt() -> None:
    key = hashlib.sha256(CHANNEL.encode() + base64.b64decode(MASTER_KEY)).digest()
    box = SecretBox(key).encrypt(b"\xff")
    data = json.dumps({name: base64.b64encode(getattr(box, name)).decode() for name in ("nonce", "ciphertext")})
    assert message_of(EncryptionError, lambda: KeyRing(MASTER_KEY).decrypt(CHANNEL, data)) == (
        "the channel name or the decrypted data is not UTF-8 text"
    )


def test_an_empty_plaintext_is_sealed_by_its_tag_alone() -> None:
    ring = KeyRing(MASTER_KEY)
    data = ring.encrypt(CHANNEL, "")
    assert len(base64.b64decode(json.loads(data)["ciphertext"])) == 16
    assert ring.decrypt(CHANNEL, data) == ""
    refuse_plaintext("/apps/3/events", (), sent({"channel": CHANNEL, "data": data}))


def test_sealed_data_is_compact_json_with_the_nonce_first() -> None:
    sealed = KeyRing(MASTER_KEY).encrypt(CHANNEL, "x")
    value = json.loads(sealed)
    assert list(value) == ["nonce", "ciphertext"]
    assert json.dumps(value, separators=(",", ":")) == sealed


def encoded(length: int) -> str:
    return base64.b64encode(b"x" * length).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"nonce": encoded(23), "ciphertext": encoded(17)},
        {"nonce": encoded(25), "ciphertext": encoded(17)},
        {"nonce": encoded(24), "ciphertext": encoded(15)},
        {"nonce": "plain", "ciphertext": encoded(17)},
        {"nonce": encoded(24), "ciphertext": "plain text that is no base64"},
        {"nonce": encoded(24), "ciphertext": ["plain"]},
        {"nonce": encoded(24), "ciphertext": None},
        {"nonce": 7, "ciphertext": encoded(17)},
        {"nonce": encoded(24), "ciphertext": encoded(16) + "\n"},
        {"nonce": encoded(24), "text": encoded(17)},
        {"nonce": encoded(24), "ciphertext": encoded(17), "x": "plain"},
        {"nonce": encoded(24)},
        [["nonce", encoded(24)], ["ciphertext", encoded(17)]],
        "text",
        7,
        None,
    ],
)
def test_data_that_is_not_sealed_is_neither_sent_nor_read(fields: object) -> None:
    data = json.dumps(fields)
    with pytest.raises(EncryptionError, match="plaintext for a private-encrypted- channel was refused"):
        refuse_plaintext("/apps/3/events", (), sent({"channel": CHANNEL, "data": data}))
    with pytest.raises(EncryptionError, match="plaintext for a private-encrypted- channel was refused"):
        refuse_plaintext(f"/apps/3/channels/{CHANNEL}/events", (), data.encode())
    message = message_of(EncryptionError, lambda: KeyRing(MASTER_KEY).decrypt(CHANNEL, data))
    assert message == "the data is not an object of nonce and ciphertext"


def test_the_data_of_an_event_is_text() -> None:
    with pytest.raises(EncryptionError, match="was refused"):
        refuse_plaintext("/apps/3/events", (), sent({"channel": CHANNEL, "data": json.loads(SEALED)}))


MUST_BE_SEALED = (
    "plaintext for a private-encrypted- channel was refused: its data must be an object of nonce and ciphertext, and "
    "the channel must stand alone (trigger and trigger_batch encrypt by themselves)"
)


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        # data in the query, the channel in the path or in the query, and no body that could be looked at
        (f"/apps/3/channels/{CHANNEL}/events", (("DATA", "plain"),), None),
        (f"/apps/3/channels/{CHANNEL}/events", (("data", "plain"),), SEALED.encode()),
        ("/apps/3/events", (("x", CHANNEL), ("data", "plain")), None),
        ("/apps/3/events", ((CHANNEL, "x"), ("data", "plain")), None),
        # the channel in the query, whatever the body holds
        ("/apps/3/events", (("x", CHANNEL),), b"plain"),
        ("/apps/3/events", ((CHANNEL, "1"),), b"plain"),
        ("/apps/3/events", (("info", "x"), ("x", CHANNEL)), SEALED.encode()),
        # a sealed event, and more in the query
        ("/apps/3/events", (("x", "y"), ("data", "plain")), sent({"channel": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (("channels[]", "public"),), sent({"channel": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (("CHANNEL", "public"),), sent({"channel": CHANNEL, "data": SEALED})),
        # the channel in the path: the body is sealed, or an event without a channel
        (f"/apps/3/channels/{CHANNEL}/publish", (), sent({"channel": "public", "data": SEALED})),
        (f"/apps/3/channels/{CHANNEL}/publish", (), sent({"name": "e", "data": "plain"})),
        (f"/apps/3/channels/{CHANNEL}/publish", (), sent({"name": "e", "data": SEALED, "x": "plain"})),
        (f"/apps/3/channels/{CHANNEL}/publish", (), b"\xff"),
        (f"/apps/3/channels/{CHANNEL}/publish", (), b"[" * 100_000),
        # only the id of a user may look like an encrypted channel
        (f"/apps/3/users/{CHANNEL}", (), b"plain"),
        (f"/apps/3/users/{CHANNEL}/", (), b"plain"),
        (f"/apps/3/users/{CHANNEL}%2Fx/events", (), b"plain"),
        (f"/apps/3/users/{CHANNEL}/events/x", (), b"plain"),
        (f"/x/apps/3/users/{CHANNEL}/events", (), b"plain"),
        (f"/x/server_api/{CHANNEL}", (), b"plain"),
        # an app's name may, and nothing behind or before it
        (f"/apps/private-encrypted-3/channels/{CHANNEL}/events", (), b"plain"),
        (f"/apps/private-encrypted-3@/{CHANNEL}", (), b"plain"),
        ("/apps/private-encrypted-3@x/events", (), b"plain"),
        ("/apps/private-encrypted-%33/events", (), b"plain"),
        ("/x/apps/private-encrypted-3/events", (), b"plain"),
        # as often escaped as a chain of proxies might take off, and no more
        ("/apps/3/channels/private%" + "25" * 7 + "2Dencrypted-x/events", (), b"plain"),
        # a body that only hides the prefix
        ("/apps/3/events", (), b"[" * 100_000 + CHANNEL.encode()),
        ("/apps/3/events", (), b"\xff channel=private-encrypted-x"),
        ("/apps/3/events", (), b" {" + b"channel=private%2Dencrypted-x"),
        ("/apps/3/events", (), "channel=private-encrypted-x".encode("utf-16-be")),
        ("/apps/3/events", (), sent(json.dumps([CHANNEL])).replace(b"-", b"\\u002d")),
        ("/apps/3/events", (), sent({"batch": [[["deep", CHANNEL]]]})),
        ("/apps/3/events", (), sent({"x": ["public", CHANNEL]})),
        ("/apps/3/events", (), sent({CHANNEL: "plain"})),
        # an event has one channel, text for its names, and each key once
        ("/apps/3/events", (), sent({"channels": CHANNEL, "channel": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (), sent({"channels": [CHANNEL, 7], "data": SEALED})),
        ("/apps/3/events", (), sent({"channel": "x" + CHANNEL, "data": SEALED})),
        ("/apps/3/events", (), sent({"name": "e", "info": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (), sent({"channel": CHANNEL})),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED, "one": 1, "more": "plain"})),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED})[:-1] + b',"name":"a","name":"b"}'),
    ],
)
def test_guard_says_what_it_refuses(path: str, query: tuple[tuple[str, str], ...], body: bytes | None) -> None:
    with pytest.raises(EncryptionError) as caught:
        refuse_plaintext(path, query, body)
    assert str(caught.value) == MUST_BE_SEALED


@pytest.mark.parametrize(
    ("path", "query", "body"),
    [
        ("/apps/3/events", (), sent({"channels": CHANNEL, "data": SEALED})),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED, "socket_id": "1.1", "info": "user_count"})),
        ("/apps/3/events", (), sent({"channel": CHANNEL, "data": SEALED, "a": None, "b": 1.5, "c": False})),
        ("/apps/3/events", (("a", "channel"), ("b", "data")), sent({"channel": CHANNEL, "data": SEALED})),
        ("/apps/3/batch_events", (), sent({"batch": [{"channel": CHANNEL, "data": SEALED}] * 2})),
        ("/apps/3/batch_events", (), sent([{"channel": CHANNEL, "data": SEALED}, {"channel": "a", "data": "plain"}])),
        ("/apps/3/events", (("channel", "public"), ("data", "plain")), None),
        ("/apps/3/events", (("channel", "public"),), sent({"channel": "public", "data": CHANNEL})),
        ("/apps/3/events", (("name", CHANNEL),), sent({"channel": "public", "data": "plain"})),
        ("/apps/3/channels/x", (("filter_by_prefix", CHANNEL),), b"plain"),
        ("/apps/3/events", (), b""),
        ("/apps/3/events", (), sent({"channel": "x", "data": "100%"})),
        ("/apps/3/events", (), b"100% \xff"),
        (f"/apps/3/channels/{CHANNEL}/users", (), b""),
        (f"/apps/3/users/{CHANNEL}/events", (("data", "plain"),), sent({"data": "plain"})),
        ("/apps/3/channels/private%" + "25" * 8 + "2Dencrypted-x/events", (), b"plain"),
        # the name of an app
        ("/apps/a-private-encrypted-3/events", (), sent({"channel": "public", "data": "plain"})),
        ("/apps/private-encrypted-3/events", (("data", "plain"),), None),
        (f"/apps/private-encrypted-3/users/{CHANNEL}/events", (), b"plain"),
    ],
)
def test_guard_lets_pass_what_carries_no_plaintext(
    path: str, query: tuple[tuple[str, str], ...], body: bytes | None
) -> None:
    refuse_plaintext(path, query, body)
