"""Runners: what the server answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import httpx

from pusher_channels import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    Event,
    InvalidArgumentError,
    NotFoundError,
    NotifyResult,
    PayloadTooLargeError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TriggerResult,
)

from .differences import Difference
from .loopback import closed_port
from .support import (
    KEY,
    SECRET,
    Answer,
    Case,
    Session,
    Setup,
    Twin,
    as_int,
    as_object,
    as_text,
    check_hides,
    is_list,
    is_object,
    parsed,
    refused,
)

_ERRORS: Mapping[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: PayloadTooLargeError,
    429: RateLimitError,
}
_TRIGGER = ("channel", "event", "data")


@runtime_checkable
class _Result(Protocol):
    def to_dict(self) -> dict[str, object]: ...


def response_parse(case: Case) -> None:
    """Success bodies as typed results."""
    body = as_object(parsed(case.inputs.text("body")))
    method, arguments = _operation(case.inputs.optional_text("endpoint"), body)
    result = Session(Setup(case.twin, Answer(body=case.inputs.text("body")))).call(method, *arguments)
    assert isinstance(result, _Result)
    assert result.to_dict() == body
    assert _without_defaults(case, dict(case.expected), body) == body
    for name, value in body.items():
        if not is_object(value) and not is_list(value):
            assert getattr(result, name) == value


def _operation(endpoint: str | None, body: dict[str, object]) -> tuple[str, tuple[object, ...]]:
    """Return the method for an endpoint, or for what its answer looks like."""
    if endpoint is None:
        shapes = {
            "users": "/channels/x/users",
            "channels": "/channels",
            "occupied": "/channels/x",
            "batch": "/batch_events",
        }
        endpoint = next((path for name, path in shapes.items() if name in body), "/events")
    path = endpoint.rpartition(" ")[2]
    if path.endswith("/batch_events"):
        return "trigger_batch", ([Event("channel", "event", "data")],)
    if path.endswith("/events"):
        return "trigger", _TRIGGER
    if path.endswith("/users"):
        return "channels.users", ("presence-x",)
    return ("channels.list", ()) if path.endswith("/channels") else ("channels.get", ("x",))


def _without_defaults(case: Case, wanted: object, body: object) -> object:
    """Take out of another library's result the fields that were not in the answer: ours leaves them None."""
    if is_object(wanted) and is_object(body):
        for name in wanted.keys() - body.keys():
            if wanted[name] is not None:
                case.differs(Difference.ABSENT_IS_NONE)
                assert not wanted[name]
        return {name: _without_defaults(case, wanted[name], body[name]) for name in wanted if name in body}
    if is_list(wanted) and is_list(body):
        return [_without_defaults(case, item, found) for item, found in zip(wanted, body, strict=True)]
    return wanted


def http_error(case: Case) -> None:
    """Statuses and broken connections as typed errors, whatever the body is."""
    inputs = case.inputs
    if "fault" in inputs:
        _check_fault(case)
        return
    text = case.expected.optional_text("error")
    if "status" in inputs:
        body = inputs.text("body", inputs.text("response_body", ""))
        status = as_int(inputs["status"])
    else:
        # A request that the server finds badly signed: ours is not, so here the server says so all the same.
        assert text is not None
        dict(inputs)
        body = text
        status = 400 if text.startswith("Unknown auth_key") else 401
    case.ignores("error", "message", "status_enum")
    assert case.expected.get("status", status) == status
    assert case.expected.get("body", body) == body
    if case.inputs.get("call") == "terminateUserConnections":
        check_status(case.twin, status, body, "users.terminate_connections", "user")
    else:
        check_status(case.twin, status, body)
    if "message" in case.expected:
        assert body in case.expected.text("message") or str(status) in case.expected.text("message")


def check_status(twin: Twin, status: int, body: str, method: str = "trigger", *arguments: object) -> None:
    """Send something, get this answer: a result for any 2xx, else the error of the status with all that was sent."""
    success = 200 <= status < 300
    session = Session(Setup(twin, Answer(status, body or "{}" if success else body)))
    arguments = arguments or _TRIGGER
    if success:
        assert isinstance(session.call(method, *arguments), TriggerResult)
        return
    kind = _ERRORS.get(status, ServerError if status >= 500 else APIStatusError)
    with refused(kind, None) as caught:
        session.call(method, *arguments)
    error = caught.value
    assert isinstance(error, APIStatusError)
    assert error.status_code == status
    assert error.body == body
    assert str(status) in str(error)
    assert body.strip()[:500] in str(error)
    assert error.request.url
    assert error.request.method == "POST"
    assert error.request.url.startswith("https://api-mt1.pusher.com/apps/3/")
    check_leaks_nothing(error)


def check_leaks_nothing(error: BaseException) -> None:
    """Neither the secret nor a signature is in the error or in what it came from."""
    check_hides(error, SECRET, KEY)
    shown: BaseException | None = error
    while shown is not None:
        for text in (str(shown), repr(shown), repr(vars(shown))):
            assert "auth_signature=" not in text
            assert not re.search(r"[0-9a-f]{64}", text)
        shown = shown.__cause__ or shown.__context__


def _check_fault(case: Case) -> None:
    fault = case.inputs.text("fault")
    case.ignores("error", "status_enum")
    if "refused" in fault:
        check_refused_connection(case.twin)
    elif "time" in fault:
        session = Session(Setup(case.twin, Answer(error=httpx.ReadTimeout)))
        with refused(APITimeoutError, None) as caught:
            session.call("trigger", *_TRIGGER)
        check_leaks_nothing(caught.value)
    else:
        session = Session(Setup(case.twin, Answer(error=httpx.ConnectError)))
        with refused(APIConnectionError, None) as caught:
            session.call("trigger", *_TRIGGER)
        check_leaks_nothing(caught.value)


def check_refused_connection(twin: Twin) -> None:
    """A real connection that is refused is an error of ours, without credentials."""
    with closed_port() as port:
        session = Session(Setup(twin, network=True), host="127.0.0.1", port=port, ssl=False)
        with refused(APIConnectionError, None) as caught:
            session.call_and_close("trigger", *_TRIGGER)
    error = caught.value
    assert isinstance(error, APIConnectionError)
    assert error.__cause__ is not None
    assert error.request.url
    assert error.request.url == f"http://127.0.0.1:{port}/apps/3/events"
    check_leaks_nothing(error)


def notify(case: Case) -> None:
    """The legacy push notifications, on a server that still has them."""
    inputs, expected = case.inputs, case.expected
    case.ignores("error")
    host = inputs.get("push_notification_host", "push.example.org")
    payloads = {name: inputs[name] for name in ("apns", "gcm", "fcm") if name in inputs}
    interests, webhook_url = inputs.get("interests", ["interest"]), inputs.get("webhook_url")
    status, body = as_int(inputs.get("status", 200)), inputs.text("body", "")
    session = Session(
        Setup(case.twin, Answer(status, body or "{}" if status < 300 else body)), push_notification_host=host
    )

    opaque = [name for name, payload in payloads.items() if not is_object(payload)]
    if opaque and expected.get("ok") is not False:
        case.differs(Difference.PUSH_PAYLOAD)
        with refused(InvalidArgumentError, opaque[0]):
            session.call("notify", interests, **payloads)
    payloads = {name: payload if is_object(payload) else {"data": payload} for name, payload in payloads.items()}
    if "interests" not in inputs:
        payloads = {"gcm": {"data": "hello"}}
    if webhook_url is not None and not as_text(webhook_url).startswith(("http://", "https://")):
        if expected.get("ok") is not False:
            case.differs(Difference.PUSH_WEBHOOK_URL)
        with refused(InvalidArgumentError, "webhook_url", webhook_url):
            session.call("notify", ["interest"], gcm={}, webhook_url=webhook_url)
        webhook_url = None

    def send() -> object:
        return session.call("notify", interests, webhook_url=webhook_url, **payloads)

    if host is None:
        assert expected["ok"] is False
        with refused(ConfigurationError, "push_notification_host"):
            send()
    elif expected.get("ok") is False:
        assert is_list(interests)
        with refused(InvalidArgumentError, "apns" if 1 <= len(interests) <= 10 else "interests", interests):
            send()
    elif status >= 400:
        with refused(_ERRORS.get(status, ServerError), None) as caught:
            send()
        check_leaks_nothing(caught.value)
        return
    else:
        result = send()
        assert isinstance(result, NotifyResult)
        assert result.number_of_subscribers == expected.get("number_of_subscribers")
        sent = session.sent()
        assert sent.base_url == f"https://{host}"
        assert sent.path == "/server_api/v1/apps/3/notifications"
        wanted = {"interests": interests, "webhook_url": webhook_url, **payloads}
        assert sent.json == {name: value for name, value in wanted.items() if value is not None}
    session.check_silent()
