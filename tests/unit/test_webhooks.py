"""Webhooks: verification, freshness, typed events, decryption, and hostile input."""

from __future__ import annotations

import hmac
import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import Message
from functools import partial

import pytest

from pusher_channels import (
    CacheMiss,
    ChannelOccupied,
    ChannelVacated,
    ClientEvent,
    EncryptionError,
    InvalidArgumentError,
    InvalidSignatureError,
    InvalidWebhookBodyError,
    MemberAdded,
    MemberRemoved,
    Pusher,
    StaleWebhookError,
    SubscriptionCount,
    UnknownEvent,
    UnknownKeyError,
    Webhook,
    WebhookError,
)
from pusher_channels._encryption import KeyRing
from pusher_channels._secret import Secret
from pusher_channels._webhooks import WebhookReader, _read_headers  # pyright: ignore[reportPrivateUsage]
from tests.unit.support import APP_ID, KEY, MASTER_KEY, OTHER_MASTER_KEY, SECRET


def signed(body: bytes, secret: str = SECRET, key: str = KEY) -> dict[str, str]:
    return {"X-Pusher-Key": key, "X-Pusher-Signature": hmac.new(secret.encode(), body, "sha256").hexdigest()}


def payload(*events: object, time_ms: object = None) -> bytes:
    moment = int(time.time() * 1000) if time_ms is None else time_ms
    return json.dumps({"time_ms": moment, "events": events}).encode()


def test_all_event_types(pusher: Pusher) -> None:
    body = payload(
        {"name": "channel_occupied", "channel": "a"},
        {"name": "channel_vacated", "channel": "a"},
        {"name": "cache_miss", "channel": "cache-a"},
        {"name": "member_added", "channel": "presence-a", "user_id": "u"},
        {"name": "member_removed", "channel": "presence-a", "user_id": 7},
        {
            "name": "client_event",
            "channel": "presence-a",
            "event": "client-e",
            "data": '{"a":1}',
            "socket_id": "1.1",
            "user_id": "u",
        },
        {"name": "subscription_count", "channel": "a", "subscription_count": 3},
        {"name": "brand_new", "channel": "a", "more": [1]},
        {"name": "channel_occupied", "channel": "a", "more": 1},
    )
    webhook = pusher.webhook(signed(body), body)
    occupied, vacated, miss, added, removed, client, count, unknown, extended = webhook.events
    assert occupied == ChannelOccupied(channel="a")
    assert vacated == ChannelVacated(channel="a")
    assert miss == CacheMiss(channel="cache-a")
    assert added == MemberAdded(channel="presence-a", user_id="u")
    assert removed == MemberRemoved(channel="presence-a", user_id=7)
    assert isinstance(client, ClientEvent)
    assert (client.event, client.data, client.socket_id, client.user_id) == ("client-e", '{"a":1}', "1.1", "u")
    assert client.raw_data == client.data
    assert count == SubscriptionCount(channel="a", subscription_count=3)
    assert isinstance(unknown, UnknownEvent)
    assert unknown.name == "brand_new"
    assert unknown.additional_properties == {"channel": "a", "more": [1]}
    assert isinstance(extended, ChannelOccupied)
    assert extended.additional_properties == {"more": 1}
    assert len({occupied, vacated, occupied}) == 2  # hashable: callers tell repeated events apart


def test_time_is_aware_utc(pusher: Pusher) -> None:
    body = payload(time_ms=1423850522123)
    webhook = pusher.webhook(signed(body), body, max_age=None)
    assert webhook.time == datetime(2015, 2, 13, 18, 2, 2, 123000, tzinfo=UTC)
    assert webhook.time.utcoffset() is not None
    assert webhook.time_ms == 1423850522123
    assert list(webhook.events) == []


def test_missing_events_are_none(pusher: Pusher) -> None:
    body = b'{"time_ms":1000000}'
    assert list(pusher.webhook(signed(body), body, max_age=None).events) == []


def test_header_names_in_any_case(pusher: Pusher) -> None:
    body = payload()
    for change in (str.lower, str.upper, str.title):
        headers = {change(name): value for name, value in signed(body).items()}
        assert pusher.webhook(headers, body)


class Headers:
    """Like those of Werkzeug and of http.server: no mapping, but with the same ``items``."""

    def __init__(self, pairs: dict[str, str]) -> None:
        self._pairs = pairs

    def items(self) -> list[tuple[str, str]]:
        return list(self._pairs.items())


def test_headers_of_any_framework(pusher: Pusher) -> None:
    body = payload()
    assert pusher.webhook(Headers(signed(body)), body)
    message = Message()
    for name, value in signed(body).items():
        message[name] = value
    assert pusher.webhook(message, body)


@pytest.mark.parametrize("headers", [None, 7, "X-Pusher-Key: k", [("X-Pusher-Key", "k")]])
def test_headers_that_are_none(pusher: Pusher, headers: object) -> None:
    with pytest.raises(InvalidArgumentError, match="^headers: "):
        pusher.webhook(headers, payload())  # type: ignore[arg-type]  # pyright: ignore


def test_tokens_for_rotation(pusher: Pusher) -> None:
    body = payload()
    old = signed(body, "old-secret", "old-key")
    with pytest.raises(UnknownKeyError):
        pusher.webhook(old, body)
    assert pusher.webhook(old, body, tokens={"old-key": "old-secret", "older": "x"})
    assert pusher.webhook(signed(body), body, tokens={"old-key": "old-secret"})
    with pytest.raises(InvalidSignatureError):
        pusher.webhook(signed(body, "other", "old-key"), body, tokens={"old-key": "old-secret"})
    with pytest.raises(InvalidSignatureError):  # the client's own secret cannot be replaced for its own key
        pusher.webhook(signed(body, "forged"), body, tokens={KEY: "forged"})


@pytest.mark.parametrize("tokens", [[("k", "s")], {"k": 1}, {1: "s"}, {"k": "\ud800"}, {"k": ""}, "k:s"])
def test_bad_tokens_are_refused(pusher: Pusher, tokens: object) -> None:
    body = payload()
    with pytest.raises(InvalidArgumentError, match="^tokens: "):
        pusher.webhook(signed(body), body, tokens=tokens)  # type: ignore[arg-type]  # pyright: ignore


def test_window(pusher: Pusher, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)
    for seconds, accepted in ((-890, True), (-910, False), (50, True), (70, False)):
        body = payload(time_ms=int((now + seconds) * 1000))
        if accepted:
            assert pusher.webhook(signed(body), body)
        else:
            with pytest.raises(StaleWebhookError):
                pusher.webhook(signed(body), body)
        assert pusher.webhook(signed(body), body, max_age=None)
    body = payload(time_ms=int((now - 890) * 1000))
    with pytest.raises(StaleWebhookError, match="more than 300"):
        pusher.webhook(signed(body), body, max_age=300)


@pytest.mark.parametrize("max_age", [-1, float("nan"), "900", True])
def test_bad_max_age_is_refused(pusher: Pusher, max_age: object) -> None:
    body = payload()
    with pytest.raises(InvalidArgumentError, match="^max_age: "):
        pusher.webhook(signed(body), body, max_age=max_age)  # type: ignore[arg-type]  # pyright: ignore


GOOD = payload(time_ms=10**12)
ODD_NAMES: dict[object, object] = {7: 8, None: None}


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, UnknownKeyError),
        ({"X-Pusher-Key": KEY}, InvalidSignatureError),
        ({"X-Pusher-Key": KEY, "X-Pusher-Signature": ""}, InvalidSignatureError),
        ({"X-Pusher-Key": KEY, "X-Pusher-Signature": "é" * 64}, InvalidSignatureError),
        ({"X-Pusher-Key": KEY, "X-Pusher-Signature": "\ud800" * 64}, InvalidSignatureError),
        ({"X-Pusher-Key": KEY, "X-Pusher-Signature": None}, InvalidSignatureError),
        ({"X-Pusher-Key": KEY, "X-Pusher-Signature": ["x"]}, InvalidSignatureError),
        ({"X-Pusher-Key": KEY, "X-Pusher-Signature": b"x"}, InvalidSignatureError),
        ({**signed(GOOD), "X-Pusher-Signature": signed(GOOD)["X-Pusher-Signature"].upper()}, InvalidSignatureError),
        ({**signed(GOOD), "x-pusher-signature": "second"}, InvalidSignatureError),
        ({**signed(GOOD), "x-pusher-key": "second"}, UnknownKeyError),
        ({**signed(GOOD), "X-Pusher-Key": "other"}, UnknownKeyError),
        ({**signed(GOOD), "X-Pusher-Key": 7}, UnknownKeyError),
        (ODD_NAMES | signed(GOOD, "wrong"), InvalidSignatureError),
        (signed(GOOD + b" "), InvalidSignatureError),
    ],
)
def test_hostile_headers(pusher: Pusher, headers: Mapping[str, str], error: type[WebhookError]) -> None:
    with pytest.raises(error) as caught:
        pusher.webhook(headers, GOOD, max_age=None)
    right = signed(GOOD)["X-Pusher-Signature"]
    assert right not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"7",
        b'"text"',
        b"[1]",
        b"{}",
        b'{"hello":"world"}',
        b'{"time_ms":"1"}',
        b'{"time_ms":true}',
        b'{"time_ms":null}',
        b'{"time_ms":1.5}',
        b'{"time_ms":NaN}',
        b'{"time_ms":Infinity}',
        b'{"time_ms":' + b"9" * 400 + b"}",
        b'{"time_ms":' + b"9" * 5000 + b"}",
        b'{"time_ms":-99999999999999999}',
        b'{"time_ms":1,"events":7}',
        b'{"time_ms":1,"events":"abc"}',
        b'{"time_ms":1,"events":[7]}',
        b'{"time_ms":1,"events":[null]}',
        b'{"time_ms":1,"events":[{}]}',
        b'{"time_ms":1,"events":[{"name":7}]}',
        b'{"time_ms":1,"events":[{"name":"channel_occupied"}]}',
        b'{"time_ms":1,"events":[{"name":"channel_occupied","channel":7}]}',
        b'{"time_ms":1,"events":[{"name":"client_event"}]}',
        b'["client_event"]',
        b'{"time_ms":1,"events":7,"name":"client_event"}',
        b"[" * 100_000,
        b'{"time_ms":1,"events":' + b"[" * 100_000,
        b'{"time_ms":1}{',
        b'{"time_ms":1,"events":[{"name":"new","x":1e999}]}',
        '{"time_ms":1}'.encode("utf-16"),
    ],
)
def test_hostile_bodies_with_a_good_signature(pusher: Pusher, body: bytes) -> None:
    with pytest.raises(InvalidWebhookBodyError):
        pusher.webhook(signed(body), body, max_age=None)


@pytest.mark.parametrize("body", ["text", None, {"time_ms": 1}, 7])
def test_a_body_that_is_not_raw_is_refused(pusher: Pusher, body: object) -> None:
    with pytest.raises(InvalidArgumentError, match="^body: .*bytes"):
        pusher.webhook(signed(GOOD), body)  # type: ignore[arg-type]  # pyright: ignore


def client_event(data: object, channel: str = "private-encrypted-x") -> dict[str, object]:
    return {"name": "client_event", "channel": channel, "event": "client-e", "data": data, "socket_id": "1.1"}


def test_client_events_on_encrypted_channels() -> None:
    pusher = Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=[MASTER_KEY, OTHER_MASTER_KEY])
    channel = "private-encrypted-x"
    new, old = (KeyRing(key).encrypt(channel, "plain text") for key in (MASTER_KEY, OTHER_MASTER_KEY))
    forged = KeyRing("A" * 43 + "=").encrypt(channel, "forged")
    body = payload(
        client_event(new),
        client_event(old),
        client_event(forged),
        client_event("in the clear"),
        {"name": "channel_occupied", "channel": channel},
        {"name": "cache_miss", "channel": "private-encrypted-cache-x"},
    )
    first, second, third, fourth, occupied, miss = pusher.webhook(signed(body), body).events
    for event, raw in ((first, new), (second, old)):
        assert isinstance(event, ClientEvent)
        assert (event.data, event.raw_data, event.decryption_error) == ("plain text", raw, None)
    for event, raw in ((third, forged), (fourth, "in the clear")):
        assert isinstance(event, ClientEvent)
        assert event.data is None
        assert event.raw_data == raw
        assert isinstance(event.decryption_error, EncryptionError)
    assert isinstance(occupied, ChannelOccupied)
    assert isinstance(miss, CacheMiss)


def test_a_channel_name_without_utf8_does_not_decrypt() -> None:
    pusher = Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY)
    body = payload(client_event(KeyRing(MASTER_KEY).encrypt("private-encrypted-x", "x"), "private-encrypted-\ud800"))
    (event,) = pusher.webhook(signed(body), body).events
    assert isinstance(event, ClientEvent)
    assert isinstance(event.decryption_error, EncryptionError)


def test_client_events_on_encrypted_channels_without_a_key() -> None:
    body = payload(client_event(KeyRing(MASTER_KEY).encrypt("private-encrypted-x", "x")))
    (event,) = Pusher(APP_ID, KEY, SECRET).webhook(signed(body), body).events
    assert isinstance(event, ClientEvent)
    assert event.data is None
    assert event.decryption_error is not None
    assert "encryption_master_key_base64" in str(event.decryption_error)


def test_client_event_data_of_other_servers_becomes_text(pusher: Pusher) -> None:
    body = payload(client_event({"z": [1, "ü"]}, "private-x"), client_event(None, "private-x"))
    first, second = pusher.webhook(signed(body), body).events
    assert isinstance(first, ClientEvent)
    assert first.data == '{"z":[1,"ü"]}'
    assert isinstance(second, ClientEvent)
    assert second.data == "null"


def message_of(kind: type[Exception], call: Callable[[], object]) -> str:
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


@pytest.mark.parametrize("headers", [None, 7, [("X-Pusher-Key", "k")]])
def test_headers_that_are_none_are_told_their_rule(pusher: Pusher, headers: Mapping[str, str]) -> None:
    message = message_of(InvalidArgumentError, lambda: pusher.webhook(headers, GOOD))
    assert message == "headers: must be a mapping of names to values"


def test_a_body_that_is_not_raw_is_told_its_rule(pusher: Pusher) -> None:
    message = message_of(
        InvalidArgumentError,
        lambda: pusher.webhook(signed(GOOD), GOOD.decode()),  # type: ignore[arg-type]  # pyright: ignore
    )
    assert message == "body: must be the raw request body, as bytes"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_raw_body_of_any_kind(pusher: Pusher, kind: Callable[[bytes], bytes]) -> None:
    assert pusher.webhook(signed(GOOD), kind(GOOD), max_age=None).time_ms == 10**12


def test_a_webhook_that_is_not_to_be_trusted_says_why(pusher: Pusher) -> None:
    assert message_of(UnknownKeyError, lambda: pusher.webhook({}, GOOD)) == (
        "the X-Pusher-Key header is missing, or names a key that is not accepted here"
    )
    assert message_of(InvalidSignatureError, lambda: pusher.webhook(signed(GOOD, "wrong"), GOOD)) == (
        "the X-Pusher-Signature header is not the signature of the body"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff", "the body is not JSON in UTF-8"),
        (b"{", "the body is not JSON in UTF-8"),
        (b"[" * 100_000, "the body is not JSON in UTF-8"),
        (b'{"time_ms":1,"x":NaN}', "the body is not JSON in UTF-8"),
        (b'{"time_ms":1,"x":-Infinity}', "the body is not JSON in UTF-8"),
        (b'{"time_ms":1,"x":1e999}', "the body is not JSON in UTF-8"),
        (b'{"time_ms":' + b"9" * 30 + b"}", "the body is not a webhook: time_ms is out of range"),
    ],
)
def test_a_body_that_is_no_webhook_says_why(pusher: Pusher, body: bytes, message: str) -> None:
    for max_age in (900, None):
        call = partial(pusher.webhook, signed(body), body, max_age=max_age)
        assert message_of(InvalidWebhookBodyError, call) == message


def test_a_body_that_breaks_the_description_says_where(pusher: Pusher) -> None:
    body = b'{"time_ms":"1"}'
    message = message_of(InvalidWebhookBodyError, lambda: pusher.webhook(signed(body), body))
    assert re.fullmatch(r"the body is not a webhook: .*\btime_ms\b.*", message)


def read(time_ms: int, *, now: float, max_age: float | None = 900) -> Webhook:
    body = payload(time_ms=time_ms)
    reader = WebhookReader(KEY, Secret(SECRET), KeyRing(None))
    return reader.read(signed(body), body, tokens={}, max_age=max_age, now=now)


def test_the_ends_of_the_window() -> None:
    assert read(1_000_000, now=1900).time_ms == 1_000_000
    assert message_of(StaleWebhookError, lambda: read(1_000_000, now=1901)) == (
        "the webhook is 901 seconds old: more than 900 are not accepted"
    )
    assert read(1_000_000, now=940).time_ms == 1_000_000
    assert message_of(StaleWebhookError, lambda: read(1_000_000, now=939)) == (
        "the webhook's time lies 61 seconds ahead of the local clock"
    )
    assert message_of(StaleWebhookError, lambda: read(1_000_000, now=1001, max_age=0.5)) == (
        "the webhook is 1 seconds old: more than 0.5 are not accepted"
    )
    assert read(1_000_000, now=1000, max_age=0).time_ms == 1_000_000
    assert read(1_000_999, now=1001, max_age=0.001).time == datetime(1970, 1, 1, 0, 16, 40, 999000, tzinfo=UTC)


def test_a_missing_signature_stands_for_none(pusher: Pusher) -> None:
    for headers in ({"X-Pusher-Key": KEY}, {"X-Pusher-Key": KEY, "X-Pusher-Signature": "XXXX"}):
        with pytest.raises(InvalidSignatureError):
            pusher.webhook(headers, GOOD, max_age=None)


def test_a_header_that_is_missing_or_ambiguous_is_empty_and_so_nobodys() -> None:
    assert _read_headers({}) == ("", "")
    assert _read_headers({"X-Pusher-Key": "a", "x-pusher-key": "b", "X-Pusher-Signature": "s"}) == ("", "s")


def test_a_header_that_stands_twice_with_one_value_stands_once(pusher: Pusher) -> None:
    headers = signed(GOOD) | {name.lower(): value for name, value in signed(GOOD).items()}
    assert pusher.webhook(headers, GOOD, max_age=None)


@pytest.mark.parametrize(
    ("event", "data"),
    [
        ({"data": {"a": "ü", "b": 1.5}}, '{"a":"ü","b":1.5}'),
        ({"data": False}, "false"),
        ({"data": ""}, ""),
        ({}, None),
    ],
)
def test_client_event_data_is_text_or_missing(pusher: Pusher, event: dict[str, object], data: str | None) -> None:
    body = payload({"name": "client_event", "channel": "private-x", "event": "client-e", "socket_id": "1.1", **event})
    (read_event,) = pusher.webhook(signed(body), body).events
    assert isinstance(read_event, ClientEvent)
    assert (read_event.data, read_event.raw_data, read_event.decryption_error) == (data, data, None)


def test_a_name_may_be_written_with_escapes(pusher: Pusher) -> None:
    body = payload(client_event({"a": 1}, "private-x")).replace(b'"client_event"', b'"\\u0063lient_event"')
    (read_event,) = pusher.webhook(signed(body), body).events
    assert isinstance(read_event, ClientEvent)
    assert read_event.data == '{"a":1}'


def test_data_of_other_events_stays_as_it_is(pusher: Pusher) -> None:
    body = payload({"name": "brand_new", "data": {"a": 1}}, {"name": "channel_occupied", "channel": "a", "data": [1]})
    new, occupied = pusher.webhook(signed(body), body).events
    assert isinstance(new, UnknownEvent)
    assert new.additional_properties == {"data": {"a": 1}}
    assert isinstance(occupied, ChannelOccupied)
    assert occupied.additional_properties == {"data": [1]}


def test_a_client_event_without_data_on_an_encrypted_channel_is_left_alone(pusher: Pusher) -> None:
    event = client_event("x")
    del event["data"]
    body = payload(event)
    (read_event,) = pusher.webhook(signed(body), body).events
    assert isinstance(read_event, ClientEvent)
    assert (read_event.data, read_event.raw_data, read_event.decryption_error) == (None, None, None)
