"""Runners: what is accepted and what is refused, wherever the value can be given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlencode

from pusher_channels import (
    AuthenticationError,
    ConfigurationError,
    Event,
    InvalidArgumentError,
    TriggerResult,
)

from .differences import Difference
from .keys import OPTION
from .support import (
    MASTER_KEY,
    SOCKET_ID,
    Answer,
    Case,
    Session,
    Setup,
    as_int,
    as_list,
    as_text,
    compact,
    is_object,
    refused,
    texts,
)

# The rules, written down once more: a vector of another library is measured against these.
_CHANNEL = re.compile(r"(?:#server-to-user-[-a-zA-Z0-9_=@,.;]{1,200}|[-a-zA-Z0-9_=@,.;]{1,200})")
_USER_ID = re.compile(r"[-a-zA-Z0-9_=@,.;]{1,200}")
_SOCKET_ID = re.compile(r"[0-9]+\.[0-9]+")
_APP_ID = re.compile(r"[A-Za-z0-9._~-]+")


def validation(case: Case) -> None:
    """Dispatch on what the vector gives."""
    inputs = case.inputs
    case.ignores("error", "error_contains", "error_batch")
    field = inputs.optional_text("field")
    if field is not None:
        runner = _FIELDS.get(field)
        if runner is None:
            case.unknown()
        else:
            runner(case)
    elif "option" in inputs:
        _option(case, inputs.text("option"))
    elif "query" in inputs:
        _reserved_query(case)
    elif "server_time" in inputs:
        _server_clock(case)
    elif "call" in inputs:
        _authorize(case)
    elif "channels" in inputs:
        _encrypted_with_others(case)
    elif "master_key" in inputs:
        _encrypted_without_key(case)
    else:
        case.unknown()


def _value(case: Case) -> object:
    if "value_repeat" in case.inputs:
        text, count = as_list(case.inputs["value_repeat"])
        return as_text(text) * as_int(count)
    return case.inputs["value"]


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _allowed(case: Case, ours: bool, difference: Difference | None) -> bool:
    """Return whether we accept it; where the vector's library decides otherwise, there must be a reason."""
    if ours != case.expected["ok"]:
        assert difference is not None, f"no reason to {'accept' if ours else 'refuse'} this"
        case.differs(difference)
    return ours


def _check(
    case: Case, ok: bool, argument: str, value: object, method: str, *arguments: object, **options: object
) -> None:
    """Call it: a call that is refused sends nothing."""
    session = Session(Setup(case.twin, Answer(body='{"occupied":true}')), encryption_master_key_base64=MASTER_KEY)
    if ok:
        session.call(method, *arguments, **options)
        return
    with refused(InvalidArgumentError, argument, value):
        session.call(method, *arguments, **options)
    session.check_silent()


def _socket_id(case: Case) -> None:
    value = _value(case)
    ok = _allowed(case, _matches(_SOCKET_ID, value), None)
    _check(case, ok, "socket_id", value, "authorize_channel", value, "private-x")
    _check(case, ok, "socket_id", value, "authenticate_user", value, {"id": "1"})
    if isinstance(value, str):
        _check(case, ok, "socket_id", value, "authenticate_user_form", urlencode({"socket_id": value}), {"id": "1"})
    if value is not None:  # None publishes to everybody
        event = Event("channel", "event", "data", socket_id=value)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  any value
        _check(case, ok, "socket_id", value, "trigger", "channel", "event", "data", socket_id=value)
        _check(case, ok, "events[0].socket_id", value, "trigger_batch", [event])
        raw = {"name": "event", "data": "data", "channels": ["channel"]}
        _check(case, ok, "socket_id", value, "events.trigger", **raw, socket_id=value)


def _channel(case: Case) -> None:
    value = _value(case)
    long = isinstance(value, str) and 164 < len(value) <= 200
    ok = _allowed(case, _matches(_CHANNEL, value), Difference.CHANNEL_LENGTH if long else None)
    alone = "channels[0]" if isinstance(value, str) else "channels"
    _check(case, ok, alone, value, "trigger", value, "event", "data")
    if not str(value).startswith("private-encrypted-"):
        _check(case, ok, "channels[1]", value, "trigger", ["channel", value], "event", "data")
    event = Event(value, "event", "data")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  any value
    _check(case, ok, "events[0].channel", value, "trigger_batch", [event])
    of_user = isinstance(value, str) and value.startswith("#")
    for method in ("channels.get", "channels.users"):
        if method == "channels.get" or not ok:
            _check(case, ok and not of_user, "channel_name", value, method, value)
    if not ok:
        for prefix in ("", "private-", "presence-", "private-encrypted-"):
            name = prefix + value if isinstance(value, str) else value
            if not _matches(_CHANNEL, name):
                _check(case, False, "channel_name", value, "authorize_channel", SOCKET_ID, name)
    elif of_user:
        _check(case, False, "channel_name", value, "authorize_channel", SOCKET_ID, value)
    elif len(as_text(value)) < 180:
        _check(case, True, "channel_name", value, "authorize_channel", SOCKET_ID, f"private-{value}")


def _user_id(case: Case) -> None:
    value = _value(case)
    ours = _matches(_USER_ID, value)
    ok = _allowed(case, ours, Difference.USER_ID_LENGTH if ours else Difference.USER_ID_CHARACTERS)
    _check(case, ok, "user_id", value, "send_to_user", value, "event", "data")
    _check(case, ok, "user_id", value, "users.terminate_connections", value)
    _check(case, ok, "user.id", value, "authenticate_user", SOCKET_ID, {"id": value})
    _check(case, ok, "user.watchlist[1]", value, "authenticate_user", SOCKET_ID, {"id": "1", "watchlist": ["2", value]})


def _user_data(case: Case) -> None:
    user = _value(case)
    ours = is_object(user) and _matches(_USER_ID, user.get("id"))
    ok = _allowed(case, ours, Difference.USER_ID_CHARACTERS)
    argument = "user.id" if is_object(user) else "user"
    _check(case, ok, argument, user, "authenticate_user", SOCKET_ID, user)
    _check(case, ok, argument, user, "authenticate_user_form", urlencode({"socket_id": SOCKET_ID}), user)


def _auth_form_body(case: Case) -> None:
    """Either endpoint's form: that of channels has a channel name too."""
    body = as_text(_value(case))
    fields = {name: values[0] for name, values in parse_qs(body).items() if len(values) == 1}
    about_channel = "channel" in str(case.vector.expected.get("error", "")).lower() or "channel_name" in fields
    good_socket, channel = _matches(_SOCKET_ID, fields.get("socket_id")), fields.get("channel_name")
    if about_channel:
        method = "authorize_channel_form"
        user = {"user_id": "1"} if channel is not None and channel.startswith("presence-") else None
        good_channel = channel is not None and channel.startswith(("private-", "presence-"))
    else:
        method, user, good_channel = "authenticate_user_form", {"id": "1"}, True
    ok = _allowed(case, good_socket and good_channel, None if good_socket and good_channel else Difference.FORM_VALUES)
    # Both fields have to be there before either is looked at.
    incomplete = about_channel and "socket_id" in fields and channel is None
    broken = "channel_name" if incomplete or good_socket else "socket_id"
    _check(case, ok, broken, body, method, body, user)
    _check(case, ok, broken, body, method, body.encode("ascii", "ignore"), user)
    if case.expected["ok"] is True and not good_socket:
        _check(case, good_channel, "channel_name", body, method, urlencode(fields | {"socket_id": SOCKET_ID}), user)


def _channels(case: Case) -> None:
    count = as_int(case.inputs["count"])
    ok = _allowed(case, 1 <= count <= 100, Difference.HUNDRED_CHANNELS)
    _check(case, ok, "channels", None, "trigger", [f"channel-{index}" for index in range(count)], "event", "data")


def _batch(case: Case) -> None:
    count = as_int(case.inputs["count"])
    ok = _allowed(case, 1 <= count <= 10, Difference.TEN_EVENTS)
    events = [Event("channel", "event", "data")] * count
    _check(case, ok, "events", None, "trigger_batch", events)
    _check(case, ok, "events", None, "trigger_batch", iter(events))
    Session(case.twin, max_batch_events=max(count, 1)).call("trigger_batch", events or [Event("c", "e", "d")])


def _event(case: Case) -> None:
    value = _value(case)
    ok = _allowed(case, isinstance(value, str) and 1 <= len(value) <= 200, None)
    _check(case, ok, "event_name", value, "trigger", "channel", value, "data")
    _check(case, ok, "event_name", value, "send_to_user", "user", value, "data")
    event = Event("channel", value, "data")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  any value
    _check(case, ok, "events[0].name", value, "trigger_batch", [event])
    _check(case, ok, "name", value, "events.trigger", name=value, data="data", channels=["channel"])


def _data(case: Case) -> None:
    """The limit counts the UTF-8 bytes as sent, after encryption, in a batch for each event."""
    value = _value(case)
    size = len((value if isinstance(value, str) else compact(value)).encode())
    ok = _allowed(case, size <= 10240, Difference.DATA_BYTES)
    _check(case, ok, "data", value, "trigger", "channel", "event", value)
    _check(case, ok, "data", value, "send_to_user", "user", "event", value)
    _check(case, ok, "events[1].data", value, "trigger_batch", [Event("c", "e", "d"), Event("c", "e", value)])
    sealed_size = len(compact({"nonce": "n" * 32, "ciphertext": "c" * (4 * -(-(size + 16) // 3))}))
    session = Session(case.twin, encryption_master_key_base64=MASTER_KEY)
    if sealed_size <= 10240:
        session.call("trigger", "private-encrypted-x", "event", value)
        assert len(as_text(session.sent().json["data"])) == sealed_size
    else:
        with refused(InvalidArgumentError, "data", value):
            session.call("trigger", "private-encrypted-x", "event", value)
    with_limit = Session(case.twin, max_data_bytes=max(size, 1))
    with_limit.call("trigger", "channel", "event", value)


def _host(case: Case) -> None:
    value = _value(case)
    assert case.expected["ok"] is ("://" not in as_text(value))
    for option in ("host", "push_notification_host"):
        if case.expected["ok"]:
            Session(case.twin, **{option: value})
        else:
            with refused(ConfigurationError, option, value):
                Session(case.twin, **{option: value})


def _option(case: Case, option: str) -> None:
    value = case.inputs["value"]
    difference = None
    ours = {
        "app_id": _matches(_APP_ID, value),
        "ssl": isinstance(value, bool),
        "port": isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535,
        "timeout": isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0,
    }.get(option, isinstance(value, str) and bool(value))
    if option == "host":
        ours = ours and "://" not in as_text(value)
    if option == "app_id" and ours:
        difference = Difference.APP_ID_NAMES
    ok = _allowed(case, ours, difference)
    arguments = {"app_id": "3", "key": "k", "secret": "s"}
    options = {**arguments, option: value}
    credentials = [options.pop(name) for name in arguments]
    if not ok:
        with refused(ConfigurationError, option, value):
            Session(case.twin, *credentials, **options)
        return
    session = Session(case.twin, *credentials, **options)
    assert isinstance(session.call("trigger", "channel", "event", "data"), TriggerResult)
    sent = session.sent(str(credentials[1]), str(credentials[2]))
    if option == "timeout":
        assert is_object(sent.timeout)
        assert set(sent.timeout.values()) == {value}


def _reserved_query(case: Case) -> None:
    query = case.inputs["query"]
    assert is_object(query)
    (name,) = query
    session = Session(case.twin)
    with refused(InvalidArgumentError, f"query[{name!r}]", list(query.values())):
        session.call("request", case.inputs["method"], case.inputs["path"], query=query)
    session.check_silent()


def _server_clock(case: Case) -> None:
    """The server's rule, not ours: what we make of its answer is an error with its text."""
    age = as_int(case.inputs["server_time"]) - int(case.inputs.text("auth_timestamp"))
    accepted = abs(age) < as_int(case.inputs["grace"])
    assert case.expected["accepted"] is accepted
    if accepted:
        assert isinstance(Session(case.twin).call("trigger", "channel", "event", "data"), TriggerResult)
        return
    text = case.expected.text("error")
    with refused(AuthenticationError, None) as caught:
        Session(Setup(case.twin, Answer(401, text))).call("trigger", "channel", "event", "data")
    assert isinstance(caught.value, AuthenticationError)
    assert caught.value.body == text


def _authorize(case: Case) -> None:
    call, channel = case.inputs.text("call"), case.inputs.text("channel")
    user = case.inputs.get("user_data", case.inputs.get("custom_data"))
    if "presence" in call:
        user = user or {"user_id": "1"}
    presence = channel.startswith("presence-")
    ours = (presence and user is not None) or (channel.startswith("private-") and user is None)
    ok = _allowed(case, ours, None)
    argument = "user" if channel.startswith(("private-", "presence-")) else "channel_name"
    _check(case, ok, argument, channel, "authorize_channel", SOCKET_ID, channel, user)


def _encrypted_with_others(case: Case) -> None:
    channels = texts(case.inputs["channels"])
    ours = len(channels) == 1 or not any(channel.startswith("private-encrypted-") for channel in channels)
    ok = _allowed(case, ours, Difference.ENCRYPTED_ALONE)
    for order in (channels, channels[::-1]):
        _check(case, ok, "channels", channels, "trigger", order, "event", "data")


def _encrypted_without_key(case: Case) -> None:
    assert case.expected["ok"] is False
    assert case.inputs["master_key"] is None
    channel = case.inputs.text("channel")
    session = Session(case.twin)
    with refused(ConfigurationError, OPTION, channel):
        session.call("trigger", channel, "event", "data")
    with refused(ConfigurationError, OPTION, channel):
        session.call("trigger_batch", [Event("channel", "event", "data"), Event(channel, "event", "data")])
    with refused(ConfigurationError, OPTION, channel):
        session.call("authorize_channel", SOCKET_ID, channel)
    session.check_silent()


_FIELDS: Mapping[str, Callable[[Case], None]] = {
    "socket_id": _socket_id,
    "channel": _channel,
    "user_id": _user_id,
    "user_data": _user_data,
    "auth_form_body": _auth_form_body,
    "channels": _channels,
    "batch": _batch,
    "events": _batch,
    "event": _event,
    "data": _data,
    "host": _host,
}
