"""Webhooks: verified over the raw body, read into typed events.

https://pusher.com/docs/channels/server_api/webhooks/
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

import attrs

from pusher_channels._encryption import KeyRing, is_encrypted
from pusher_channels._json import is_list, is_object
from pusher_channels._secret import Secret
from pusher_channels.errors import (
    EncryptionError,
    InvalidArgumentError,
    InvalidSignatureError,
    InvalidWebhookBodyError,
    ResponseDecodeError,
    StaleWebhookError,
    UnknownKeyError,
)
from pusher_channels_rest.models import ClientEvent, WebhookBody
from pusher_channels_rest.reading import JSON_OBJECT, parse_json
from pusher_channels_rest.webhooks import WebhookEvent

MAX_AHEAD = 60
"""Seconds that a webhook's time may lie ahead of the local clock."""

_KEY, _SIGNATURE = "x-pusher-key", "x-pusher-signature"
_LENGTHS = (len(_KEY), len(_SIGNATURE))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Headers(Protocol):
    """The headers of any framework: a mapping of names to values, or something like one."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return the names with their values."""
        ...


@attrs.frozen(kw_only=True)
class Webhook:
    """A verified webhook. Delivery is at least once and not in order: tell a repeated one by its content.

    Attributes:
        time: When the webhook was made, aware, in UTC.
        time_ms: The same as it was sent: milliseconds since 1970.
        events: The events, each of the class of its name. An event of an unknown name is an `UnknownEvent`.
    """

    time: datetime
    time_ms: int
    events: tuple[WebhookEvent, ...]


class WebhookReader:
    """Reads the webhooks of one app: only what its key and secret, or others that are accepted, have signed."""

    def __init__(self, key: str, secret: Secret, keys: KeyRing) -> None:
        self._key = key
        self._secret = secret
        self._keys = keys

    def read(
        self, headers: object, body: object, *, tokens: Mapping[str, Secret], max_age: float | None, now: float
    ) -> Webhook:
        """Verify a webhook and read it. ``tokens`` are more accepted keys with their secrets, ``now`` is Unix time."""
        if not isinstance(body, (bytes, bytearray, memoryview)):
            raise InvalidArgumentError("body", "must be the raw request body, as bytes")
        content = bytes(cast("bytes", body))
        self._verify(headers, content, tokens)
        payload = _decode(content)
        time = _check_time(payload.time_ms, max_age, now)
        keys = self._keys
        events = [_decrypted(event, keys) if type(event) is ClientEvent else event for event in payload.events or ()]
        return Webhook(time=time, time_ms=payload.time_ms, events=tuple(events))

    def _verify(self, headers: object, body: bytes, tokens: Mapping[str, Secret]) -> None:
        key, signature = _read_headers(headers)
        secret = self._secret if key == self._key else tokens.get(key)
        if secret is None:
            raise UnknownKeyError("the X-Pusher-Key header is missing, or names a key that is not accepted here")
        # In one expression: error trackers show the locals of the frames that an error passes.
        if not hmac.compare_digest(secret.sign(body).encode(), signature.encode(errors="surrogatepass")):
            raise InvalidSignatureError("the X-Pusher-Signature header is not the signature of the body")


def _read_headers(headers: object) -> tuple[str, str]:
    """Find the two headers whatever the case of their names. One that is missing, or has two values, is empty."""
    keys: list[str] = []
    signatures: list[str] = []
    try:
        for name, value in cast("Mapping[object, object]", headers).items():
            if isinstance(name, str) and len(name) in _LENGTHS and isinstance(value, str):
                lowered = name.lower()
                if lowered == _KEY:
                    keys.append(value)
                elif lowered == _SIGNATURE:
                    signatures.append(value)
    except (AttributeError, TypeError, ValueError):
        raise InvalidArgumentError("headers", "must be a mapping of names to values") from None
    return _only(keys), _only(signatures)


def _only(values: list[str]) -> str:
    return values[0] if values and values.count(values[0]) == len(values) else ""


def _decode(body: bytes) -> WebhookBody:
    try:
        content: object = parse_json(body.decode())
        if b'"client_event"' in body or b"\\u" in body:
            _make_data_text(content)
        return WebhookBody.from_parsed(content)
    except ResponseDecodeError as error:
        raise InvalidWebhookBodyError(f"the body is not a webhook: {error}") from None
    except (ValueError, RecursionError):
        raise InvalidWebhookBodyError("the body is not JSON in UTF-8") from None


def _make_data_text(content: object) -> None:
    """Turn the data of client events into text: other servers send what the client sent as JSON in the JSON."""
    events = content.get("events") if is_object(content) else None
    for event in events if is_list(events) else ():
        if (
            type(event) is JSON_OBJECT
            and event.get("name") == "client_event"
            and type(event.get("data", "")) is not str
        ):
            event["data"] = json.dumps(event["data"], ensure_ascii=False, separators=(",", ":"))


def _check_time(time_ms: int, max_age: float | None, now: float) -> datetime:
    try:
        time = _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        raise InvalidWebhookBodyError("the body is not a webhook: time_ms is out of range") from None
    if max_age is not None:
        age = now - time_ms / 1000
        if age > max_age:
            raise StaleWebhookError(f"the webhook is {age:.0f} seconds old: more than {max_age:g} are not accepted")
        if age < -MAX_AHEAD:
            raise StaleWebhookError(f"the webhook's time lies {-age:.0f} seconds ahead of the local clock")
    return time


def _decrypted(event: ClientEvent, keys: KeyRing) -> ClientEvent:
    if event.data is None or not is_encrypted(event.channel):
        return event
    try:
        return attrs.evolve(event, data=keys.decrypt(event.channel, event.data))
    except EncryptionError as error:
        return attrs.evolve(event, data=None, decryption_error=error)
