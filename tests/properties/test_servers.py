"""Whatever bytes a server sends: an APIError, the same from both clients, and the next call works."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread
from types import TracebackType
from typing import Any, Self

import attrs
import pytest
from hypothesis import given as for_all

from pusher_channels import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncPusher,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    Pusher,
    RateLimitError,
    ResponseDecodeError,
    ServerError,
)
from tests.properties.making import SOCKETS, Choices, made

GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"occupied":true}'
CALLS: dict[str, Callable[[Any], Any]] = {
    "trigger": lambda pusher: pusher.trigger("c", "e", "d"),
    "channels.list": lambda pusher: pusher.channels.list(),
    "channels.get": lambda pusher: pusher.channels.get("c"),
    "terminate_connections": lambda pusher: pusher.users.terminate_connections("7"),
}
SECRET = "a-marked-secret"


class RawServer:
    """Answers each request with the same bytes, and closes the connection."""

    def __init__(self) -> None:
        self.answer = GOOD
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port: int = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer, suppress(OSError):
                peer.settimeout(20)
                if _read_request(peer):
                    peer.sendall(self.answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread, which close does not
        self._thread.join()
        self._listener.close()


def _read_request(peer: socket.socket) -> bool:
    """Read a request whole, so that closing the connection does not reset it."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        if not part:
            return False
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    _, _, length = head.lower().partition(b"\r\ncontent-length: ")
    left = int(length.split(b"\r\n")[0] or 0) - len(body)
    while left > 0:
        left -= len(peer.recv(65536))
    return True


class Twins:
    """Both clients of one server."""

    def __init__(self, server: RawServer, runner: asyncio.Runner) -> None:
        url = f"http://key:{SECRET}@127.0.0.1:{server.port}/apps/3"
        self._server = server
        self._runner = runner
        # The time is ample: none of the calls is to run out of it, on a busy machine either.
        self.sync = Pusher.from_url(url, max_retries=0, timeout=60.0, deadline=300.0)
        self.asynchronous = AsyncPusher.from_url(url, max_retries=0, timeout=60.0, deadline=300.0)

    def close(self) -> None:
        self.sync.close()
        self._runner.run(self.asynchronous.aclose())

    def call(self, answer: bytes, call: str) -> tuple[object, object]:
        """Return what comes of one call, once it is sure that the next one works."""
        self._server.answer = answer
        sync = self._outcome(lambda: CALLS[call](self.sync))
        asynchronous = self._outcome(lambda: self._await(CALLS[call](self.asynchronous)))
        self._server.answer = GOOD
        # A connection that is kept from before may break in the moment that it is used again: a GET survives that.
        assert self.sync.with_options(max_retries=2).channels.get("c").occupied
        assert self._await(self.asynchronous.with_options(max_retries=2).channels.get("c")).occupied
        return sync, asynchronous

    def _outcome(self, call: Callable[[], Any]) -> object:
        try:
            return call()
        except APIError as error:
            assert SECRET not in f"{error} {error!r}"
            assert error.request.url
            assert not isinstance(error, APITimeoutError)  # the server closes each connection
            return type(error)

    def _await(self, awaitable: Any) -> Any:
        async def run() -> Any:
            # The loop stands still between the calls: let it see first which connections have been closed.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return await awaitable

        return self._runner.run(run())


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    with RawServer() as server, asyncio.Runner() as runner:
        both = Twins(server, runner)
        yield both
        both.close()


# Bytes


def make_bytes(choices: Choices) -> tuple[str, bytes]:
    begin = choices.pick([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
    return choices.pick(list(CALLS)), begin + choices.bytes() + choices.pick([b"", b"\r\n", b"\r\n\r\n"])


@SOCKETS
@for_all(case=made(make_bytes))
def test_bytes(twins: Twins, case: tuple[str, bytes]) -> None:
    call, answer = case
    assert_alike(*twins.call(answer, call))


def assert_alike(sync: object, asynchronous: object) -> None:
    """Check that the two differ at most in what they take for HTTP: neither reads an answer as another than it is.

    The sync client has h11 read it, the async one llhttp, and each refuses some of what the other lets pass: a NUL in
    the reason, an empty line before the status, a body that a 204 must not have, an oddly written size of a chunk.
    """
    assert sync == asynchronous or APIConnectionError in (sync, asynchronous)


# Nearly HTTP

STATUSES = [
    *(200, 200, 200, 200, 200, 200, 201, 202, 204, 299, 300, 301, 302, 304, 307, 400, 401, 403, 404, 409, 413, 429),
    500,
    *(502, 503, 599, 600, 999),
]
LINES = [
    *("HTTP/1.0 200 OK", "HTTP/2 200 OK", "HTTP/11 200 OK", "http/1.1 200 OK", "HTTP/1.10 200 OK", "ICY 200 OK", ""),
    "\x00",
    *("HTTP/1.1 100 Continue", "HTTP/1.1 101 Switching Protocols", "HTTP/1.1 103 Early Hints", "HTTP/1.1 199 x"),
    *("HTTP/1.1 099 x", "HTTP/1.1 0 x", "HTTP/1.1 1000 x", "HTTP/1.1 -1 x", "HTTP/1.1 2 00", "HTTP/1.1 200x"),
    "HTTP/1.1",
    *("HTTP/1.1 200", "HTTP/1.1 200 é", "HTTP/1.1 200 \x00", "HTTP/1.1\t200 OK", " HTTP/1.1 200 OK"),
    "HTTP/1.1  200 OK",
    *("HTTP/1.1 ٢٠٠ OK", "HTTP/1.1 200 " + "x" * 9000, "HTTP/1.1 200 " + "x" * 200_000),
]
BODIES = [
    *(b'{"occupied":true}', b"{}", b'{"channels":{}}', b"", b"[]", b"null", b"\xff", b"<html>", b"not JSON"),
    b"\x00" * 40,
    b"x" * 70_000,
]
TIMES = ["2013-02-01T00:00:00Z", "2999-02-01T00:00:00Z", "0000-00-00T00:00:00Z", "now", "", "9" * 30, "2013-02-01"]
FRAMING = {
    "Content-Length": [
        *("0", "1", "5", "17", "18", "99", "-1", "+17", "017", "1_7", "0x11", "17, 17", "17,18", "", "9" * 30, "٣"),
        "1e1",
    ],
    "Transfer-Encoding": [
        *("chunked", "Chunked", "identity", "gzip, chunked", "chunked, gzip", "xchunked", "", "chunked, chunked"),
    ],
}
HEADERS = {
    "Content-Encoding": ["gzip", "deflate", "identity", "br", "gzip, gzip", "zstd", "", "x-gzip", "GZIP ", "nonsense"],
    "Retry-After": ["0", "1", "-1", "9" * 400, "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "", "٣", "1.5"],
    "Set-Cookie": [
        *("a=b", "a=b; expires=never; max-age=x", "=", "a=b; Max-Age=" + "9" * 30, "a=b; Path", ";;;"),
        "a=b; domain=..",
    ],
    "Location": [
        *("/x", "http://127.0.0.1:1/", "//", "http://[", "http://a:b/", "\x00", "http://xn--a/", "é", "x:y", "?"),
        "http://" + "a" * 300,
    ],
    "Connection": ["close", "keep-alive", "Upgrade", "upgrade, close", "", "x" * 99],
    "Content-Type": ["application/json", "text/html; charset=hex", "x; charset=utf-16", ";", "", "a; charset=\xff"],
    "Upgrade": ["websocket", "h2c", ""],
    "Trailer": ["X"],
    "Date": ["x"],
}
ODD_HEADERS = [
    *("X", "X:", ": x", "X : y", " X: y", "X: a\x00b", "X: \xff", "X\x00: y", "é: y", "X: y\r z", "X: " + "y" * 9000),
    "\t",
    *("X: y\n Z: w", "Host: a"),
]
BEFORE = [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"\r\n", b"\x00"]


def make_body(choices: Choices) -> bytes:
    kind = choices.number(8)
    if kind == 0:
        stamps = choices.pick(TIMES), choices.pick(TIMES)
        return "Timestamp expired: Given timestamp ({}) not within 600s of server time ({})\n".format(*stamps).encode()
    if kind == 1:
        return choices.json_bytes(choices.json())
    return choices.pick(BODIES) if kind < 7 else choices.bytes()


def packed(choices: Choices, body: bytes) -> tuple[bytes, str]:
    """Return the body in a coding, and the name of it."""
    coding = choices.pick(["gzip", "x-gzip", "deflate"])
    return zlib.compress(body) if coding == "deflate" else gzip.compress(body, mtime=0), f"Content-Encoding: {coding}"


def make_header(choices: Choices, headers: dict[str, list[str]]) -> str:
    name = choices.pick(list(headers))
    return f"{name}: {choices.pick(headers[name])}"


def chunked(choices: Choices, body: bytes) -> bytes:
    """Write a body in chunks, of which one may not be right."""
    at = choices.number(len(body) % 65536 + 1)
    parts = [body[:at], body[at:]] if 0 < at < len(body) else [body] if body else []
    sizes = [*(f"{len(part):x}" for part in parts), "0"]
    ends = [b"\r\n"] * len(sizes)
    spoiled = choices.number(len(sizes))
    if choices.once_in(4):
        size = sizes[spoiled]
        odd = [
            "0",
            "-1",
            "zz",
            "",
            "f" * 20,
            f"+{size}",
            f"{size};a=b",
            f" {size}",
            f"0x{size}",
            f"0{size}",
            f"{size} ",
        ]
        sizes[spoiled] = choices.pick(odd)
    if choices.once_in(4):
        ends[spoiled] = choices.pick([b"\n", b"", b"xx", b"X: y\r\n\r\n", b"X\r\n\r\n", b"\r\nHTTP/1.1 200 OK\r\n\r\n"])
    chunks = zip(sizes, [*parts, b""], ends, strict=True)
    return b"".join(size.encode() + b"\r\n" + part + end for size, part, end in chunks)


def make_answer(choices: Choices) -> tuple[str, bytes]:
    """Make an answer that is nearly right: one thing in it is not, or two, or none."""
    body = make_body(choices)
    headers = [make_header(choices, HEADERS) for _ in range(choices.number(3))]
    if choices.once_in(6):
        body, header = packed(choices, body)
        headers.append(header)
    framing = choices.number(6)
    if framing < 3:
        headers.append(f"Content-Length: {len(body)}")
    elif framing == 3:
        headers.append("Transfer-Encoding: chunked")
        body = chunked(choices, body)
    line, eol, before = f"HTTP/1.1 {choices.pick(STATUSES)} x", "\r\n", b""
    cut, extra = 10**6, b""
    for _ in range(choices.number(3)):
        match choices.number(8):
            case 0 | 1:
                line = choices.pick(LINES)
            case 2 | 3:
                header = choices.pick([choices.pick(ODD_HEADERS), make_header(choices, FRAMING)])
                headers.insert(choices.number(len(headers) + 1), header)
            case 4:
                eol = "\n"
            case 5:
                before = choices.pick(BEFORE)
            case 6:
                cut = choices.number(500)
            case _:
                cut, extra = choices.number(500), choices.bytes()
    answer = before + eol.join([line, *headers, "", ""]).encode("utf-8") + body
    return choices.pick(list(CALLS)), answer[:cut] + extra + (answer[cut:] if extra else b"")


@SOCKETS
@for_all(case=made(make_answer, 60))
def test_answers_that_are_nearly_http(twins: Twins, case: tuple[str, bytes]) -> None:
    call, answer = case
    assert_alike(*twins.call(answer, call))


# HTTP

ERRORS = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: PayloadTooLargeError,
    429: RateLimitError,
}
HARMLESS = {name: HEADERS[name] for name in ("Retry-After", "Set-Cookie", "Content-Type")}


@attrs.frozen
class Whole:
    """An answer that is HTTP."""

    status: int
    headers: list[str]
    body: bytes
    is_cut: bool = False

    def __bytes__(self) -> bytes:
        lines = [f"HTTP/1.1 {self.status} x", *self.headers, f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode() + self.body


def make_whole(choices: Choices) -> tuple[str, Whole]:
    """Make an answer of any status with any body, and with headers that mean something to clients."""
    call = choices.pick(list(CALLS))
    status = choices.pick([200, 200, 200, 401, 401, 429, 503, 100 + choices.number(900)])
    headers = [make_header(choices, HARMLESS) for _ in range(choices.number(3))]
    if status < 200 or status in (204, 304):
        return call, Whole(status, headers, b"")
    body = make_body(choices)
    if not choices.once_in(3):
        return call, Whole(status, headers, body)
    body, header = packed(choices, body)
    lost = choices.pick([0, 1, 4])
    return call, Whole(status, [*headers, header], body[: len(body) - lost], is_cut=lost > 0)


@SOCKETS
@for_all(case=made(make_whole, 60))
def test_answers_that_are_http(twins: Twins, case: tuple[str, Whole]) -> None:
    call, answer = case
    sync, asynchronous = twins.call(bytes(answer), call)
    assert sync == asynchronous
    if answer.status < 200 or answer.is_cut:
        assert sync is APIConnectionError
    elif answer.status > 299:
        assert sync is ERRORS.get(answer.status, ServerError if answer.status >= 500 else APIStatusError)
    else:
        assert sync is ResponseDecodeError or not isinstance(sync, type)
