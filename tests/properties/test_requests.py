"""Whatever a caller passes: a documented error before anything is sent, or a request within the limits."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
from hypothesis import given as for_all

from pusher_channels import ConfigurationError, EncryptionError, Event, InvalidArgumentError, Pusher
from pusher_channels._builder import RequestBuilder
from pusher_channels._encryption import KeyRing, refuse_plaintext
from pusher_channels.signing import RESERVED_QUERY_KEYS
from pusher_channels_rest.codec import Request
from pusher_channels_rest.limits import DEFAULT_LIMITS
from pusher_channels_rest.operations import channels, events, users
from tests.properties.making import PURE, Choices, is_json, made
from tests.properties.things import same, thing
from tests.unit.support import APP_ID, KEY, MASTER_KEY, OTHER_MASTER_KEY, SECRET

BUILDER = RequestBuilder(APP_ID, DEFAULT_LIMITS, KeyRing([MASTER_KEY, OTHER_MASTER_KEY]), None)
WITHOUT_KEY = RequestBuilder(APP_ID, DEFAULT_LIMITS, KeyRing(None), None)
PATH = re.compile(r"/(server_api/v1/)?apps/3(/(?!\.{1,2}(/|\Z))[-A-Za-z0-9_=@,.;:]+)+", re.ASCII)
CHANNEL = re.compile(
    r"(?=.{1,200}\Z)(?!\.{1,2}\Z)[-a-zA-Z0-9_=@,.;]+|#server-to-user-[-a-zA-Z0-9_=@,.;]{1,200}", re.ASCII
)


# Arguments of any kind

Builds = Callable[..., Request[Any]]

EVENTS = [Event("a", "e", "d"), Event("private-encrypted-a", "e", {"a": 1}, socket_id="1.1", info="user_count")]
# What can be built, with good arguments.
VERBS: dict[str, tuple[Callable[[RequestBuilder], Builds], dict[str, Any]]] = {
    "trigger": (
        lambda builder: builder.trigger,
        {"channels": ["a", "presence-a"], "event_name": "e", "data": {"a": 1}, "socket_id": "1.1", "info": ()},
    ),
    "trigger_batch": (lambda builder: builder.trigger_batch, {"events": EVENTS}),
    "send_to_user": (lambda builder: builder.send_to_user, {"user_id": "7", "event_name": "e", "data": [1]}),
    "notify": (
        lambda builder: builder.notify,
        {"interests": ["a"], "apns": {"aps": {}}, "gcm": None, "fcm": {"a": [1]}, "webhook_url": "http://a.example/"},
    ),
}
OPERATIONS: list[tuple[Builds, dict[str, Any]]] = [
    (events.trigger_request, {"name": "e", "data": "d", "channels": ["a"], "channel": None, "info": ()}),
    (channels.list_request, {"filter_by_prefix": "presence-", "info": "user_count"}),
    (channels.get_request, {"channel_name": "a@=,;", "info": ["subscription_count", "cache"]}),
    (channels.users_request, {"channel_name": "presence-a"}),
    (channels.stats_request, {"channel_name": "presence-a"}),
    (channels.trigger_event_request, {"channel_name": "a", "name": "e", "body": "d", "socket_id": "1.1"}),
    (users.terminate_connections_request, {"user_id": "7"}),
]


def spoil(choices: Choices, arguments: dict[str, Any]) -> dict[str, Any]:
    """Change some of the arguments."""
    for _ in range(choices.number(3)):
        name = choices.pick(list(arguments))
        value = arguments[name]
        if name == "events" and choices.number(4):
            value = [_spoiled_event(choices, choices.pick(EVENTS)) for _ in range(choices.number(5))]
        elif choices.once_in(2) and not isinstance(value, (list, dict)):
            value = choices.text()
        elif choices.once_in(2) and name != "events":
            value = choices.near(value)
        else:
            value = thing(choices)
        arguments = {**arguments, name: value}
    return arguments


def _spoiled_event(choices: Choices, event: Event) -> Any:
    if choices.once_in(12):
        return thing(choices)
    fields: dict[str, Any] = {name: getattr(event, name) for name in ("channel", "name", "data", "socket_id", "info")}
    spoiled = spoil(choices, fields)
    return Event(spoiled.pop("channel"), spoiled.pop("name"), spoiled.pop("data"), **spoiled)


def twice(make: Callable[[Choices], Any]) -> Callable[[Choices], tuple[Any, Any]]:
    """Make the same twice, to see that one is not changed."""

    def make_both(choices: Choices) -> tuple[Any, Any]:
        one, other = choices.twins()
        return make(one), make(other)

    return make_both


def make_verb(choices: Choices) -> tuple[str, dict[str, Any]]:
    name = choices.pick(list(VERBS))
    return name, spoil(choices, VERBS[name][1])


def make_operation(choices: Choices) -> tuple[Builds, dict[str, Any]]:
    build, arguments = choices.pick(OPERATIONS)
    return build, spoil(choices, arguments)


def check(request: Request[Any]) -> None:
    """Check that a request is within the limits."""
    assert PATH.fullmatch(request.path)
    for name, value in request.query:
        assert name in ("filter_by_prefix", "info", "name", "socket_id")
        value.encode()
    if request.body is None:
        return
    if request.operation.id == "channels/trigger_event":
        assert len(request.body.decode().encode()) <= 10_240
        return
    body = json.loads(request.body.decode())
    assert is_json(body)
    for event in body.get("batch", [body] if "data" in body else []):
        assert 1 <= len(event["name"]) <= 200
        assert len(event["data"].encode()) <= 10_240
        named = event.get("channels") or [event["channel"]]
        assert 1 <= len(named) <= 100
        assert all(CHANNEL.fullmatch(name) for name in named)
        assert re.fullmatch(r"[0-9]+\.[0-9]+", event.get("socket_id", "1.1"), re.ASCII)
        assert set(event.get("info", "user_count").split(",")) <= {"user_count", "subscription_count"}
        assert event.keys() <= {"name", "data", "channel", "channels", "socket_id", "info"}
    assert len(body.get("batch", [])) <= 10


@PURE
@for_all(both=made(twice(make_verb), 60))
def test_verbs_with_arguments_of_any_kind(both: tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]) -> None:
    (name, arguments), unchanged = both
    build = VERBS[name][0]
    try:
        request = build(BUILDER)(**arguments)
    except InvalidArgumentError as error:
        assert re.split(r"[\[. ]", error.argument)[0] in (*arguments, "body")
    else:
        check(request)
        try:
            refuse_plaintext(request.path, request.query, request.body)
        except EncryptionError:
            # A name that has the prefix within it is none of an encrypted channel, and still too near to one.
            assert request.body is not None
            assert re.search(rb'[^"]private-encrypted-', request.body)
    assert same((name, arguments), unchanged)
    try:
        build(WITHOUT_KEY)(**arguments)
    except ConfigurationError as error:
        assert error.option == "encryption_master_key_base64"
    except InvalidArgumentError:
        pass


@PURE
@for_all(call=made(make_operation))
def test_operations_with_arguments_of_any_kind(call: tuple[Builds, dict[str, Any]]) -> None:
    build, arguments = call
    try:
        request = build(APP_ID, **arguments)
    except InvalidArgumentError:
        return
    check(request)
    try:
        refuse_plaintext(request.path, request.query, request.body)
    except EncryptionError:
        assert "private-encrypted-" in request.path + (request.body or b"").decode()


# Any signed call

SENT: list[httpx.URL] = []


def answer(request: httpx.Request) -> httpx.Response:
    SENT.append(request.url)
    return httpx.Response(200, content=b"{}")


PUSHER = Pusher(APP_ID, KEY, SECRET, http_client=httpx.Client(transport=httpx.MockTransport(answer)))
SEGMENTS = [
    *("channels", "events", "apps", "server_api", "3", ".", "..", "", "%2e", "%2E%2e;a", "..;", "%252e", "a%2F.."),
    *("a\\..", "%5c..", "a@=,;:!$&'()*+"),
]


def make_raw(choices: Choices) -> tuple[Any, Any, Any, Any]:
    method: Any = choices.pick(["GET", "POST", "post", "PUT", "DELETE", "HEAD", "CONNECT", "G T", ""])
    segments = [choices.pick([*SEGMENTS, choices.text()]) for _ in range(choices.number(5))]
    path: Any = "".join(f"/{segment}" for segment in segments)
    query: Any = {choices.text(): choices.text() for _ in range(choices.number(3))}
    body: Any = choices.pick([None, {"a": [1]}, choices.json(), choices.json_bytes(choices.json()), choices.text()])
    arguments = [method, path, choices.pick([query, query, None]), body]
    if choices.once_in(4):
        arguments[choices.number(4)] = thing(choices)
    return arguments[0], arguments[1], arguments[2], arguments[3]


@PURE
@for_all(call=made(make_raw, 60))
def test_any_signed_call(call: tuple[Any, Any, Any, Any]) -> None:
    method, path, query, body = call
    SENT.clear()
    try:
        PUSHER.request(method, path, query=query, body=body)
    except InvalidArgumentError as error:
        assert error.argument.partition("[")[0] in ("method", "path", "query", "body")
    except EncryptionError:
        assert "private-encrypted-" in f"{unquote(path)}{query}{body}"
    else:
        (url,) = SENT
        sent, _, signed = url.raw_path.decode("ascii").partition("?")
        assert sent in (path, f"/apps/3{path}")
        assert not {".", ".."} & set(re.split(r"[/;\\]", unquote(sent)))
        # As a server reads it.
        given = dict(parse_qsl(signed, keep_blank_values=True, strict_parsing=True, errors="strict"))
        assert {name: value for name, value in given.items() if name not in RESERVED_QUERY_KEYS} == (query or {})
        return
    assert not SENT
