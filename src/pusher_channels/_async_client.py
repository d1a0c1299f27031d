"""The async client's HTTP: httpx in front, aiohttp below. docs/async-transport.md tells why, with figures."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import aiohttp
import httpx
import yarl

from pusher_channels._answers import MAX_BODY, SENT, AnswerTooLargeError

# The first entry that fits decides. Only what is certainly raised before the request was written may become a connect
# error: whoever retries a POST relies on it. (ServerDisconnectedError as a ConnectTimeout would send a trigger twice.)
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientConnectionError, httpx.ReadError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.ClientError, httpx.ReadError),
)
_OWN_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # those aiohttp would add by itself
_LIMITS = httpx.Limits(max_connections=100, keepalive_expiry=15.0)
_EXACTLY = 1e9  # aiohttp rounds longer timeouts than this up to whole seconds


def _noting_what_is_sent() -> aiohttp.TraceConfig:
    """Whoever ends a request from outside, as `asyncio.timeout` does, can then tell whether it was on its way."""

    async def note(session: aiohttp.ClientSession, context: Any, sent: aiohttp.TraceRequestHeadersSentParams) -> None:
        context.trace_request_ctx[SENT] = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(note)
    return config


class _Pool:
    """The connections of one event loop."""

    def __init__(self, context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self.slots = asyncio.Semaphore(limits.max_connections or 2**31)
        connector = aiohttp.TCPConnector(
            ssl=context,
            limit=0,
            keepalive_timeout=limits.keepalive_expiry or 3600,
            timeout_ceil_threshold=_EXACTLY,
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_OWN_HEADERS,
            trace_configs=[_noting_what_is_sent()],
        )
        # aiohttp sends a GET a second time when the connection breaks. Repeating is the caller's decision, counted and
        # limited there; aiohttp has no public switch (its own test client sets the same attribute).
        self.session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        self._guard = _close_with_the_loop(self.session)

    async def open(self) -> None:
        """Let the event loop close the connections when it ends, or when nobody holds this any more."""
        await anext(self._guard)

    async def aclose(self) -> None:
        """Close the connections."""
        with suppress(RuntimeError):  # the loop does it at this moment
            await self._guard.aclose()
        await self.session.close()


async def _close_with_the_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None]:
    """Wait for the end: the one thing that `asyncio.run` closes at its end is generators that are still waiting.

    Nor does a loop forget a generator that is no longer referenced: it closes that, too.
    """
    try:
        yield
    finally:
        await session.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round, which may be its last


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx requests with aiohttp: httpx's own bytes and errors at a fraction of the cost."""

    def __init__(self, context: ssl.SSLContext, limits: httpx.Limits, proxy: httpx.Proxy | None = None) -> None:
        self._context = context
        self._limits = limits
        self._proxy = None if proxy is None else yarl.URL(str(proxy.url))
        self._proxy_headers: dict[str, str] = {} if proxy is None else dict(proxy.headers)
        if proxy is not None and proxy.auth is not None:
            credentials = base64.b64encode(":".join(proxy.auth).encode()).decode()
            self._proxy_headers["Proxy-Authorization"] = f"Basic {credentials}"
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    async def _pool(self) -> _Pool:
        """The running loop's pool: connections cannot move between loops, but a client may outlive `asyncio.run`."""
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None or pool.session.closed:
            pool = self._pools[loop] = _Pool(self._context, self._limits)
            await pool.open()
            for other in [other for other in list(self._pools) if other.is_closed()]:
                if (old := self._pools.pop(other, None)) is not None:  # another thread's loop may look here too
                    await old.session.close()
        return pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeout: dict[str, float | None] = request.extensions.get("timeout", {})
        body = await request.aread()
        headers = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw]
        if request.url.scheme == "http":
            headers += self._proxy_headers.items()  # aiohttp sends them with CONNECT only, which https uses
        request.extensions = {**request.extensions, SENT: False}
        pool = await self._pool()
        try:
            async with asyncio.timeout(timeout.get("pool")):
                await pool.slots.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no connection became free in time", request=request) from error
        response: aiohttp.ClientResponse | None = None
        try:
            async with pool.session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),  # encoded: what was signed goes out, not yarl's idea of it
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=timeout.get("connect"), sock_read=timeout.get("read"), ceil_threshold=_EXACTLY
                ),
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
                trace_request_ctx=request.extensions,
            ) as response:
                if response.status < 200:
                    raise httpx.RemoteProtocolError(f"unexpected status {response.status}")
                content = await _read(response.content)
                if content is None:
                    raise AnswerTooLargeError
                reason = (response.reason or "").encode("ascii", "replace")
                return httpx.Response(
                    response.status,
                    headers=list(response.raw_headers),
                    stream=httpx.ByteStream(content),
                    extensions={"http_version": b"HTTP/1.1", "reason_phrase": reason},
                )
        except aiohttp.ClientError as error:
            failure = _translated(error)
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else None
        finally:
            response = None  # its repr shows the signed URL to whoever records the locals of a failed call
            pool.slots.release()
        # Not where it was caught: aiohttp's errors hold the signed URL, so none may become the context of this one.
        raise failure from cause

    async def aclose(self) -> None:
        here = asyncio.get_running_loop()
        while self._pools:
            loop, pool = self._pools.popitem()
            if loop is here:
                await pool.aclose()
            elif loop.is_closed():
                await pool.session.close()
            # The others are closed by their own loops, since nobody holds them any more.


async def _read(stream: aiohttp.StreamReader) -> bytes | None:
    """Return the body, or None if it is too large."""
    content = bytearray()
    async for part in stream.iter_any():
        content += part
        if len(content) > MAX_BODY:
            return None
    return bytes(content)


def _translated(error: aiohttp.ClientError) -> httpx.TransportError:
    """Return httpx's error for aiohttp's, without the URL that some of aiohttp's messages quote."""
    kind = next(ours for theirs, ours in _ERRORS if isinstance(error, theirs))
    if isinstance(error, aiohttp.ClientResponseError):
        return kind(" ".join(f"{error.status} {error.message}".split()))
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return kind("the server closed the connection before its answer was complete")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return kind("no connection in time")
    if isinstance(error, aiohttp.InvalidURL):
        return kind("the URL cannot be used")
    return kind(str(error))


class AiohttpClient(httpx.AsyncClient):
    """An httpx.AsyncClient over aiohttp; which proxy and certificates apply is still decided by httpx."""

    def _init_transport(
        self,
        verify: ssl.SSLContext | str | bool = True,
        cert: Any = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = False,
        limits: httpx.Limits = httpx.Limits(),  # noqa: B008
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> httpx.AsyncBaseTransport:
        return transport or AiohttpTransport(httpx.create_ssl_context(verify, cert, trust_env), limits)

    def _init_proxy_transport(
        self,
        proxy: httpx.Proxy,
        verify: ssl.SSLContext | str | bool = True,
        cert: Any = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = False,
        limits: httpx.Limits = httpx.Limits(),  # noqa: B008
    ) -> httpx.AsyncBaseTransport:
        if proxy.url.scheme.startswith("socks"):  # aiohttp speaks no SOCKS, httpx does with its `socks` extra
            return super()._init_proxy_transport(proxy, verify, cert, trust_env, http1, http2, limits)
        return AiohttpTransport(httpx.create_ssl_context(verify, cert, trust_env), limits, proxy)


def make_async_client(
    *, proxy: str | httpx.URL | httpx.Proxy | None, verify: bool | ssl.SSLContext
) -> httpx.AsyncClient:
    """Make the client that AsyncPusher uses when it was given none."""
    return AiohttpClient(proxy=proxy, verify=verify, limits=_LIMITS)
