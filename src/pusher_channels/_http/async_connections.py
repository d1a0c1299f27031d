"""Kept connections over asyncio: the twin of `connections`, for the tasks of any event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from importlib import import_module
from typing import Any, cast

from pusher_channels._http.answers import AnswerParser, BadAnswerError, BrokenAnswerError, RawResponse
from pusher_channels._http.connections import KEEP_SECONDS, family_of, is_readable, refuse_tunnel, resolve
from pusher_channels._http.messages import (
    Failure,
    HttpProxy,
    Origin,
    Outgoing,
    Signed,
    TimeLimit,
    connect_message,
    failure_of,
    sign,
)
from pusher_channels._signer import RequestSigner
from pusher_channels_rest.lazy import forks_wait

import_module("concurrent.futures.thread")  # asyncio would load it for the first host name, when no fork waits

MAX_CONNECTIONS = 100
"""How many connections an event loop has open at once. Calls beyond that wait for one."""


class AsyncConnections:
    """The connections of one client. They cannot move between event loops, so that each loop has its own."""

    def __init__(
        self, context_for_tls: Callable[[], ssl.SSLContext], proxy_for: Callable[[Origin], HttpProxy | None]
    ) -> None:
        self._context_for_tls = context_for_tls
        self._proxy_for = proxy_for
        self._by_loop: dict[asyncio.AbstractEventLoop, _LoopConnections] = {}
        self._closed = False

    async def send(self, request: Outgoing, signer: RequestSigner, limit: TimeLimit) -> RawResponse | Failure:
        """Make one attempt."""
        origin, proxy = request.origin, self._proxy_for(request.origin)
        signed = sign(request, signer, proxy)
        mine = self._by_loop.get(asyncio.get_running_loop()) or await self._begin()
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(limit.total):
                async with _limited(limit.of("pool")):
                    await mine.slots.acquire()
                try:
                    connection = mine.take(origin) or await self._connect(origin, proxy, limit)
                    try:
                        return await connection.exchange(signed, limit, no_body=request.method == "HEAD")
                    finally:  # also when this is cancelled: half an answer must not become someone else's
                        mine.give_back(origin, connection, close=self._closed)
                finally:
                    mine.slots.release()
        except (OSError, BadAnswerError, ValueError) as error:
            return failure_of(error, taken=connection is not None, proxy=None if proxy is None else proxy.origin)

    async def aclose(self) -> None:
        """Close what is idle, now, and all else when its call ends."""
        self._closed = True
        for loop, connections in list(self._by_loop.items()):
            if loop is asyncio.get_running_loop():
                await connections.aclose()
            else:
                with suppress(RuntimeError):  # the other loop is closed, and so are its connections
                    loop.call_soon_threadsafe(connections.close)

    async def _begin(self) -> _LoopConnections:
        connections = _LoopConnections()
        await connections.close_with_the_loop()
        for loop in [loop for loop in list(self._by_loop) if loop.is_closed()]:
            self._by_loop.pop(loop, None)
        return self._by_loop.setdefault(asyncio.get_running_loop(), connections)

    async def _connect(self, origin: Origin, proxy: HttpProxy | None, limit: TimeLimit) -> _Connection:
        loop = asyncio.get_running_loop()
        context: ssl.SSLContext | None = None
        if origin.needs_tls:
            with forks_wait():
                context = self._context_for_tls()
        connection = _Connection()
        sock = await _open(origin if proxy is None else proxy.origin, limit)
        try:
            async with _limited(limit.of("connect")):
                if proxy is None and context is not None:
                    with forks_wait():  # of other threads, as in the sync twin
                        await loop.create_connection(
                            lambda: connection, sock=sock, ssl=context, server_hostname=origin.host
                        )
                else:
                    await loop.create_connection(lambda: connection, sock=sock)
                if proxy is not None and context is not None:
                    connection = await connection.through_tunnel(origin, proxy, limit, context)
        except BaseException:
            connection.abort()
            sock.close()
            raise
        return connection


async def _open(origin: Origin, limit: TimeLimit) -> socket.socket:
    """Connect to one of a host's addresses, each of which gets its share of the time that is left."""
    loop = asyncio.get_running_loop()
    ends = None if (seconds := limit.left("connect")) is None else time.monotonic() + seconds
    async with _limited(limit.of("connect")):
        addresses = await _look_up(loop, origin)
    while True:
        family, address = addresses.pop(0)
        share = None if ends is None else max(0.001, ends - time.monotonic()) / (len(addresses) + 1)
        sock: socket.socket | None = None
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.setblocking(False)
            async with _limited(share):
                await loop.sock_connect(sock, address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException as error:
            if sock is not None:
                sock.close()
            if not isinstance(error, OSError) or not addresses:
                raise
        else:
            return sock


async def _look_up(loop: asyncio.AbstractEventLoop, origin: Origin) -> list[tuple[int, tuple[Any, ...]]]:
    family = family_of(origin.host)
    if family is not None:
        return [(family, (origin.host, origin.port))]
    return await loop.run_in_executor(None, resolve, origin)


class _LoopConnections:
    """The connections of one event loop."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._idle: _Idle = {}
        self._end = _close_at_the_end(self._idle)

    async def close_with_the_loop(self) -> None:
        """Let the event loop close them when it ends, or when nobody holds this any more."""
        await anext(self._end)

    def take(self, origin: Origin) -> _Connection | None:
        """Return the connection that was used last: the others grow old."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if not connection.is_stale():
                return connection
            connection.abort()
        return None

    def give_back(self, origin: Origin, connection: _Connection, *, close: bool) -> None:
        """Keep a connection for the next call, or close it."""
        if not connection.reusable or close:
            connection.abort()
            return
        idle = self._idle.setdefault(origin, deque())
        connection.idle_since = time.monotonic()
        idle.append(connection)
        if idle[0].is_old():
            idle.popleft().abort()

    def close(self) -> None:
        """Close what is idle."""
        _close(self._idle)

    async def aclose(self) -> None:
        """Do so, and wait until it is done."""
        with suppress(RuntimeError):  # somebody else is doing it
            await self._end.aclose()


async def _close_at_the_end(idle: _Idle) -> AsyncGenerator[None]:
    """Wait for the end: the one thing that `asyncio.run` closes at its end is generators that are still waiting.

    Nor does a loop forget a generator that is no longer referenced: it closes that, too.
    """
    try:
        yield
    finally:
        _close(idle)
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn, which may be its last


def _close(idle: _Idle) -> None:
    for connections in idle.values():
        while connections:
            connections.pop().abort()


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._parser = AnswerParser()
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.idle_since = 0.0
        self.reusable = False

    async def exchange(self, signed: Signed, limit: TimeLimit, *, no_body: bool = False) -> RawResponse:
        """Send a request and read its answer."""
        self.reusable = False
        transport, parser = self._transport, self._parser
        assert transport is not None  # noqa: S101  asyncio calls connection_made before it hands this over
        parser.expect(signed.signature, no_body=no_body)
        # As one piece: after another one that finds the connection reset, asyncio would not read an early answer.
        transport.write(signed.message)
        part = limit.of("read")
        while not parser.done:
            if self._error is not None:
                raise self._error
            self._waiter = asyncio.get_running_loop().create_future()
            if part is None:
                await self._waiter
            else:
                async with asyncio.timeout(part):
                    await self._waiter
        # An early answer may have come before all of the request went out.
        self.reusable = parser.reusable and self._error is None and transport.get_write_buffer_size() == 0
        return parser.result()

    async def through_tunnel(
        self, origin: Origin, proxy: HttpProxy, limit: TimeLimit, context: ssl.SSLContext
    ) -> _Connection:
        """Ask the proxy at the other end for a connection to ``origin``, and return that."""
        transport = self._transport
        assert transport is not None  # noqa: S101  as above
        answer = await self.exchange(Signed(connect_message(origin, proxy.headers), b""), limit, no_body=True)
        refuse_tunnel(answer)
        inner = _Connection()
        loop = asyncio.get_running_loop()
        with forks_wait():
            secured = await loop.start_tls(transport, inner, context, server_hostname=origin.host)
        inner.connection_made(cast("asyncio.Transport", secured))
        return inner

    def is_stale(self) -> bool:
        """Tell whether it has been idle too long, or the server has closed it or spoken unasked."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._error is not None or self.is_old():
            return True
        # The event loop may have stood still: then it has not yet seen what the socket has.
        return is_readable(transport.get_extra_info("socket"))

    def is_old(self) -> bool:
        return time.monotonic() - self.idle_since > KEEP_SECONDS

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._receive(data)

    def eof_received(self) -> None:
        self._receive(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._error is None:
            self._error = exc or BrokenAnswerError("the connection was closed before the answer was complete")
        self._wake()

    def _receive(self, data: bytes) -> None:
        try:
            if self._parser.done:
                raise BrokenAnswerError("the server spoke, or closed the connection, unasked")
            self._parser.feed(data)
        except (BadAnswerError, OSError) as error:
            self._error = error
        del data  # error trackers show the locals of the frames that an error passes
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


_Idle = dict[Origin, deque[_Connection]]


def _limited(seconds: float | None) -> AbstractAsyncContextManager[object]:
    return nullcontext() if seconds is None else asyncio.timeout(seconds)
