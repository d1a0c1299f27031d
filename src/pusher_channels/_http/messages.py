"""What goes out, how long it may take, and what a failed attempt tells. No I/O."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

import attrs

from pusher_channels._http.answers import BadAnswerError
from pusher_channels._signer import RequestSigner, encode_query
from pusher_channels_rest.lazy import forks_wait

Part = Literal["pool", "connect", "read", "write"]

_DEFAULT_PORTS = {"https": 443, "http": 80}
_TAKES_A_BODY = ("POST", "PUT", "PATCH")


@attrs.frozen
class Origin:
    """Scheme, host and port of a server."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Read ``scheme://host[:port]``, which was checked before."""
        scheme, _, authority = text.partition("://")
        host, colon, port = authority.rpartition(":")
        if not colon or authority.endswith("]"):
            host, port = authority, ""
        return cls(scheme, host.strip("[]"), int(port or _DEFAULT_PORTS[scheme]))

    @property
    def authority(self) -> str:
        """Host and port as URLs and the Host header have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def needs_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine itself."""
        with forks_wait():
            from ipaddress import ip_address

        with suppress(ValueError):  # a name, which is not to be judged by its first letters
            return ip_address(self.host).is_loopback
        return self.host == "localhost"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@attrs.define(kw_only=True)
class Outgoing:
    """A request, not signed yet: it is signed anew for each attempt.

    Attributes:
        method: The HTTP method.
        origin: Where it goes.
        path: The path, escaped: it is signed and sent exactly like this.
        query: The query parameters, raw.
        headers: All headers but those that frame the message.
        body: The body.
    """

    method: str
    origin: Origin
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes | None = attrs.field(repr=False)

    @property
    def bare_url(self) -> str:
        """The URL without its query."""
        return f"{self.origin}{self.path}"

    @property
    def url(self) -> str:
        """The URL without the signature."""
        return f"{self.bare_url}?{encode_query(self.query)}" if self.query else self.bare_url


@attrs.define
class Signed:
    """The bytes of a signed request, and what must not show of them."""

    message: memoryview  # its repr shows nothing
    signature: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class HttpProxy:
    """A proxy that is spoken to in plain HTTP; ``headers`` may hold its password."""

    origin: Origin
    headers: Mapping[str, str] = attrs.field(repr=False)


def sign(request: Outgoing, signer: RequestSigner, proxy: HttpProxy | None = None) -> Signed:
    """Return the request as it is sent: without TLS, a proxy is told the whole URL."""
    signed = signer.sign(request.method, request.path, request.query, request.body)
    target = f"{request.path}?{signed.query}"
    headers = request.headers
    if proxy is not None and not request.origin.needs_tls:
        target, headers = f"{request.origin}{target}", {**headers, **proxy.headers}
    message = _message(request.method, target, request.origin.authority, headers, request.body)
    return Signed(message, signed.signature.encode())


def connect_message(origin: Origin, headers: Mapping[str, str]) -> memoryview:
    """Return the request that asks a proxy for a tunnel."""
    target = f"{origin.host if ':' not in origin.host else f'[{origin.host}]'}:{origin.port}"
    return _message("CONNECT", target, target, headers, None)


def _message(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes | None) -> memoryview:
    lines = [f"{method} {target} HTTP/1.1\r\nHost: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None or method in _TAKES_A_BODY:
        lines.append(f"Content-Length: {len(body or b'')}")
    return memoryview("\r\n".join([*lines, "\r\n"]).encode("latin-1") + (body or b""))


class TimeLimit:
    """The time that one attempt may take, in all and for its parts. Without a part's limit the whole one counts."""

    def __init__(self, total: float | None, parts: Mapping[str, float | None] | None = None) -> None:
        self.total = total
        self.parts = parts
        self._ends = None if total is None else time.monotonic() + total

    def left(self, part: Part) -> float | None:
        """Return the seconds that this part may still take.

        Raises:
            TimeoutError: There are none.
        """
        limit = None if self.parts is None else self.parts.get(part)
        if self._ends is None:
            return limit
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left if limit is None else min(left, limit)

    def of(self, part: Part) -> float | None:
        """Return the part's own limit."""
        return None if self.parts is None else self.parts.get(part)


@attrs.frozen(kw_only=True)
class Failure:
    """Why no answer came.

    Attributes:
        cause: What happened.
        timed_out: Whether time ran out.
        taken: Whether the server may have taken the request.
        lasting: Whether it would be the same again.
        proxy: The proxy on the way.
    """

    cause: Exception
    timed_out: bool
    taken: bool
    lasting: bool
    proxy: Origin | None = None


def failure_of(error: Exception, *, taken: bool, proxy: Origin | None) -> Failure:
    """Tell what the error of an attempt over a connection of our own means."""
    lasting = isinstance(error, (BadAnswerError, ValueError)) or is_certificate_error(error)
    return Failure(cause=error, timed_out=isinstance(error, TimeoutError), taken=taken, lasting=lasting, proxy=proxy)


def is_certificate_error(error: BaseException | None) -> bool:
    """Tell whether the server's certificate was refused."""
    ssl = sys.modules.get("ssl")
    while error is not None and ssl is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
