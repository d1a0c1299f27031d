"""Runners: webhooks."""

from __future__ import annotations

import json
from datetime import datetime

import pusher_channels
from pusher_channels import (
    InvalidSignatureError,
    InvalidWebhookBodyError,
    StaleWebhookError,
    UnknownEvent,
    UnknownKeyError,
    Webhook,
)

from .differences import Difference
from .support import (
    KEY,
    SECRET,
    Case,
    Session,
    as_int,
    as_list,
    as_object,
    as_text,
    check_hides,
    compact,
    is_list,
    is_object,
    parsed,
    refused,
    webhook_headers,
)

_TIME_MS = 1_700_000_000_000


def webhook(case: Case) -> None:
    """Signed by the vector or by us: signature, window, body, events."""
    if "event" in case.inputs or "time_ms" in case.inputs:
        _single(case)
    elif "valid" in case.expected:
        _signed(case)
    else:
        _unsigned(case)


def _receive(case: Case, headers: object, body: bytes, **options: object) -> Webhook:
    """Receive it with the vector's key and secret, at any time unless the vector has one."""
    key, secret = _credentials(case)
    options.setdefault("max_age", None)
    result = Session(case.twin, "3", key, secret).call("webhook", headers, body, **options)
    assert isinstance(result, Webhook)
    assert int(result.time.timestamp() * 1000) == result.time_ms
    assert str(result.time.tzinfo) == "UTC"
    return result


def _credentials(case: Case) -> tuple[str, str]:
    # Where the vector's library does not look at the key, its headers decide.
    key = case.inputs.optional_text("key") or _headers(case).get("x-pusher-key") or KEY
    return key, case.inputs.optional_text("secret") or SECRET


def _headers(case: Case) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in as_object(case.inputs.get("headers", {})).items():
        if is_list(value):
            value = ", ".join(map(as_text, value))
        if value is not None:
            found[name.lower()] = as_text(value)
    return found


def _body_is_webhook(body: str) -> bool:
    try:
        value = parsed(body)
    except json.JSONDecodeError:
        return False
    return is_object(value) and type(value.get("time_ms")) is int


def _signed(case: Case) -> None:
    key, secret = _credentials(case)
    headers, body = _headers(case), case.inputs.text("body")
    valid = case.expected["valid"]
    extra = case.inputs.get("extra_tokens", [])
    listed = map(as_object, extra if is_list(extra) else [extra])
    tokens = {as_text(token["key"]): as_text(token["secret"]) for token in listed}
    accepted = {**tokens, key: secret}
    given_key, signature = headers.get("x-pusher-key"), headers.get("x-pusher-signature")
    if given_key is None:
        with refused(UnknownKeyError, None, secret):
            _receive(case, headers, body.encode(), tokens=tokens)
        given_key = headers["x-pusher-key"] = key
    if given_key not in accepted:
        assert valid is False
        with refused(UnknownKeyError, None, secret, given_key):
            _receive(case, headers, body.encode(), tokens=tokens)
        return
    right = webhook_headers(body.encode(), secret=accepted[given_key])["X-Pusher-Signature"]
    if signature != right:
        assert valid is False
        hostile = {
            "X-PUSHER-KEY": given_key,
            "X-Pusher-Signature": signature,
        }  # None stays in, as a broken proxy has it
        for attempt in (headers, hostile):
            with refused(InvalidSignatureError, None, secret, signature, right):
                _receive(case, attempt, body.encode(), tokens=tokens)
        return
    if not _body_is_webhook(body):
        if valid is True:
            case.differs(Difference.WEBHOOK_BODY)
        with refused(InvalidWebhookBodyError, None, secret, body):
            _receive(case, headers, body.encode(), tokens=tokens)
        return
    if "now" in case.inputs:
        _check_window(case, headers, body)
        return
    assert valid is True
    received = _receive(case, headers, body.encode(), tokens=tokens)
    _check_events(received, as_object(parsed(body)))
    assert case.expected.get("returns", parsed(body)) == parsed(body)
    if "events" in case.expected:
        assert [event.to_dict() for event in received.events] == case.expected["events"]
    for name in ("X-PUSHER-KEY", "x-pusher-key"):
        other_case = {name: given_key, "X-pusher-SIGNATURE": signature}
        assert _receive(case, other_case, body.encode(), tokens=tokens) == received
    with refused(InvalidSignatureError, None, secret, signature):
        _receive(case, headers, body.encode() + b"\n", tokens=tokens)


def _check_window(case: Case, headers: dict[str, str], body: str) -> None:
    now, time_ms = as_int(case.inputs["now"]), as_int(as_object(parsed(body))["time_ms"])
    age = now - time_ms // 1000
    ours = _is_accepted(case, headers, body, age)
    assert ours is (-60 <= age <= 900)
    if ours is not case.expected["valid"]:
        case.differs(Difference.WEBHOOK_WINDOW)
        case.ignores("returns")
    else:
        wanted = parsed(body) if ours else None
        assert case.expected.get("returns", wanted) == wanted
    # Both ends of our window, and one that the caller makes narrower.
    assert [_is_accepted(case, headers, body, seconds) for seconds in (901, 900, -60, -61)] == [
        False,
        True,
        True,
        False,
    ]
    assert [_is_accepted(case, headers, body, seconds, max_age=5) for seconds in (6, 5)] == [False, True]
    assert _is_accepted(case, headers, body, 10**9, max_age=None)


def _is_accepted(case: Case, headers: dict[str, str], body: str, age: int, **options: object) -> bool:
    """Receive the webhook when it is that old by our clock."""
    time_ms = as_int(as_object(parsed(body))["time_ms"])
    key, secret = _credentials(case)
    session = Session(case.twin, "3", key, secret)
    with case.monkeypatch.context() as patches:
        patches.setattr("time.time", lambda: time_ms / 1000 + age)
        try:
            received = session.call("webhook", headers, body.encode(), **options)
        except StaleWebhookError as error:
            check_hides(error, secret, body)
            return False
    assert isinstance(received, Webhook)
    return received.time_ms == time_ms


def _unsigned(case: Case) -> None:
    """The vector says what is in the body, or how it is judged: the signature is ours."""
    body, expected = case.inputs.text("body"), case.expected
    key, secret = _credentials(case)
    content_type = _headers(case).get("content-type")
    headers = webhook_headers(body.encode(), key=key, secret=secret)
    if content_type is not None:
        headers["content-type"] = content_type
    if expected.get("content_type_valid") is False:
        case.differs(Difference.CONTENT_TYPE)
        good = compact({"time_ms": _TIME_MS, "events": []}).encode()
        odd = {**webhook_headers(good, key=key, secret=secret), "content-type": as_text(content_type)}
        assert _receive(case, odd, good).events == ()
    if not _body_is_webhook(body):
        if expected.get("body_valid", True) is not False:
            case.differs(Difference.WEBHOOK_BODY)
        with refused(InvalidWebhookBodyError, None, secret, body):
            _receive(case, headers, body.encode())
        return
    received = _receive(case, headers, body.encode())
    _check_events(received, as_object(parsed(body)))
    assert expected.get("body_valid", True) is True
    if "time_utc" in expected:
        assert received.time == datetime.fromisoformat(expected.text("time_utc"))
    if "events" in expected:
        assert [event.to_dict() for event in received.events] == as_list(expected["events"])


def _single(case: Case) -> None:
    """One event, or one time, in a body of ours."""
    time_ms = case.inputs.get("time_ms", _TIME_MS)
    event = case.inputs.get("event")
    payload: dict[str, object] = {"time_ms": time_ms, "events": [] if event is None else [event]}
    body = compact(payload).encode()
    received = _receive(case, webhook_headers(body), body)
    _check_events(received, payload)
    if "type" in case.expected:
        assert received.events[0].name == case.expected["type"]
    if "created_at_unix" in case.expected:
        assert received.time.timestamp() == case.expected["created_at_unix"]


def _check_events(received: Webhook, payload: dict[str, object]) -> None:
    """Each event has the class of its name, and says what was sent."""
    assert received.time_ms == payload["time_ms"]
    sent = list(map(as_object, as_list(payload.get("events", []))))
    assert [event.to_dict() for event in received.events] == sent
    for event, fields in zip(received.events, sent, strict=True):
        name = as_text(fields["name"])
        known: object = getattr(pusher_channels, name.title().replace("_", ""), UnknownEvent)
        assert type(event) is known
        for field, value in fields.items():
            if not isinstance(event, UnknownEvent):
                assert getattr(event, field) == value
