"""Sending: the one place that does I/O. Everything but the sending itself is shared by the two transports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Generic, TypeVar

import attrs
import httpx

from pusher_channels._auth import SignatureAuth, redact_httpx_log
from pusher_channels._config import Settings
from pusher_channels._encryption import refuse_plaintext
from pusher_channels._pool import Pool
from pusher_channels._version import __version__
from pusher_channels.errors import (
    APIConnectionError,
    APITimeoutError,
    RequestInfo,
    ResponseDecodeError,
    status_error,
)
from pusher_channels_rest.codec import DEFAULT_SERVER, Request, Server
from pusher_channels_rest.limits import Limits

T = TypeVar("T")
ClientT = TypeVar("ClientT", bound=httpx.Client | httpx.AsyncClient)

_HEADERS = {
    "Accept": "application/json",
    "User-Agent": f"pusher-channels-sdk/{__version__}",
    "X-Pusher-Library": f"pusher-channels-sdk {__version__}",
}
_POOL = httpx.Limits(max_connections=100, max_keepalive_connections=100)
_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}")


@attrs.frozen
class RawResponse:
    """An answer as it came, of a status in the 200s.

    Attributes:
        status_code: The HTTP status.
        headers: The headers, their names in any case.
        content: The body, decompressed.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes


class _BaseTransport(Generic[ClientT]):
    def __init__(self, settings: Settings, pool: Pool[ClientT]) -> None:
        self._settings = settings
        self._pool = pool
        self._auth = SignatureAuth(settings.credentials.key, settings.credentials.secret)
        self._origins: dict[Server, httpx.URL] = {}
        redact_httpx_log()

    @property
    def app_id(self) -> str:
        return self._settings.credentials.app_id

    @property
    def limits(self) -> Limits:
        return self._settings.limits

    def _prepare(
        self, server: Server, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None
    ) -> httpx.Request:
        """Build the request whole, so that nothing of a given httpx client's own defaults gets into it."""
        refuse_plaintext(path, query, body)
        origin = self._origins.get(server)
        if origin is None:
            origin = self._origins[server] = httpx.URL(self._settings.hosts.origin(server))
        url = origin.copy_with(raw_path=path.encode("ascii"))
        if query:
            url = url.copy_with(params=query)
        headers = {**_HEADERS, **self._settings.headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        timeout = httpx.Timeout(self._settings.timeout).as_dict()
        return httpx.Request(method, url, headers=headers, content=body, extensions={"timeout": timeout})

    def _prepare_operation(self, request: Request[T]) -> httpx.Request:
        operation = request.operation
        return self._prepare(operation.server, operation.method, request.path, request.query, request.body)

    @staticmethod
    def _succeed(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """Return the response if its status says success."""
        if response.is_success:
            return response
        # Servers echo what was sent: a 401 quotes the signature, a redirect repeats the query.
        headers = httpx.Headers(
            [(name, _SIGNATURE.sub("[redacted]", value)) for name, value in response.headers.items()]
        )
        body = _SIGNATURE.sub("[redacted]", response.text)
        raise status_error(response.status_code, body, headers, request=_info(request))

    def _decode(self, request: Request[T], sent: httpx.Request, response: httpx.Response) -> T:
        try:
            return request.operation.decode(self._succeed(sent, response).content)
        except ResponseDecodeError as error:
            error.request = _info(sent)
            raise


class Transport(_BaseTransport[httpx.Client]):
    """Sends with an `httpx.Client`. It is the `Caller` of the generated resources."""

    def call(self, request: Request[T]) -> T:
        """Send an operation's request and return its result."""
        prepared = self._prepare_operation(request)
        return self._decode(request, prepared, self._send(prepared))

    def request(self, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None) -> RawResponse:
        """Send any other request, signed."""
        prepared = self._prepare(DEFAULT_SERVER, method, path, query, body)
        response = self._succeed(prepared, self._send(prepared))
        return RawResponse(response.status_code, response.headers, response.content)

    def close(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        with self._pool.lock:
            self._pool.closed = True
            if self._pool.owned and self._pool.client is not None:
                self._pool.client.close()

    def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return self._client().send(request, auth=self._auth, follow_redirects=False)
        except (httpx.HTTPError, OSError) as error:
            raise _connection_error(request, error) from error

    def _client(self) -> httpx.Client:
        with self._pool.lock:
            self._pool.check_open()
            if self._pool.client is None:
                proxy, verify = self._settings.proxy, self._settings.verify
                self._pool.client = httpx.Client(proxy=proxy, verify=verify, limits=_POOL)
            return self._pool.client


class AsyncTransport(_BaseTransport[httpx.AsyncClient]):
    """Sends with an `httpx.AsyncClient`. It is the `AsyncCaller` of the generated resources."""

    async def call(self, request: Request[T]) -> T:
        """Send an operation's request and return its result."""
        prepared = self._prepare_operation(request)
        return self._decode(request, prepared, await self._send(prepared))

    async def request(
        self, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None
    ) -> RawResponse:
        """Send any other request, signed."""
        prepared = self._prepare(DEFAULT_SERVER, method, path, query, body)
        response = self._succeed(prepared, await self._send(prepared))
        return RawResponse(response.status_code, response.headers, response.content)

    async def aclose(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        with self._pool.lock:
            self._pool.closed = True
            client = self._pool.client if self._pool.owned else None
        if client is not None:
            await client.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._client().send(request, auth=self._auth, follow_redirects=False)
        except (httpx.HTTPError, OSError) as error:
            raise _connection_error(request, error) from error

    def _client(self) -> httpx.AsyncClient:
        with self._pool.lock:
            self._pool.check_open()
            if self._pool.client is None:
                from pusher_channels._async_client import make_async_client

                proxy, verify = self._settings.proxy, self._settings.verify
                self._pool.client = make_async_client(proxy=proxy, verify=verify)
            return self._pool.client


def _info(request: httpx.Request) -> RequestInfo:
    # Outside of the sending itself the URL is the unsigned one: see SignatureAuth.
    return RequestInfo(method=request.method, url=str(request.url))


def _connection_error(request: httpx.Request, error: Exception) -> APIConnectionError:
    kind = APITimeoutError if isinstance(error, (httpx.TimeoutException, TimeoutError)) else APIConnectionError
    reason = _SIGNATURE.sub("[redacted]", str(error)) or type(error).__name__
    return kind(f"{request.method} {request.url.copy_with(query=None)}: {reason}", request=_info(request))
