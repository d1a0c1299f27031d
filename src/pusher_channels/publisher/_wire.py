"""The short way to the server: one kept connection a sender, without what a general HTTP client does for each request.

httpx and httpcore are most of what a small request costs. This way is taken for the first attempt of a batch, and only
where it makes no difference: without a proxy, and without an httpx client of the caller's own. What is not a plain
success goes on in the transport, as the outcome of its first attempt.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import time
from threading import Lock
from typing import cast
from urllib.request import getproxies

import attrs
import httpcore
import httpx

from pusher_channels._answers import SIGNATURE, RawResponse, read_answer
from pusher_channels._auth import encode_query
from pusher_channels._config import Credentials, Settings
from pusher_channels._sync_client import LimitedBackend, attempt_limit
from pusher_channels.publisher._reader import AnswerReader
from pusher_channels.signing import signed_pairs

_LONGEST_IDLE = 15.0
_READ_SIZE = 64 * 1024


@attrs.frozen
class Route:
    """Where the short way leads, and what all its requests have in common.

    Attributes:
        host: The server's name or address.
        port: Its port.
        context: How to check it; None for http.
        head: The header lines that stay the same.
        seconds: How long an attempt may take.
    """

    host: str
    port: int
    context: ssl.SSLContext | None
    head: str
    seconds: float

    @classmethod
    def of(cls, settings: Settings, sample: httpx.Request) -> Route | None:
        """Return the route of requests like ``sample``; None if they have to go through the transport."""
        timeout = settings.timeout
        listening = settings.on_request is not None or settings.on_response is not None
        proxied = settings.proxy is not None or not getproxies().keys().isdisjoint(("http", "https", "all"))
        if listening or proxied or isinstance(timeout, httpx.Timeout):
            return None
        lines = [b"%s: %s\r\n" % line for line in sample.headers.raw if line[0].lower() != b"content-length"]
        url = sample.url
        secure = url.scheme == "https"
        return cls(
            host=url.host,
            port=url.port or (443 if secure else 80),
            context=httpx.create_ssl_context(verify=settings.verify) if secure else None,
            head=b"".join(lines).decode("ascii"),
            seconds=min(timeout, settings.deadline),
        )

    def message(self, path: str, body: bytes, credentials: Credentials, now: float) -> tuple[bytes, bytes]:
        """Return the signed request as it is sent, and its signature."""
        pairs = signed_pairs("POST", path, (), body, key=credentials.key, secret=credentials.secret, timestamp=int(now))
        query = encode_query(pairs).decode("ascii")
        head = f"POST {path}?{query} HTTP/1.1\r\n{self.head}Content-Length: {len(body)}\r\n\r\n"
        return head.encode("ascii") + body, pairs[-1][1].encode("ascii")


class Routes:
    """Finds the route once for all senders of a publisher: its certificates take memory, and time to load."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: tuple[Route | None] | None = None

    def find(self, settings: Settings, sample: httpx.Request) -> Route | None:
        """Return the route, as `Route.of` does."""
        with self._lock:
            if self._found is None:
                self._found = (Route.of(settings, sample),)
            return self._found[0]


class Wire:
    """A connection of one thread. It is opened when it is needed, and again when it is no longer good."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._socket: socket.socket | None = None
        self._used = 0.0

    def open(self) -> socket.socket | Exception:
        """Return the connection, or what went wrong when it was made. Nothing was sent by then."""
        if self._socket is not None:
            if time.monotonic() - self._used < _LONGEST_IDLE and not _is_readable(self._socket):
                return self._socket
            self.close()  # readable means that the server closed it, or says what nobody asked
        try:
            with attempt_limit(self.route.seconds * 0.98):
                stream = LimitedBackend().connect_tcp(self.route.host, self.route.port)
                if self.route.context is not None:
                    stream = stream.start_tls(self.route.context, self.route.host)
        except (httpcore.TimeoutException, httpcore.NetworkError) as error:
            kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)  # they have the same names
            failure = kind(str(error))
            failure.__cause__ = error
            return failure
        except (OSError, ValueError) as error:
            return error
        connection: socket.socket = stream.get_extra_info("socket")
        self._socket = connection
        return connection

    def exchange(self, connection: socket.socket, message: bytes, signature: bytes) -> RawResponse | Exception:
        """Send the request on the open connection, and return the answer or what came in its place."""
        reader = AnswerReader()
        failure = _send(connection, message, reader, time.monotonic() + self.route.seconds)
        self._used = time.monotonic()
        if failure is not None or not reader.keep_alive:
            self.close()
        return failure or _answer(reader, signature)

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class AsyncWire:
    """The same for one task at a time of an event loop."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._connection: _Connection | None = None
        self._used = 0.0

    async def open(self) -> _Connection | Exception:
        """Return the connection, or what went wrong when it was made. Nothing was sent by then."""
        if self._connection is not None:
            if time.monotonic() - self._used < _LONGEST_IDLE and not self._connection.is_closed:
                return self._connection
            self.close()
        route = self.route
        name = None if route.context is None else route.host
        try:
            async with asyncio.timeout(route.seconds * 0.98):
                _, self._connection = await asyncio.get_running_loop().create_connection(
                    _Connection, route.host, route.port, ssl=route.context, server_hostname=name
                )
        except (OSError, ValueError) as error:
            kind = httpx.ConnectTimeout if isinstance(error, TimeoutError) else httpx.ConnectError
            failure = kind(str(error) or "no connection in time")
            failure.__cause__ = error
            return failure
        return self._connection

    async def exchange(self, connection: _Connection, message: bytes, signature: bytes) -> RawResponse | Exception:
        """Send the request on the open connection, and return the answer or what came in its place."""
        reader = AnswerReader()
        complete = False
        try:
            async with asyncio.timeout(self.route.seconds):
                failure = await connection.exchange(message, reader)
            complete = failure is None
        except TimeoutError:
            failure = httpx.ReadTimeout("no complete answer in time")
        finally:
            self._used = time.monotonic()
            if not complete or not reader.keep_alive:
                self.close()
        return failure or _answer(reader, signature)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.abort()
            self._connection = None


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.is_closed = False
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._outcome: asyncio.Future[Exception | None] | None = None

    async def exchange(self, message: bytes, reader: AnswerReader) -> Exception | None:
        """Send a request and read its answer; return what went wrong."""
        self._outcome = asyncio.get_running_loop().create_future()
        self._reader = reader
        if self._transport is not None:
            self._transport.write(message)
        return await self._outcome

    def abort(self) -> None:
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self.abort()  # it says what nobody asked
            return
        try:
            if reader.feed(data):
                self._end(None)
        except httpx.HTTPError as error:
            self._end(error.with_traceback(None))

    def eof_received(self) -> None:
        self.is_closed = True
        if self._reader is not None:
            self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        if exc is not None:
            self._end(httpx.ReadError(str(exc)))
        elif self._reader is not None:
            self.data_received(b"")

    def _end(self, failure: Exception | None) -> None:
        self._reader = None
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(failure)


def _is_readable(connection: socket.socket) -> bool:
    # As in httpcore. `select` cannot take high file numbers, and Windows has no `poll`.
    if not hasattr(select, "poll"):
        return bool(select.select([connection], [], [], 0)[0])
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _send(connection: socket.socket, message: bytes, reader: AnswerReader, ends: float) -> Exception | None:
    # Errors are made anew, outside of the frames that hold the signed request: error trackers would show it.
    try:
        connection.settimeout(max(0.001, ends - time.monotonic()))
        connection.sendall(message)
    except TimeoutError:
        return httpx.WriteTimeout("the request was not sent in time")
    except OSError:
        pass  # a server may refuse what it has not read to its end: the answer says so
    try:
        while True:
            connection.settimeout(max(0.001, ends - time.monotonic()))
            if reader.feed(connection.recv(_READ_SIZE)):
                return None
    except TimeoutError:
        return httpx.ReadTimeout("no complete answer in time")
    except httpx.HTTPError as error:
        return error.with_traceback(None)
    except OSError as error:
        return httpx.ReadError(str(error))


def _answer(reader: AnswerReader, signature: bytes) -> RawResponse | Exception:
    encoded = any(name == b"content-encoding" for name, _ in reader.headers)
    if reader.status == 200 and not encoded and signature not in reader.content:
        return RawResponse(reader.status, {}, reader.content)
    response = httpx.Response(
        reader.status,
        headers=reader.headers,
        stream=httpx.ByteStream(reader.content),
        extensions={SIGNATURE: signature},
    )
    try:
        return read_answer(response)
    except httpx.HTTPError as error:
        return error
