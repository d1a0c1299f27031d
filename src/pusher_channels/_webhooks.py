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
from pusher_channels_rest.reading import parse_json
from pusher_channels_rest.webhooks import WebhookEvent

MAX_AHEAD = 60
"""Seconds that a webhook's time may lie ahead of the local clock."""

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


def read_webhook(
    headers: object,
    body: object,
    *,
    tokens: Mapping[str, Secret],
    keys: KeyRing,
    max_age: float | None,
    now: float,
) -> Webhook:
    """Verify the webhook and read it. ``tokens`` are all accepted keys with their secrets, ``now`` is Unix time."""
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise InvalidArgumentError("body", "must be the raw request body, as bytes")
    content = bytes(cast("bytes", body))
    _verify(_header_items(headers), content, tokens)
    payload = _decode(content)
    time = _check_time(payload.time_ms, max_age, now)
    events = tuple(_decrypted(event, keys) for event in payload.events or ())
    return Webhook(time=time, time_ms=payload.time_ms, events=events)


def _header_items(headers: object) -> list[tuple[object, object]]:
    """Return the headers as pairs: frameworks have them as mappings or as something like one, with ``items()``."""
    try:
        items = cast("Mapping[object, object]", headers).items()
        return [(name, value) for name, value in items]
    except (AttributeError, TypeError, ValueError):
        raise InvalidArgumentError("headers", "must be a mapping of names to values") from None


def _verify(headers: list[tuple[object, object]], body: bytes, tokens: Mapping[str, Secret]) -> None:
    key, signature = _header(headers, "x-pusher-key"), _header(headers, "x-pusher-signature")
    secret = None if key is None else tokens.get(key)
    if secret is None:
        raise UnknownKeyError("the X-Pusher-Key header is missing, or names a key that is not accepted here")
    given = b"" if signature is None else signature.encode("utf-8", "surrogatepass")
    # In one expression: error trackers show the locals of the frames that an error passes.
    if not hmac.compare_digest(hmac.digest(secret.reveal().encode(), body, "sha256").hex().encode(), given):
        raise InvalidSignatureError("the X-Pusher-Signature header is not the signature of the body")


def _header(headers: list[tuple[object, object]], name: str) -> str | None:
    """Find a header whatever the case of its name. One that stands twice with different values counts as missing."""
    found = {value for key, value in headers if isinstance(key, str) and key.lower() == name and isinstance(value, str)}
    return found.pop() if len(found) == 1 else None


def _decode(body: bytes) -> WebhookBody:
    try:
        return WebhookBody.from_dict(_with_text_data(parse_json(body.decode())))
    except ResponseDecodeError as error:
        raise InvalidWebhookBodyError(f"the body is not a webhook: {error}") from None
    except (ValueError, RecursionError):
        raise InvalidWebhookBodyError("the body is not JSON in UTF-8") from None


def _with_text_data(content: object) -> object:
    """Turn the data of client events into text: other servers send what the client sent as JSON in the JSON."""
    if not is_object(content):
        return content
    events = content.get("events")
    if not is_list(events):
        return content
    return {**content, "events": [_event_with_text_data(event) for event in events]}


def _event_with_text_data(event: object) -> object:
    if is_object(event) and event.get("name") == "client_event" and not isinstance(event.get("data", ""), str):
        return {**event, "data": json.dumps(event["data"], ensure_ascii=False, separators=(",", ":"))}
    return event


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


def _decrypted(event: WebhookEvent, keys: KeyRing) -> WebhookEvent:
    if not isinstance(event, ClientEvent) or event.data is None:
        return event
    if not is_encrypted(event.channel):
        return attrs.evolve(event, raw_data=event.data)
    try:
        return attrs.evolve(event, raw_data=event.data, data=keys.decrypt(event.channel, event.data))
    except EncryptionError as error:
        return attrs.evolve(event, raw_data=event.data, data=None, decryption_error=error)
