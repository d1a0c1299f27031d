"""The short way to the server: one kept connection a sender, without what a general HTTP client does for each request.

httpx and httpcore are most of what a small request costs. This way is taken for the first attempt of a batch, and only
where it makes no difference: without a proxy, and without an httpx client of the caller's own. What is not a plain
success goes on in the transport, as the outcome of its first attempt.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from threading import Lock
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
_FAILURES = (httpx.HTTPError, httpcore.TimeoutException, httpcore.NetworkError, OSError, ValueError)


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
        self._stream: httpcore.NetworkStream | None = None
        self._used = 0.0

    def open(self) -> Exception | None:
        """Make sure of a connection; return what went wrong. Nothing was sent by then."""
        stream = self._stream
        if stream is not None:
            # Readable means that the server closed it, or says what nobody asked.
            if time.monotonic() - self._used < _LONGEST_IDLE and not stream.get_extra_info("is_readable"):
                return None
            self.close()
        try:
            with attempt_limit(self.route.seconds * 0.98):
                stream = LimitedBackend().connect_tcp(self.route.host, self.route.port)
                if self.route.context is not None:
                    stream = stream.start_tls(self.route.context, self.route.host)
        except _FAILURES as error:
            failure = _translated(error)
            failure.__cause__ = error if failure is not error else None
            return failure
        self._stream = stream
        return None

    def exchange(self, message: bytes, signature: bytes) -> RawResponse | Exception:
        """Send the request on the open connection, and return the answer or what came in its place."""
        reader = AnswerReader()
        failure = self._send(message, reader)
        self._used = time.monotonic()
        if failure is not None or not reader.keep_alive:
            self.close()
        return failure or _answer(reader, signature)

    def close(self) -> None:
        """Close the connection."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _send(self, message: bytes, reader: AnswerReader) -> Exception | None:
        stream = self._stream
        assert stream is not None
        try:
            with attempt_limit(self.route.seconds):
                with suppress(httpcore.WriteError):  # a server may refuse what it has not read to its end
                    stream.write(message)
                while not reader.feed(stream.read(_READ_SIZE)):
                    pass
        except _FAILURES as error:
            # Without the frames that it passed: they hold the signed request, which error trackers would show.
            return _translated(error).with_traceback(None)
        return None


def _answer(reader: AnswerReader, signature: bytes) -> RawResponse | Exception:
    if reader.status == 200 and not any(name == b"content-encoding" for name, _ in reader.headers):
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


def _translated(error: Exception) -> Exception:
    """Return httpx's error for httpcore's: they have the same names."""
    if isinstance(error, (httpcore.TimeoutException, httpcore.NetworkError)):
        kind: type[httpx.TransportError] = getattr(httpx, type(error).__name__)
        return kind(str(error))
    return error
