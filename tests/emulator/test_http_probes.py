"""The raw requests that other servers were measured with, each with the answer of the hosted service.

Where the service's own answer is on record it is that, text and all; else what its published verifier and its
documentation say. Nothing of the SDK takes part: requests are signed with the stdlib.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping

import attrs
import pytest

from pusher_channels.emulator import AppConfig, Emulator
from tests.emulator.signed_http import Http, refusal

APP = AppConfig()
SECOND = AppConfig(app_id="2", key="second-key", secret="second-secret")
DISABLED = AppConfig(app_id="3", key="disabled-key", secret="disabled-secret", enabled=False)
WRONG_SECRET = attrs.evolve(APP, secret="wrong")

EVENT: Mapping[str, object] = {"name": "my-event", "channel": "my-channel", "data": "{}"}
MD5_OF_NOTHING = hashlib.md5(b"").hexdigest()
TERMINATE = "/users/user-1/terminate_connections"

NAME = "Expected name parameter to be a string"
SIGNATURE = "Invalid signature: you should have sent HmacSHA256Hex("
EXPIRED = "Timestamp expired: Given timestamp ("
MISSING_CHANNEL = "Missing required parameter: channel"
BAD_CHANNEL = "Invalid channel name"
TOO_LARGE = "The data content of this event exceeds the allowed maximum (10240 bytes). See https://"
INFO = "info should be a comma separated list of attributes"
RESERVED = "The 'pusher' namespace is reserved for internal usage"
NO_USER_COUNT = "Cannot retrieve the user count unless the channel is a presence channel"
USER_COUNT_PREFIX = "user_count may only be requested for presence channels"
USERS = "Users can only be retrieved for presence channels"
NOT_FOUND = "404 NOT FOUND"
OTHER_APP = "Token validated, but invalid for app undefined"


@attrs.frozen
class Probe:
    """A row of the table: a request, the status that answers it and how the text of an error begins."""

    name: str
    status: int
    text: str = ""
    method: str = "POST"
    path: str = "/events"
    body: object = None
    content: bytes | None = None
    query: Mapping[str, str] = attrs.field(factory=dict[str, str])
    signing: Mapping[str, str | None] = attrs.field(factory=dict[str, str | None])
    clock: int = 0
    signed_path: str | None = None
    escape: bool = True
    headers: Mapping[str, str] | None = None
    app: AppConfig = APP


def event(**changes: object) -> dict[str, object]:
    """Return the body of a trigger, changed. None takes a field out."""
    return {name: value for name, value in {**EVENT, **changes}.items() if value is not None}


def trigger(name: str, status: int, text: str = "", /, **changes: object) -> Probe:
    return Probe(f"events: {name}", status, text, body=event(**changes))


def batch(name: str, status: int, text: str = "", *, body: object) -> Probe:
    return Probe(f"batch: {name}", status, text, path="/batch_events", body=body)


def get(name: str, status: int, text: str = "", /, *, path: str = "/channels", **query: str) -> Probe:
    return Probe(f"GET {name}", status, text, "GET", path, query=query)


def signed(name: str, status: int, text: str = "", /, **signing: str | None) -> Probe:
    return Probe(name, status, text, body=EVENT, signing=signing)


PROBES = [
    Probe("events ok (channel)", 200, body=EVENT),
    Probe("events ok (channels)", 200, body=event(channel=None, channels=["a", "b"])),
    Probe("wrong secret", 401, SIGNATURE, body=EVENT, app=WRONG_SECRET),
    signed("wrong auth_key", 400, "Unknown auth_key", auth_key="other"),
    signed("missing auth_signature", 401, SIGNATURE, auth_signature=None),
    signed("missing auth_key", 400, "auth_key should be a valid app key", auth_key=None),
    signed("missing auth_timestamp", 401, "Timestamp required", auth_timestamp=None),
    signed("missing auth_version", 401, "Version required", auth_version=None),
    signed("auth_version=2.0", 401, "Version not supported", auth_version="2.0"),
    Probe("timestamp -700s", 401, EXPIRED, body=EVENT, clock=-700),
    Probe("timestamp +700s", 401, EXPIRED, body=EVENT, clock=700),
    Probe("timestamp -500s", 200, body=EVENT, clock=-500),
    signed("timestamp non-numeric", 401, EXPIRED, auth_timestamp="soon"),
    signed("body_md5 wrong but signed", 401, "Invalid body_md5", body_md5="0" * 32),
    signed("body_md5 omitted on POST", 401, "Missing parameter: body_md5", body_md5=None),
    signed("no auth params at all", 400, "auth_key should be a valid app key", auth_key=None, auth_timestamp=None,
           auth_version=None, body_md5=None, auth_signature=None),
    signed("uppercase signature", 401, SIGNATURE, auth_signature="A" * 64),
    Probe("GET channels with body_md5 of empty", 200, "", "GET", "/channels", signing={"body_md5": MD5_OF_NOTHING}),
    get("channels plain", 200),
    get("channels query with reserved chars (enc)", 200, filter_by_prefix="a=@,.;"),
    Probe("GET channels query reserved chars unencoded =@,.;", 401, SIGNATURE, "GET", "/channels",
          query={"filter_by_prefix": "a=@,.;"}, escape=False),
    get("channels unknown query param", 200, foo="bar"),
    get("channels uppercase param name", 200, FILTER_BY_PREFIX="presence-"),
    Probe("unknown app id", 400, OTHER_APP, "GET", "//apps/999/channels"),
    Probe("app id of other app w/ this key", 400, OTHER_APP, "GET", "//apps/2/channels"),
    trigger("data missing", 400, "Missing required parameter: data", data=None),
    trigger("name missing", 400, NAME, name=None),
    trigger("channel missing", 400, MISSING_CHANNEL, channel=None),
    trigger("data object (not string)", 400, "Expected data parameter to be a string", data={"a": 1}),
    trigger("data empty string", 200, data=""),
    trigger("data number", 400, "Expected data parameter to be a string", data=1),
    Probe("events: data null", 400, "Missing required parameter: data", body={**EVENT, "data": None}),
    trigger("name empty", 400, name=""),
    trigger("channels empty list", 400, channel=None, channels=[]),
    trigger("channel+channels both", 400, channels=["a"]),
    trigger("channel bad chars", 400, BAD_CHANNEL, channel="no spaces"),
    trigger("channel 200 chars", 200, channel="x" * 200),
    trigger("channel 201 chars", 400, BAD_CHANNEL, channel="x" * 201),
    trigger("channel 165 chars", 200, channel="x" * 165),
    trigger("event name 200", 200, name="x" * 200),
    trigger("event name 201", 400, name="x" * 201),
    trigger("100 channels", 200, channel=None, channels=[f"c{number}" for number in range(100)]),
    trigger("101 channels", 400, channel=None, channels=[f"c{number}" for number in range(101)]),
    trigger("data 10240 bytes", 200, data="x" * 10_240),
    *(trigger(f"data {size}", 413, TOO_LARGE, data="x" * count)
      for size, count in (("10241 bytes", 10_241), ("30KB", 30 * 1024), ("100KB", 100 * 1024),
                          ("101KB", 101 * 1024), ("300KB", 300 * 1024))),
    trigger("socket_id malformed", 400, socket_id="1234"),
    trigger("socket_id unknown", 200, socket_id="1.1"),
    trigger("info bad attr", 400, INFO, info="bogus"),
    trigger("info user_count non-presence", 200, info="user_count"),
    trigger("info subscription_count", 200, info="subscription_count"),
    trigger("event pusher:foo", 400, RESERVED, name="pusher:foo"),
    trigger("event pusher_internal:x", 400, RESERVED, name="pusher_internal:x"),
    trigger("event client-x", 200, name="client-x"),
    trigger("server-to-user channel", 200, channel="#server-to-user-1"),
    trigger("encrypted + other channel", 400, channel=None, channels=["private-encrypted-a", "b"]),
    trigger("unknown extra field", 200, extra=1),
    Probe("events: invalid JSON", 400, content=b"{"),
    Probe("events: JSON array", 400, content=b"[]"),
    Probe("events: empty body", 400, NAME),
    Probe("events: text/plain content type", 200, body=EVENT, headers={"Content-Type": "text/plain"}),
    Probe("events: no content-type but valid", 200, body=EVENT, headers={}),
    Probe("events: GET method", 404, NOT_FOUND, "GET"),
    Probe("events: PUT", 404, NOT_FOUND, "PUT", body=EVENT),
    batch("1", 200, body={"batch": [EVENT]}),
    batch("10", 200, body={"batch": [EVENT] * 10}),
    batch("11", 400, "Batch too large (11 > 10)", body={"batch": [EVENT] * 11}),
    batch("empty", 400, body={"batch": []}),
    batch("no batch key", 400, "Missing required parameter: batch", body={}),
    batch("batch not list", 400, body={"batch": "text"}),
    batch("one bad event (no name)", 400, NAME, body={"batch": [EVENT, event(name=None)]}),
    batch("one bad channel", 400, BAD_CHANNEL, body={"batch": [EVENT, event(channel="no spaces")]}),
    batch("one data>10KB", 413, TOO_LARGE, body={"batch": [EVENT, event(data="x" * 10_241)]}),
    batch("channels in batch ev", 400, MISSING_CHANNEL, body={"batch": [event(channel=None, channels=["a"])]}),
    batch("info", 200, body={"batch": [event(info="subscription_count")]}),
    batch("object data", 400, "Expected data parameter to be a string", body={"batch": [event(data={})]}),
    get("channels info=user_count, no prefix", 400, USER_COUNT_PREFIX, info="user_count"),
    get("channels info=user_count prefix presence-", 200, info="user_count", filter_by_prefix="presence-"),
    get("channels info=subscription_count", 200, info="subscription_count"),  # undocumented, but other servers have it
    get("channels info=bogus", 400, INFO, info="bogus"),
    get("channels empty prefix", 200, filter_by_prefix=""),
    get("channel unoccupied", 200, path="/channels/a"),
    get("channel unoccupied info=user_count (non presence)", 400, NO_USER_COUNT, path="/channels/a", info="user_count"),
    get("channel presence unoccupied info=user_count", 200, path="/channels/presence-a", info="user_count"),
    get("channel info=subscription_count", 200, path="/channels/a", info="subscription_count"),
    get("channel info=cache", 200, path="/channels/cache-a", info="cache"),
    get("channel info=bogus", 400, INFO, path="/channels/a", info="bogus"),
    get("channel bad name", 400, BAD_CHANNEL, path="/channels/no%20spaces"),
    get("channel name 201", 400, BAD_CHANNEL, path="/channels/" + "x" * 201),
    get("users of presence unoccupied", 200, path="/channels/presence-a/users"),
    get("users of non-presence", 400, USERS, path="/channels/a/users"),
    get("users of private", 400, USERS, path="/channels/private-a/users"),
    get("unknown path", 404, NOT_FOUND, path="/nothing"),
    get("root", 404, NOT_FOUND, path="//"),
    get("/apps", 404, NOT_FOUND, path="//apps"),
    get("trailing slash", 404, NOT_FOUND, path="/channels/"),
    get("channel percent-encoded name signed encoded", 200, path="/channels/presence%2Da"),
    Probe("GET channel percent-encoded name signed decoded", 401, SIGNATURE, "GET", "/channels/presence%2Da",
          signed_path="/apps/1/channels/presence-a"),
    Probe("POST channels (wrong method)", 404, NOT_FOUND, path="/channels", body={}),
    Probe("terminate ok body {}", 200, path=TERMINATE, body={}),
    Probe("terminate empty body, no md5", 200, path=TERMINATE),
    Probe("terminate empty body, md5 of empty", 200, path=TERMINATE, signing={"body_md5": MD5_OF_NOTHING}),
    Probe("terminate without /apps prefix (PyPI pusher bug)", 404, NOT_FOUND, path="/" + TERMINATE, body={}),
    Probe("terminate percent-encoded user id", 200, path="/users/user%401/terminate_connections", body={}),
    Probe("terminate GET", 404, NOT_FOUND, "GET", TERMINATE),
    # An app that another server limits to five requests a second: the hosted service knows no such limit.
    *(Probe(f"app2 event #{number}", 200, body=EVENT, app=SECOND) for number in range(1, 9)),
    Probe("disabled app3 event", 403, body=EVENT, app=DISABLED),
]  # fmt: skip

ANSWERS: Mapping[str, object] = {
    "batch: info": {"batch": [{"subscription_count": 0}]},
    "events: info user_count non-presence": {"channels": {"my-channel": {}}},
    "events: info subscription_count": {"channels": {"my-channel": {"subscription_count": 0}}},
    "GET channel info=cache": {"occupied": False, "cache": None},
    "GET channel info=subscription_count": {"occupied": False, "subscription_count": 0},
    "GET channel presence unoccupied info=user_count": {"occupied": False, "user_count": 0},
    "GET users of presence unoccupied": {"users": []},
}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator(apps=[APP, SECOND, DISABLED]) as running:
        yield running


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_probe(server: Emulator, probe: Probe) -> None:
    http = Http(server, probe.app)
    clock = {"auth_timestamp": str(int(time.time()) + probe.clock)} if probe.clock else {}
    response = http.call(
        probe.method,
        probe.path,
        probe.body,
        query=probe.query,
        content=probe.content,
        signed_path=probe.signed_path,
        signing={**clock, **probe.signing},
        escape=probe.escape,
        headers=probe.headers,
    )
    http.close()
    if probe.status != 200:
        status, text = refusal(response)
        assert (status, text[: len(probe.text)]) == (probe.status, probe.text)
        return
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json"), response.text
    if probe.name.startswith("GET channels"):
        expected: object = {"channels": {}}
    elif probe.method == "GET":
        expected = ANSWERS.get(probe.name, {"occupied": False})
    else:
        expected = ANSWERS.get(probe.name, {})
    assert json.loads(response.content) == expected


def test_every_row_of_the_table_is_here() -> None:
    assert len(PROBES) == len({probe.name for probe in PROBES}) == 117
