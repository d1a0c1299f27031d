"""Sending: the one place that does I/O.

What a call does (sign, send, wait, try again, correct the clock, give up) stands once, in `_BaseTransport._exchange`.
It is a generator that asks for attempts and waits; the two transports differ only in how they carry those out.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

import attrs
import httpx

from pusher_channels import _retry
from pusher_channels._answers import SENT, aread_answer, read_answer
from pusher_channels._answers import RawResponse as RawResponse
from pusher_channels._attempts import Attempt, tell
from pusher_channels._auth import SignatureAuth
from pusher_channels._config import Settings
from pusher_channels._pool import Clock, Held, Pool
from pusher_channels._version import __version__
from pusher_channels.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    ConfigurationError,
    PusherError,
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
_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}")
_log = logging.getLogger("pusher_channels")


@attrs.frozen
class _Send:
    """Ask for one attempt: the outcome is the answer, or the error that befell it."""

    request: httpx.Request
    auth: SignatureAuth
    seconds: float | None


@attrs.frozen
class _Wait:
    seconds: float


_Outcome = RawResponse | Exception | None
_Exchange = Generator[_Send | _Wait, _Outcome, RawResponse]
# What an attempt may fail with. ValueError: a host name that cannot be one, a redirect's URL that is none.
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)


class _BaseTransport(Generic[ClientT]):
    def __init__(self, settings: Settings, pool: Pool[ClientT]) -> None:
        self._settings = settings
        self._pool = pool
        self._auth = self._signer(pool.clock.now)
        self._origins: dict[Server, httpx.URL] = {}

    @property
    def app_id(self) -> str:
        return self._settings.credentials.app_id

    @property
    def limits(self) -> Limits:
        return self._settings.limits

    def _signer(self, clock: Callable[[], float]) -> SignatureAuth:
        return SignatureAuth(self._settings.credentials.key, self._settings.credentials.secret, clock=clock)

    def _prepare(
        self, server: Server, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None
    ) -> httpx.Request:
        """Build the request whole, so that nothing of a given httpx client's own defaults gets into it."""
        origin = self._origins.get(server)
        if origin is None:
            origin = self._origins[server] = httpx.URL(self._settings.hosts.origin(server))
        url = origin.copy_with(raw_path=path.encode("ascii"))
        if query:
            url = url.copy_with(params=query)
        headers = {**_HEADERS, **self._settings.headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return httpx.Request(method, url, headers=headers, content=body)

    def _prepare_operation(self, request: Request[T]) -> httpx.Request:
        operation = request.operation
        return self._prepare(operation.server, operation.method, request.path, request.query, request.body)

    def _exchange(self, request: httpx.Request, *, idempotent: bool) -> _Exchange:
        """Get a successful answer, or raise: the logic of a call, without the I/O."""
        settings, pool = self._settings, self._pool
        ends = time.monotonic() + settings.deadline
        repeatable = idempotent or settings.retry_unsafe
        auth, offset = self._auth, None
        number = retries = 0
        while True:
            number += 1
            attempt = Attempt(request=_info(request), number=number, started=time.time())
            tell(settings.on_request, attempt)
            clock = time.perf_counter()
            outcome = yield _Send(request, auth, self._limit_attempt(request, ends))
            answer = outcome if isinstance(outcome, RawResponse) else None
            error = _error_of(request, outcome)
            status = None if answer is None else answer.status_code
            attempt = attrs.evolve(attempt, seconds=time.perf_counter() - clock, status_code=status, error=error)
            _log.debug("%s", attempt)
            tell(settings.on_response, attempt)
            if answer is not None and error is None:
                pool.budget.earn()
                if offset is not None:
                    pool.clock.offset = offset
                return answer
            if offset is None and answer is not None:
                offset = _retry.server_offset(request, answer)
                if offset is not None:
                    _log.warning("the server's clock is %+.0f s off the local one: signing again with its time", offset)
                    auth = self._signer(Clock(offset).now)
                    continue
            again = retries < settings.max_retries and _retry.may_repeat(outcome, repeatable=repeatable)
            wait = _retry.wait_before(retries, answer) if again else 0.0
            if error is not None and not (again and time.monotonic() + wait < ends and pool.budget.spend()):
                raise error
            retries += 1
            reason = f"{request.method} {request.url.copy_with(query=None)}: {error}" if answer else str(error)
            reason = " ".join(reason.split())  # one line, whatever the server sent
            _log.warning("%s; retry %d of %d in %.2f s", reason, retries, settings.max_retries, wait)
            yield _Wait(wait)

    def _limit_attempt(self, request: httpx.Request, ends: float) -> float | None:
        """Set httpx's timeouts for the next attempt, and return the seconds that all of it may take."""
        left = max(0.001, ends - time.monotonic())
        timeout = self._settings.timeout
        if isinstance(timeout, httpx.Timeout):
            parts: dict[str, float | None] = timeout.as_dict()
            total = None if math.isinf(left) else left
        else:
            total = min(timeout, left)
            parts = {"pool": total, "connect": total, "read": total, "write": total}
        if total is not None:
            parts = {name: total if value is None else min(value, total) for name, value in parts.items()}
        request.extensions = {"timeout": parts}
        return total

    def _decode(self, request: Request[T], sent: httpx.Request, answer: RawResponse) -> T:
        try:
            return request.operation.decode(answer.content)
        except ResponseDecodeError as error:
            error.request = _info(sent)
            raise


class Transport(_BaseTransport[httpx.Client]):
    """Sends with an `httpx.Client`. It is the `Caller` of the generated resources."""

    def call(self, request: Request[T]) -> T:
        """Send an operation's request and return its result."""
        prepared = self._prepare_operation(request)
        answer = self._carry_out(self._exchange(prepared, idempotent=request.operation.idempotent))
        return self._decode(request, prepared, answer)

    def request(self, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None) -> RawResponse:
        """Send any other request, signed."""
        prepared = self._prepare(DEFAULT_SERVER, method, path, query, body)
        return self._carry_out(self._exchange(prepared, idempotent=method in ("GET", "HEAD")))

    def close(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        client = self._pool.close()
        if client is not None:
            client.close()

    def _carry_out(self, exchange: _Exchange) -> RawResponse:
        held = self._pool.enter(exchange, self._make_client)
        outcome: _Outcome = None
        try:
            while True:
                try:
                    step = exchange.send(outcome)
                except StopIteration as stop:
                    answer: RawResponse = stop.value
                    return answer
                if isinstance(step, _Wait):
                    time.sleep(step.seconds)
                    outcome = None
                else:
                    outcome = self._attempt(held, step)
        finally:
            unused = self._pool.leave(held, exchange)
            if unused is not None:
                unused.close()

    def _attempt(self, held: Held[httpx.Client], step: _Send) -> RawResponse | Exception:
        from pusher_channels._sync_client import attempt_limit

        client = held.client
        try:
            with attempt_limit(step.seconds):
                return read_answer(client.send(step.request, auth=step.auth, follow_redirects=False, stream=True))
        except httpx.HTTPError as error:
            return _scrubbed(error)
        except BaseException as error:
            # Not httpx's own: a signal handler may have raised it, in any line. Which of its connections the client
            # has lost track of by that, nobody knows.
            self._pool.retire(held)
            if isinstance(error, _FAILURES):
                return _scrubbed(error)
            if isinstance(error, RuntimeError):
                raise _closed_error(client, error) from error
            raise

    def _make_client(self) -> httpx.Client:
        from pusher_channels._sync_client import make_sync_client

        try:
            return make_sync_client(proxy=self._settings.proxy, verify=self._settings.verify)
        except (ValueError, ImportError) as error:
            raise ConfigurationError("proxy", "cannot be used: see the cause of this error") from error


class AsyncTransport(_BaseTransport[httpx.AsyncClient]):
    """Sends with an `httpx.AsyncClient`. It is the `AsyncCaller` of the generated resources."""

    async def call(self, request: Request[T]) -> T:
        """Send an operation's request and return its result."""
        prepared = self._prepare_operation(request)
        answer = await self._carry_out(self._exchange(prepared, idempotent=request.operation.idempotent))
        return self._decode(request, prepared, answer)

    async def request(
        self, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None
    ) -> RawResponse:
        """Send any other request, signed."""
        prepared = self._prepare(DEFAULT_SERVER, method, path, query, body)
        return await self._carry_out(self._exchange(prepared, idempotent=method in ("GET", "HEAD")))

    async def aclose(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        client = self._pool.close()
        if client is not None:
            await client.aclose()

    async def _carry_out(self, exchange: _Exchange) -> RawResponse:
        held = self._pool.enter(exchange, self._make_client)
        outcome: _Outcome = None
        try:
            while True:
                try:
                    step = exchange.send(outcome)
                except StopIteration as stop:
                    answer: RawResponse = stop.value
                    return answer
                if isinstance(step, _Wait):
                    await asyncio.sleep(step.seconds)
                    outcome = None
                else:
                    outcome = await self._attempt(held, step)
        finally:
            unused = self._pool.leave(held, exchange)
            if unused is not None:
                await unused.aclose()

    async def _attempt(self, held: Held[httpx.AsyncClient], step: _Send) -> RawResponse | Exception:
        client = held.client
        try:
            async with asyncio.timeout(step.seconds):
                response = await client.send(step.request, auth=step.auth, follow_redirects=False, stream=True)
                return await aread_answer(response)
        except _FAILURES as error:
            if isinstance(error, TimeoutError) and step.request.extensions.get(SENT) is False:
                error = httpx.ConnectTimeout("no connection in time")
            return _scrubbed(error)
        except RuntimeError as error:
            raise _closed_error(client, error) from error

    def _make_client(self) -> httpx.AsyncClient:
        from pusher_channels._async_client import make_async_client

        try:
            return make_async_client(proxy=self._settings.proxy, verify=self._settings.verify)
        except (ValueError, ImportError) as error:
            raise ConfigurationError("proxy", "cannot be used: see the cause of this error") from error


def _info(request: httpx.Request) -> RequestInfo:
    # Outside of the sending itself the URL is the unsigned one: see SignatureAuth.
    return RequestInfo(method=request.method, url=str(request.url))


def _error_of(request: httpx.Request, outcome: _Outcome) -> APIError | None:
    """Return what to raise for an attempt's outcome, or None for a success."""
    info = _info(request)
    if isinstance(outcome, RawResponse):
        if 200 <= outcome.status_code <= 299:
            return None
        # Servers echo what was sent: a 401 quotes the signature, a redirect repeats the query. The charset is not the
        # server's to choose: Python has codecs that decompress, or fail.
        headers = [(name.encode(), _redacted(value).encode()) for name, value in outcome.headers.items()]
        body = _redacted(outcome.content.decode(errors="replace"))
        return status_error(outcome.status_code, body, httpx.Headers(headers), request=info)
    timed_out = isinstance(outcome, (httpx.TimeoutException, TimeoutError))
    kind = APITimeoutError if timed_out else APIConnectionError
    reason = str(outcome) or ("timed out" if timed_out else type(outcome).__name__)
    error = kind(f"{request.method} {request.url.copy_with(query=None)}: {reason}", request=info)
    error.__cause__ = outcome
    return error


def _scrubbed(error: Exception) -> Exception:
    """Take echoes of the signature out of an error and of those that led to it: some quote what the server sent."""
    link: BaseException | None = error
    while link is not None:
        link.args = tuple(_redacted(part) if isinstance(part, str) else part for part in link.args)
        link = link.__cause__ or link.__context__
    return error


def _redacted(text: str) -> str:
    return _SIGNATURE.sub("[redacted]", text)


def _closed_error(client: httpx.Client | httpx.AsyncClient, error: RuntimeError) -> Exception:
    return PusherError("the client is closed") if client.is_closed else error
