"""The sync client's HTTP: httpx, with a limit for a whole attempt.

httpx limits each single read, so a server that sends a byte now and then could hold a call for ever; it gives each of a
name's addresses the whole time to connect, and the look-up of the name all the time that the system takes. Here a
deadline of the running thread shortens all of these.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Any

import httpcore
import httpx

_WRITE_SIZE = 16 * 1024
_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=15.0)


class _Deadline(threading.local):
    at: float | None = None


_deadline = _Deadline()


@contextmanager
def attempt_limit(seconds: float | None) -> Generator[None]:
    """Let everything that this thread sends and receives end within ``seconds``."""
    _deadline.at = None if seconds is None else time.monotonic() + seconds
    try:
        yield
    finally:
        _deadline.at = None


def _left(timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    if _deadline.at is None:
        return timeout
    left = _deadline.at - time.monotonic()
    if left <= 0:
        raise error("timed out")
    return left if timeout is None else min(timeout, left)


class _LimitedStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._opens_tunnel = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))
        except httpcore.ReadTimeout as error:
            if self._opens_tunnel:  # only a proxy was asked for a connection so far: the request was not sent
                raise httpcore.ConnectTimeout(str(error)) from error
            raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if buffer:
            self._opens_tunnel = buffer.startswith(b"CONNECT ")
        # In parts: httpcore's write gives each part that the system takes the same time again.
        for start in range(0, len(buffer), _WRITE_SIZE):
            self._stream.write(buffer[start : start + _WRITE_SIZE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class LimitedBackend(httpcore.NetworkBackend):
    """Opens connections that obey `attempt_limit`."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        limit = _left(timeout, httpcore.ConnectTimeout)
        ends = None if limit is None else time.monotonic() + limit
        addresses = _look_up(host, port, limit)
        while True:
            address = addresses.pop(0)
            # Each address gets its share of the time that is left, so that a dead one does not use it all up.
            share = None if ends is None else max(0.001, ends - time.monotonic()) / (len(addresses) + 1)
            try:
                stream = self._backend.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if not addresses:
                    raise
            else:
                return _LimitedStream(stream)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def _look_up(host: str, port: int, seconds: float | None) -> list[str]:
    """Return a host's addresses. The system's resolver knows no limit, so a thread asks it, and may be left behind."""
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass  # a name
    answers = SimpleQueue[list[str] | Exception]()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put([str(address[0]) for *_, address in found])
        except Exception as error:  # OSError, or UnicodeError for an empty or too long part of the name
            answers.put(error)

    try:
        threading.Thread(target=ask, name="pusher-channels-resolver", daemon=True).start()
    except RuntimeError:
        ask()  # the interpreter is exiting, or the system has no more threads
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise httpcore.ConnectTimeout("the host name was not resolved in time") from None
    if isinstance(answer, OSError):
        raise httpcore.ConnectError(str(answer)) from answer
    if isinstance(answer, Exception):
        raise answer
    return answer


def _limited(transport: httpx.BaseTransport) -> httpx.BaseTransport:
    # httpx hands no network backend through to httpcore, which takes one: a test holds this line to both.
    transport._pool._network_backend = LimitedBackend()  # type: ignore[attr-defined]  # pyright: ignore
    # Nor is httpcore's own lock, whose `__enter__` is Python code, safe from an exception of a signal handler: that may
    # leave it locked.
    transport._pool._optional_thread_lock = threading.RLock()  # type: ignore[attr-defined]  # pyright: ignore
    return transport


class LimitedClient(httpx.Client):
    """An httpx.Client that obeys `attempt_limit`; which proxy and certificates apply is decided by httpx."""

    def _init_transport(self, *args: Any, **options: Any) -> httpx.BaseTransport:
        return _limited(super()._init_transport(*args, **options))

    def _init_proxy_transport(self, *args: Any, **options: Any) -> httpx.BaseTransport:
        return _limited(super()._init_proxy_transport(*args, **options))


def make_sync_client(*, proxy: str | httpx.URL | httpx.Proxy | None, verify: bool | ssl.SSLContext) -> httpx.Client:
    """Make the client that Pusher uses when it was given none."""
    return LimitedClient(proxy=proxy, verify=verify, limits=_LIMITS)
