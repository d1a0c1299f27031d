"""Nonsense from clients: whatever comes, the right error goes back, and the server's log stays free of errors.

500 examples of each kind; ``SOAK=1`` makes it 10,000.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from pusher_channels.emulator import AppConfig, Emulator
from tests.emulator.signed_http import Http

EXAMPLES = 10_000 if os.environ.get("SOAK") else 500
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=not os.environ.get("SOAK"),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
)
APP = AppConfig(max_client_events_per_second=20, subscription_counts=False)

TEXT_CODES = {None, 4009, 4301, 4302}
CLOSE_CODES = {1002, 1007, 1009, 4009}
EVENTS = {
    "pusher:error",
    "pusher:pong",
    "pusher:cache_miss",
    "pusher:signin_success",
    "pusher_internal:subscription_succeeded",
    "pusher_internal:watchlist_events",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator(apps=[APP]) as running:
        yield running


@pytest.fixture(autouse=True)
def errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Check that the server logged no error."""
    caplog.set_level(logging.ERROR)
    yield
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


# What looks right at first sight, so that the examples get past the first check.

CHANNELS = st.sampled_from(
    ["news", "private-a", "presence-a", "private-encrypted-a", "cache-a", "private-cache-a", "presence-cache-a"]
) | st.sampled_from(["", "#server-to-user-1", "#other", "no spaces", "x" * 201, "private-\ud800", "é", "a\x00"])
ANY_TEXT = st.text(st.characters(), max_size=20)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=4,
)
USERS = st.fixed_dictionaries(
    {},
    optional={
        "user_id": JSON_VALUES | st.sampled_from(["1", "two", 3]),
        "id": JSON_VALUES | st.sampled_from(["1", "two"]),
        "user_info": JSON_VALUES | st.just({"name": "é"}),
        "watchlist": JSON_VALUES | st.lists(st.sampled_from(["1", "two", ""]), max_size=120),
    },
)
EVENT_NAMES = st.sampled_from(
    ["pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:ping", "pusher:pong", "client-a", "other", ""]
)


@st.composite
def commands(draw: st.DrawFn) -> dict[str, Any]:
    """Make a command that is nearly right. "?" stands for the socket id, "!" for a signature to be made."""
    data: Any = {"channel": draw(CHANNELS | JSON_VALUES)}
    if draw(st.booleans()):
        field = draw(st.sampled_from(["channel_data", "user_data"]))
        user = draw(USERS)
        data[field] = draw(st.sampled_from([json.dumps(user), user, "text", json.dumps(user)[:-1]]))
    if draw(st.integers(0, 3)):
        data["auth"] = "!"
    elif draw(st.booleans()):
        data["auth"] = draw(JSON_VALUES)
    message: dict[str, Any] = {"event": draw(EVENT_NAMES | JSON_VALUES), "data": data}
    if draw(st.booleans()):
        message["channel"] = draw(CHANNELS | JSON_VALUES)
    if not draw(st.integers(0, 4)):
        message["data"] = draw(st.sampled_from([json.dumps(data), None])) or draw(JSON_VALUES)
    return message


def signed(message: dict[str, Any], socket_id: str) -> dict[str, Any]:
    """Sign what is to be signed, for the connection that it goes to."""
    if not isinstance(message["data"], dict):
        return message
    data = cast("dict[str, Any]", message["data"])
    if data.get("auth") != "!":
        return message
    if message["event"] == "pusher:signin":
        text = f"{socket_id}::user::{data.get('user_data')}"
    else:
        channel_data = data.get("channel_data")
        text = f"{socket_id}:{data['channel']}" + ("" if channel_data is None else f":{channel_data}")
    signature = hmac.digest(APP.secret.encode(), text.encode("utf-8", "surrogatepass"), "sha256").hex()
    return {**message, "data": {**data, "auth": f"{APP.key}:{signature}"}}


class Wire:
    """A connection that is opened again when the server had to close it."""

    def __init__(self, server: Emulator) -> None:
        self._url = server.websocket_url
        self._open = ExitStack()
        self._socket: ClientConnection | None = None
        self.socket_id = ""
        self._count = 0

    def open(self) -> ClientConnection:
        if self._socket is None:
            self._open = ExitStack()
            self._socket = self._open.enter_context(connect(self._url, compression=None, proxy=None))
            self.socket_id = json.loads(json.loads(self._socket.recv(timeout=10))["data"])["socket_id"]
        return self._socket

    def close(self) -> None:
        self._open.close()
        self._socket = None

    def exchange(self, message: str | bytes, *, text: bool | None = None) -> list[dict[str, Any]] | int:
        """Send it, and return what comes before the answer to a last word, or the code of the close."""
        wire = self.open()
        self._count += 1
        answer = f"Unsupported event received on socket: last-{self._count}"
        frames: list[dict[str, Any]] = []
        try:
            wire.send(message, text=text)
            wire.send(json.dumps({"event": f"last-{self._count}"}))
            while (frame := json.loads(wire.recv(timeout=10))).get("data") != {"code": None, "message": answer}:
                frames.append(frame)
        except ConnectionClosed as closed:
            self.close()
            return 0 if closed.rcvd is None else closed.rcvd.code
        return frames


@pytest.fixture
def wire(server: Emulator) -> Iterator[Wire]:
    opened = Wire(server)
    yield opened
    opened.close()


def check(answer: list[dict[str, Any]] | int) -> None:
    if isinstance(answer, int):
        assert answer in CLOSE_CODES
        return
    for frame in answer:
        assert frame["event"] in EVENTS or frame["event"].startswith("client-"), frame
        if frame["event"] == "pusher:error":
            assert frame["data"]["code"] in TEXT_CODES, frame
            assert frame["data"]["message"], frame


@for_all(messages=st.lists(commands(), min_size=1, max_size=3))
@FUZZ
def test_commands_that_are_nearly_right(wire: Wire, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        wire.open()
        check(wire.exchange(json.dumps(signed(message, wire.socket_id))))


@for_all(text=ANY_TEXT.map(lambda text: text.encode("utf-8", "replace").decode()) | JSON_VALUES.map(json.dumps))
@FUZZ
def test_text_that_is_no_command(wire: Wire, text: str) -> None:
    answer = wire.exchange(text)
    check(answer)
    assert isinstance(answer, list)
    assert [frame["event"] for frame in answer] == ["pusher:error"]


@for_all(data=st.binary(max_size=50), text=st.booleans())
@FUZZ
def test_bytes(wire: Wire, data: bytes, text: bool) -> None:
    answer = wire.exchange(data, text=text)
    check(answer)
    try:
        data.decode()
    except UnicodeDecodeError:
        if text:
            assert answer == 1007


@for_all(data=st.binary(min_size=1, max_size=30))
@FUZZ
def test_bytes_that_are_no_frames(server: Emulator, data: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=10) as raw:
        raw.sendall(
            f"GET /app/{APP.key}?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert raw.recv(12) == b"HTTP/1.1 101"
        raw.sendall(data)


# Requests


METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH"])
SEGMENTS = st.sampled_from(
    ["events", "batch_events", "channels", "users", "stats", "terminate_connections", "presence-a", "cache-a", "%ff",
     "a b", "..", ".", "", "x" * 300, "é", "a%2Fb", "%", "#server-to-user-1"]
)  # fmt: skip
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["e", "pusher:e", ""]) | JSON_VALUES,
        "channel": CHANNELS | JSON_VALUES,
        "channels": st.lists(CHANNELS | JSON_VALUES, max_size=3) | JSON_VALUES,
        "data": st.sampled_from(["", "x" * 10_241, "\ud800"]) | JSON_VALUES,
        "socket_id": st.sampled_from(["1.1", "1"]) | JSON_VALUES,
        "info": st.sampled_from(["user_count", "subscription_count,user_count", "cache"]) | JSON_VALUES,
        "interests": st.lists(ANY_TEXT, max_size=3) | JSON_VALUES,
        "apns": JSON_VALUES,
    },
)
BODIES = (
    FIELDS.map(json.dumps)
    | st.lists(FIELDS | JSON_VALUES, max_size=11).map(lambda events: json.dumps({"batch": events}))
    | JSON_VALUES.map(json.dumps)
)
QUERIES = st.dictionaries(
    st.sampled_from(["info", "filter_by_prefix", "name", "socket_id", "é", "auth_key", "a b"]),
    st.sampled_from(["user_count", "cache,subscription_count", "presence-", "", "1.1", "x" * 201, "é&=;", "\x00"]),
    max_size=3,
)
PATHS = st.sampled_from(
    ["/events", "/batch_events", "/channels", "/channels/presence-a", "/channels/cache-a/stats", "/channels/a/events",
     "/channels/presence-a/users", "/users/1/terminate_connections", "//server_api/v1/apps/1/notifications"]
)  # fmt: skip


@for_all(
    method=METHODS,
    path=PATHS | st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    content=BODIES.map(str.encode) | st.binary(max_size=30),
    query=QUERIES,
)
@FUZZ
def test_signed_requests(http: Http, method: str, path: str, content: bytes, query: dict[str, str]) -> None:
    response = http.call(method, path, query=query, content=b"" if method in ("GET", "HEAD") else content)
    assert response.status_code in {200, 202, 400, 401, 404, 413}, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"].startswith("text/plain")
        assert method == "HEAD" or re.fullmatch(r"[^\n]+\n", response.text)
    elif response.status_code == 200 and method != "HEAD":
        assert isinstance(response.json(), dict)


@for_all(head=st.binary(max_size=60), rest=st.binary(max_size=60), plausible=st.booleans())
@FUZZ
def test_bytes_that_are_no_request(server: Emulator, head: bytes, rest: bytes, plausible: bool) -> None:
    with socket.create_connection((server.host, server.port), timeout=10) as raw:
        if plausible:
            head = b"POST /apps/1/events?" + head + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
        raw.sendall(head + b"\r\n\r\n" + rest)
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := raw.recv(4096):
                answer += chunk
        except ConnectionResetError:
            pass
        assert not answer or re.match(rb"HTTP/1\.1 4\d\d ", answer), answer


def test_after_all_that_it_still_works(wire: Wire, http: Http) -> None:
    frames = wire.exchange('{"event":"pusher:subscribe","data":{"channel":"still-there"}}')
    assert isinstance(frames, list)
    assert frames[0]["event"] == "pusher_internal:subscription_succeeded"
    assert http.get("/channels", filter_by_prefix="still").json() == {"channels": {"still-there": {}}}
