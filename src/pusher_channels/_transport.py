"""A call: sign, send, wait, try again, correct the clock, give up.

The logic stands once, in `BaseTransport._exchange`. It is a generator that asks for attempts and waits; the two
transports, `Transport` here and `AsyncTransport`, differ only in how they carry those out.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Generator
from functools import cache, partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import attrs

from pusher_channels import _retry
from pusher_channels._attempts import Attempt, begin, is_observed, tell
from pusher_channels._config import Settings, may_be_added
from pusher_channels._http.answers import Headers, RawResponse
from pusher_channels._http.environment import OtherProxy, proxy_for, ssl_contexts
from pusher_channels._http.messages import Failure, HttpProxy, Origin, Outgoing, TimeLimit
from pusher_channels._pool import Clock, Pool
from pusher_channels._signer import RequestSigner
from pusher_channels._version import __version__
from pusher_channels.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    ConfigurationError,
    RequestInfo,
    ResponseDecodeError,
    status_error,
)
from pusher_channels_rest.codec import DEFAULT_SERVER, Request, Server
from pusher_channels_rest.limits import Limits

if TYPE_CHECKING:
    import httpx

    from pusher_channels._http.connections import Connections
    from pusher_channels._http.through_httpx import HttpxSender

    HttpSender = Connections | HttpxSender

T = TypeVar("T")
ClientT = TypeVar("ClientT", bound="httpx.Client | httpx.AsyncClient")

_HEADERS = {
    "Accept": "application/json",
    "User-Agent": f"pusher-channels-sdk/{__version__}",
    "X-Pusher-Library": f"pusher-channels-sdk {__version__}",
}
_SHOWN = 500
"""Bytes of an unreadable answer that its error shows."""
_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}")
_log = logging.getLogger("pusher_channels")


@attrs.define
class Send:
    """Ask for one attempt."""

    request: Outgoing
    signer: RequestSigner
    limit: TimeLimit


Outcome = RawResponse | Failure | None
Exchange = Generator[Send | float, Outcome, RawResponse]
"""Asks for attempts, and for waits of so many seconds."""


class BaseTransport(Generic[ClientT]):
    def __init__(self, settings: Settings, pool: Pool[ClientT]) -> None:
        self._settings = settings
        self._pool = pool
        self._signer = self._signer_by(pool.clock.now)
        self._origins: dict[Server, Origin] = {}
        given = settings.headers  # their names are in lower case
        self._headers = {name: value for name, value in _HEADERS.items() if name.lower() not in given} | {**given}
        self._headers_with_body = {**self._headers, "Content-Type": "application/json"}

    @property
    def app_id(self) -> str:
        return self._settings.credentials.app_id

    @property
    def limits(self) -> Limits:
        return self._settings.limits

    def _signer_by(self, clock: Callable[[], float]) -> RequestSigner:
        return RequestSigner(self._settings.credentials.key, self._settings.credentials.secret, clock)

    def _prepare(
        self, server: Server, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None
    ) -> Outgoing:
        origin = self._origins.get(server)
        if origin is None:
            origin = self._origins[server] = Origin.parse(self._settings.hosts.origin(server))
        headers = self._headers if body is None else self._headers_with_body
        return Outgoing(method=method, origin=origin, path=path, query=query, headers=headers, body=body)

    def _prepare_operation(self, request: Request[T]) -> Outgoing:
        operation = request.operation
        return self._prepare(operation.server, operation.method, request.path, request.query, request.body)

    def _exchange_operation(self, request: Request[T], prepared: Outgoing) -> Exchange:
        operation = request.operation
        return self._exchange(prepared, idempotent=operation.idempotent, template=operation.path)

    def _exchange(self, request: Outgoing, *, idempotent: bool, template: str | None) -> Exchange:
        """Get a successful answer, or raise: the logic of a call, without the I/O."""
        settings, pool = self._settings, self._pool
        ends = time.monotonic() + settings.deadline
        repeatable = idempotent or settings.retry_unsafe
        signer, offset = self._signer, None
        number = retries = 0
        while True:
            number += 1
            step = Send(request, signer, self._limit_attempt(ends))
            outcome = yield from self._told(step, template, number) if self._is_told() else _made(step)
            answer = outcome if isinstance(outcome, RawResponse) else None
            if answer is not None and 200 <= answer.status_code <= 299:
                pool.budget.earn()
                if offset is not None:
                    pool.clock.offset = offset
                return answer
            if offset is None and answer is not None:
                offset = _retry.server_offset(request.origin, answer)
                if offset is not None:
                    _log.warning("the server's clock is %+.0f s off the local one: signing again with its time", offset)
                    signer = self._signer_by(Clock(offset).now)
                    continue
            error = _error_of(request, outcome)
            again = retries < settings.max_retries and _retry.may_repeat(outcome, repeatable=repeatable)
            wait = _retry.wait_before(retries, answer) if again else 0.0
            if not (again and time.monotonic() + wait < ends and pool.budget.spend()):
                raise error
            retries += 1
            reason = f"{request.method} {request.bare_url}: {error}" if answer else str(error)
            reason = " ".join(reason.split())  # one line, whatever the server sent
            _log.warning("%s; retry %d of %d in %.2f s", reason, retries, settings.max_retries, wait)
            yield wait

    def _is_told(self) -> bool:
        """Tell whether anybody wants to hear of the attempts."""
        settings = self._settings
        hooked = settings.on_request is not None or settings.on_response is not None
        return hooked or is_observed() or _log.isEnabledFor(logging.DEBUG)

    def _told(
        self, step: Send, template: str | None, number: int
    ) -> Generator[Send | float, Outcome, RawResponse | Failure]:
        """Make one attempt, and tell of it."""
        attempt = Attempt(request=_info(step.request), path_template=template, number=number, started=time.time())
        added: dict[str, str] = {}
        ended = begin(attempt, added)
        try:
            if added:
                step = attrs.evolve(step, request=_extended(step.request, added))
            tell(self._settings.on_request, attempt)
            clock = time.perf_counter()
            outcome = yield from _made(step)
            answer = outcome if isinstance(outcome, RawResponse) else None
            succeeded = answer is not None and 200 <= answer.status_code <= 299
            attempt = attrs.evolve(
                attempt,
                seconds=time.perf_counter() - clock,
                status_code=None if answer is None else answer.status_code,
                http_version=None if answer is None else answer.http_version,
                error=None if succeeded else _error_of(step.request, outcome),
            )
            _log.debug("%s", attempt)
            tell(self._settings.on_response, attempt)
        except BaseException as interruption:
            ended(interruption)
            raise
        ended(attempt)
        return outcome

    def _limit_attempt(self, ends: float) -> TimeLimit:
        """Return the time that the next attempt may take."""
        left = max(0.001, ends - time.monotonic())
        timeout = self._settings.timeout
        if isinstance(timeout, (int, float)):
            return TimeLimit(min(timeout, left))
        return TimeLimit(None if math.isinf(left) else left, timeout.as_dict())

    def _decode(self, request: Request[T], sent: Outgoing, answer: RawResponse) -> T:
        try:
            return request.operation.decode(answer.content)
        except ResponseDecodeError as error:
            error.request = _info(sent)
            body = _redacted(answer.content[:_SHOWN].decode(errors="replace"))
            error.add_note(f"{sent.method} {sent.bare_url} was answered with {answer.status_code}, and this: {body!r}")
            raise

    def _proxy_for(self) -> Callable[[Origin], HttpProxy | None]:
        """Return what finds the proxy for a server: asked once for each, as environments seldom change."""
        return cache(partial(_http_proxy_to, option=self._settings.proxy))

    def _needs_httpx(self) -> bool:
        """Tell whether the way to the API leads through a proxy that only httpx can speak to."""
        origin = Origin.parse(self._settings.hosts.origin(DEFAULT_SERVER))
        return isinstance(_proxy_to(origin, self._settings.proxy), OtherProxy)


def _proxy_to(origin: Origin, option: str | httpx.URL | httpx.Proxy | None) -> HttpProxy | OtherProxy | None:
    try:
        return proxy_for(origin, option)
    except OtherProxy as other:
        return other
    except ValueError:
        pass  # its text may have the proxy's password in it
    raise ConfigurationError(
        "proxy", "must be a URL such as http://host:port (or HTTPS_PROXY and the like, if not given)"
    )


def _http_proxy_to(origin: Origin, option: str | httpx.URL | httpx.Proxy | None) -> HttpProxy | None:
    proxy = _proxy_to(origin, option)
    if isinstance(proxy, OtherProxy):  # for this server, not for the API: that would have led to httpx
        raise ConfigurationError("proxy", f"is of a kind that cannot be used for {origin} alone")
    return proxy


def _made(step: Send) -> Generator[Send | float, Outcome, RawResponse | Failure]:
    outcome = yield step
    assert outcome is not None  # noqa: S101  only a wait has none
    return outcome


def unusable_proxy() -> ConfigurationError:
    return ConfigurationError("proxy", "cannot be used: see the cause of this error")


class Transport(BaseTransport["httpx.Client"]):
    """Carries out calls of threads. It is the `Caller` of the generated resources."""

    def call(self, request: Request[T]) -> T:
        """Send an operation's request and return its result."""
        prepared = self._prepare_operation(request)
        answer = self._carry_out(self._exchange_operation(request, prepared))
        return self._decode(request, prepared, answer)

    def request(self, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None) -> RawResponse:
        """Send any other request, signed."""
        prepared = self._prepare(DEFAULT_SERVER, method, path, query, body)
        return self._carry_out(self._exchange(prepared, idempotent=method in ("GET", "HEAD"), template=None))

    def close(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        sender = cast("HttpSender | None", self._pool.close())
        if sender is not None:
            sender.close()

    def _carry_out(self, exchange: Exchange) -> RawResponse:
        # One for the whole call: who closes the client meanwhile does not end it.
        sender = self._sender()
        outcome: Outcome = None
        while True:
            try:
                step = exchange.send(outcome)
            except StopIteration as stop:
                answer: RawResponse = stop.value
                return answer
            if not isinstance(step, Send):
                time.sleep(step)
                outcome = None
                continue
            try:
                outcome = self._attempt(sender, step)
            except BaseException as interruption:
                exchange.throw(interruption)  # which ends the attempt there too, and raises this again
                raise

    def _attempt(self, sender: HttpSender, step: Send) -> RawResponse | Failure:
        return sender.send(step.request, step.signer, step.limit)

    def _sender(self) -> HttpSender:
        return self._pool.sender(self._make_sender)

    def _make_sender(self) -> HttpSender:
        given, settings = self._pool.given, self._settings
        if given is None and not self._needs_httpx():
            from pusher_channels._http.connections import Connections

            return Connections(ssl_contexts(settings.verify), self._proxy_for())
        import httpx

        from pusher_channels._http.through_httpx import HttpxSender

        try:
            return HttpxSender(given or httpx.Client(proxy=settings.proxy, verify=settings.verify))
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise unusable_proxy() from error


def _info(request: Outgoing) -> RequestInfo:
    return RequestInfo(method=request.method, url=request.url)


def _extended(request: Outgoing, added: dict[str, str]) -> Outgoing:
    """Return the request with what an observer adds, except for what would replace a header or break the request."""
    own = {name.lower() for name in request.headers}
    good = {name: value for name, value in added.items() if may_be_added(name, value) and name.lower() not in own}
    return attrs.evolve(request, headers={**request.headers, **good})


def _error_of(request: Outgoing, outcome: RawResponse | Failure) -> APIError:
    """Return what to raise for an attempt that brought no success."""
    if isinstance(outcome, RawResponse):
        # Servers echo what was sent: a 401 quotes the signature, a redirect repeats the query. The charset is not the
        # server's to choose: Python has codecs that decompress, or fail.
        headers = Headers((name.encode(), _redacted(value).encode()) for name, value in outcome.headers.items())
        body = _redacted(outcome.content.decode(errors="replace"))
        return status_error(outcome.status_code, body, headers, request=_info(request))
    cause = _scrubbed(outcome.cause)
    kind = APITimeoutError if outcome.timed_out else APIConnectionError
    reason = str(cause) or ("timed out" if outcome.timed_out else type(cause).__name__)
    way = "" if outcome.proxy is None else f" through the proxy {outcome.proxy}"
    error = kind(f"{request.method} {request.bare_url}{way}: {reason}", request=_info(request))
    error.__cause__ = cause
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
