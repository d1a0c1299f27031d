"""The sync client's HTTP: httpx, with a limit for a whole attempt.

httpx limits each single read, so a server that sends a byte now and then could hold a call for ever. Here a deadline of
the running thread shortens every read, write and connect.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=15.0)


class _Deadline(threading.local):
    at: float | None = None


_deadline = _Deadline()


@contextmanager
def attempt_limit(seconds: float | None) -> Iterator[None]:
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

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _LimitedBackend(httpcore.NetworkBackend):
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
        left = _left(timeout, httpcore.ConnectTimeout)
        return _LimitedStream(self._backend.connect_tcp(host, port, left, local_address, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def _limited(transport: httpx.BaseTransport) -> httpx.BaseTransport:
    # httpx hands no network backend through to httpcore, which takes one: a test holds this line to both.
    transport._pool._network_backend = _LimitedBackend()  # type: ignore[attr-defined]  # pyright: ignore
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
