"""Whatever a webhook sender posts: a WebhookError, or a Webhook of typed events."""

from __future__ import annotations

import base64
import hmac
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import attrs
from hypothesis import example
from hypothesis import given as for_all
from nacl.secret import SecretBox

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
)
from tests.properties.making import PURE, Choices, is_json, is_object, made
from tests.properties.typing_of import assert_typed
from tests.spec.document import WEBHOOKS, values
from tests.unit.support import APP_ID, KEY, MASTER_KEY, OTHER_MASTER_KEY, SECRET

PUSHER = Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=[MASTER_KEY, OTHER_MASTER_KEY])
WITHOUT_KEYS = Pusher(APP_ID, KEY, SECRET)
FOREIGN_KEY = base64.b64encode(b"z" * 32).decode()
KINDS = {
    "channel_occupied": ChannelOccupied,
    "channel_vacated": ChannelVacated,
    "cache_miss": CacheMiss,
    "member_added": MemberAdded,
    "member_removed": MemberRemoved,
    "client_event": ClientEvent,
    "subscription_count": SubscriptionCount,
}
EXAMPLES: list[Any] = [value for webhook in WEBHOOKS if webhook.body is not None for value in values(webhook.body)]


def signed(body: bytes) -> dict[str, str]:
    return {"X-Pusher-Key": KEY, "X-Pusher-Signature": hmac.digest(SECRET.encode(), body, "sha256").hex()}


def check(webhook: Webhook) -> None:
    """Check that all of a webhook can be used."""
    assert webhook.time.tzinfo is UTC
    assert webhook.time == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=webhook.time_ms)
    assert repr(webhook)
    assert_typed(webhook)
    for event in webhook.events:
        assert type(event) is KINDS.get(event.name, UnknownEvent)
        assert is_json(event.to_dict())
        if isinstance(event, ClientEvent):
            assert event.decryption_error is None or event.data is None
            event = attrs.evolve(event, raw_data=event.data, decryption_error=None)
        assert type(event).from_dict(event.to_dict()) == event


# Unsigned


NAMES: list[Any] = ["X-Pusher-Key", "x-pusher-key", "X-PUSHER-SIGNATURE", "X-Pusher-Signature", "Date", 1, None, b"x"]
VALUES: list[Any] = [KEY, "", "é", "\ud800", None, 1, [KEY], KEY.encode(), "A" * 64]


def make_headers(choices: Choices) -> tuple[Any, Any]:
    """Make headers of a kind, and a body of another; the signature is good now and then."""
    body: Any = choices.pick([b"", b"{}", b"\xff", b'{"time_ms":1}'])
    good: dict[Any, Any] = {**signed(body)}
    if choices.once_in(4):
        body = choices.pick([choices.text(), None, 3, bytearray(b"{}"), memoryview(b"{}"), [b"{}"]])
    values = [*VALUES, choices.text(), *good.values()]
    pairs = {choices.pick(NAMES): choices.pick(values) for _ in range(choices.number(4))}
    headers = choices.pick([pairs, good | pairs, pairs | {"X-Pusher-Key": KEY}])
    return choices.pick([headers] * 9 + [list(headers.items()), None, "headers", 5, object()]), body


@PURE
@for_all(posted=made(make_headers))
def test_headers_and_bodies_of_any_kind(posted: tuple[Any, Any]) -> None:
    headers, body = posted
    good = {"headers": isinstance(headers, Mapping), "body": isinstance(body, (bytes, bytearray, memoryview))}
    try:
        check(PUSHER.webhook(headers, body, max_age=None))
    except InvalidArgumentError as error:
        assert not good[error.argument]
    except (UnknownKeyError, InvalidSignatureError, InvalidWebhookBodyError):
        pass
    else:
        given = list(headers.values())
        assert all(value in given for value in signed(body).values())


# Signed


def make_body(choices: Choices) -> tuple[bytes, float | None]:
    """Make a body that is nearly a webhook's, or not at all."""
    max_age = choices.pick([None, None, None, 900, 0, 1e300, math.inf])
    kind = choices.number(8)
    if kind == 6:
        return choices.json_bytes(choices.json()), max_age
    if kind == 7:
        return choices.bytes(), max_age
    body = choices.near(choices.pick(EXAMPLES))
    if is_object(body) and choices.once_in(4):
        body = {**body, "time_ms": choices.pick([0, -1, 2**53, 10**18, -(10**18), 10**400, 1e3, 253402300799999, None])}
    return choices.json_bytes(body), max_age


@PURE
@example(case=(b'{"time_ms":253402300800000}', None))
@example(case=(b'{"time_ms":1' + b"0" * 4000 + b"}", math.inf))
@for_all(case=made(make_body))
def test_signed_bodies_that_are_nearly_right(case: tuple[bytes, float | None]) -> None:
    body, max_age = case
    try:
        webhook = PUSHER.webhook(signed(body), body, max_age=max_age)
    except (InvalidWebhookBodyError, StaleWebhookError):
        return
    check(webhook)


# Encrypted client events


@attrs.frozen
class Sent:
    """An event of a webhook, and what it has to be read as."""

    event: dict[str, Any]
    plaintext: str | None = None
    fails: bool = False


def encrypt(channel: str, plaintext: bytes, master_key: str) -> dict[str, str]:
    key = sha256(channel.encode("utf-8", "surrogatepass") + base64.b64decode(master_key)).digest()
    sealed = SecretBox(key).encrypt(plaintext, b"n" * 24)
    return {
        name: base64.b64encode(part).decode()
        for name, part in (("nonce", sealed.nonce), ("ciphertext", sealed.ciphertext))
    }


def make_client_event(choices: Choices) -> Sent:
    channel = choices.pick(["private-encrypted-a", "private-encrypted-b", "private-encrypted-\ud800", "private-a"])
    event: dict[str, Any] = {"name": "client_event", "channel": channel, "event": "client-e"}
    if channel == "private-a":
        text = choices.text()
        return Sent({**event, "data": text}, text)
    plaintext = choices.text().encode("utf-8", "replace")
    key = choices.pick([MASTER_KEY, OTHER_MASTER_KEY])
    good = encrypt(channel, plaintext, key)
    data: Any
    match choices.number(8):
        case 0 | 1:
            fails = channel == "private-encrypted-\ud800"  # it has no UTF-8, which the key is made of
            return Sent({**event, "data": json.dumps(good)}, None if fails else plaintext.decode(), fails)
        case 2:
            return Sent(event)
        case 3:
            data = json.dumps(encrypt(channel, plaintext, FOREIGN_KEY))
        case 4:
            data = json.dumps(encrypt(channel, b"\xff" + plaintext, key))
        case 5:
            part, at = choices.pick(["nonce", "ciphertext"]), choices.number(20)
            text = good[part]
            data = json.dumps({**good, part: text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]})
        case 6:
            data = json.dumps({**good, choices.pick(["nonce", "ciphertext", "more"]): choices.json()})
        case _:
            data = choices.json_bytes(choices.json()).decode("utf-8", "replace")
    return Sent({**event, "data": data}, fails=True)


def make_client_events(choices: Choices) -> list[Sent]:
    return [make_client_event(choices) for _ in range(1 + choices.number(3))]


@PURE
@for_all(sent=made(make_client_events, 50))
def test_encrypted_client_events(sent: list[Sent]) -> None:
    body = json.dumps({"time_ms": 1, "events": [each.event for each in sent]}).encode()
    webhook = PUSHER.webhook(signed(body), body, max_age=None)
    check(webhook)
    without = WITHOUT_KEYS.webhook(signed(body), body, max_age=None)
    check(without)
    for each, event, unread in zip(sent, webhook.events, without.events, strict=True):
        assert isinstance(event, ClientEvent)
        assert isinstance(unread, ClientEvent)
        assert event.raw_data == unread.raw_data == each.event.get("data")
        assert event.data == each.plaintext
        assert isinstance(event.decryption_error, EncryptionError) is each.fails
        encrypted = each.event["channel"] != "private-a" and "data" in each.event
        assert isinstance(unread.decryption_error, EncryptionError) is encrypted
        assert unread.data == (None if encrypted else each.plaintext)
