"""Sending a batch with the client's own transport, and telling whether a failed one may have been taken."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import attrs
import httpx

from pusher_channels._answers import RawResponse
from pusher_channels._async_client import AiohttpClient
from pusher_channels._config import Settings
from pusher_channels._encryption import refuse_plaintext
from pusher_channels._pool import Pool
from pusher_channels._retry import certainly_not_taken
from pusher_channels._sync_client import LimitedClient
from pusher_channels._transport import AsyncTransport, Transport
from pusher_channels.errors import APIError, PusherError
from pusher_channels.publisher._core import Delivery
from pusher_channels.publisher._wire import AsyncWire, Routes, Wire
from pusher_channels_rest.codec import Request
from pusher_channels_rest.models import BatchEvent, TriggerBatchResult
from pusher_channels_rest.operations.events import trigger_batch_request

_log = logging.getLogger("pusher_channels")


class _Account:
    """Follows the attempts of one call: with ``retry_unsafe`` an early one may be in doubt, whatever the last says."""

    def __init__(self) -> None:
        self.requests = 0
        self._in_doubt = False
        self._under_way = False

    def begin(self) -> None:
        self.requests += 1
        self._under_way = True

    def end(self, outcome: RawResponse | Exception) -> RawResponse | Exception:
        self._under_way = False
        self._in_doubt = self._in_doubt or not certainly_not_taken(outcome)
        return outcome

    def success(self, result: TriggerBatchResult) -> Delivery:
        return Delivery(result=result, requests=self.requests)

    def cut_off(self) -> Delivery:
        error = PusherError("the task that was to send it was cancelled")
        return Delivery(error=error, in_doubt=self._in_doubt or self._under_way, requests=self.requests)

    def failure(self, error: Exception) -> Delivery:
        # A PusherError that is no APIError is ours, of before the sending: the client is closed, plaintext is refused.
        ours = isinstance(error, PusherError) and not isinstance(error, APIError)
        in_doubt = self._in_doubt or (self._under_way and not ours)
        return Delivery(error=error, in_doubt=in_doubt, requests=self.requests)


class Sender(Transport):
    """Sends the batches of one thread."""

    def __init__(self, settings: Settings, pool: Pool[httpx.Client], routes: Routes) -> None:
        super().__init__(settings, pool)
        self._given = settings
        self._routes = routes
        self._wire: Wire | None = None
        self._account = _Account()
        self._first: RawResponse | Exception | None = None

    def send(self, events: Sequence[BatchEvent]) -> Delivery:
        """Send events in one request, and again as the client's options say. It raises nothing."""
        account = self._account = _Account()
        ends = time.monotonic() + self._given.deadline
        try:
            request = trigger_batch_request(self.app_id, batch=events, limits=self.limits)
            self._first = first = self._try_short_way(request)
            if isinstance(first, RawResponse) and first.status_code == 200:
                self._pool.budget.earn()
                return account.success(request.operation.decode(first.content))
            self._settings = _until(ends, self._given)
            return account.success(self.call(request))
        except Exception as error:
            return account.failure(error)

    def close(self) -> None:
        """Close its own connection."""
        if self._wire is not None:
            self._wire.close()

    def _try_short_way(self, request: Request[TriggerBatchResult]) -> RawResponse | Exception | None:
        """Make the first attempt, if the short way is open."""
        if not isinstance(self._client(), LimitedClient) or _log.isEnabledFor(logging.DEBUG):
            return None
        if self._wire is None:
            route = self._routes.find(self._settings, self._prepare_operation(request))
            if route is None:
                return None
            self._wire = Wire(route)
        wire, path, body = self._wire, request.path, request.body or b""
        refuse_plaintext(path, (), body)
        self._account.begin()
        connection = wire.open()
        if isinstance(connection, Exception):
            return self._account.end(connection)
        # Signed when the connection is there, which may have taken its time.
        message = wire.route.message(path, body, self._settings.credentials, self._pool.clock.now())
        return self._account.end(wire.exchange(connection, *message))

    def _attempt(self, step: Any) -> RawResponse | Exception:
        first, self._first = self._first, None
        if first is not None:
            return first  # the exchange goes on from what the short way led to
        self._account.begin()
        return self._account.end(super()._attempt(step))


class AsyncSender(AsyncTransport):
    """Sends batches, one at a time."""

    def __init__(self, settings: Settings, pool: Pool[httpx.AsyncClient], routes: Routes) -> None:
        super().__init__(settings, pool)
        self._given = settings
        self._routes = routes
        self._wire: AsyncWire | None = None
        self._account = _Account()
        self._first: RawResponse | Exception | None = None

    async def send(self, events: Sequence[BatchEvent]) -> Delivery:
        """Send events in one request, and again as the client's options say. It raises nothing but CancelledError."""
        account = self._account
        ends = time.monotonic() + self._given.deadline
        try:
            request = trigger_batch_request(self.app_id, batch=events, limits=self.limits)
            self._first = first = await self._try_short_way(request)
            if isinstance(first, RawResponse) and first.status_code == 200:
                self._pool.budget.earn()
                delivery = account.success(request.operation.decode(first.content))
            else:
                self._settings = _until(ends, self._given)
                delivery = account.success(await self.call(request))
        except Exception as error:
            delivery = account.failure(error)
        self._account = _Account()
        return delivery

    def cut_off(self) -> Delivery:
        """Return what became of a sending that was cancelled, be it before it began."""
        account, self._account = self._account, _Account()
        return account.cut_off()

    def close(self) -> None:
        """Close its own connection."""
        if self._wire is not None:
            self._wire.close()

    async def _try_short_way(self, request: Request[TriggerBatchResult]) -> RawResponse | Exception | None:
        """Make the first attempt, if the short way is open."""
        if not isinstance(self._client(), AiohttpClient) or _log.isEnabledFor(logging.DEBUG):
            return None
        if self._wire is None:
            route = self._routes.find(self._settings, self._prepare_operation(request))
            if route is None:
                return None
            self._wire = AsyncWire(route)
        wire, path, body = self._wire, request.path, request.body or b""
        refuse_plaintext(path, (), body)
        self._account.begin()
        connection = await wire.open()
        if isinstance(connection, Exception):
            return self._account.end(connection)
        # Signed when the connection is there, which may have taken its time.
        message = wire.route.message(path, body, self._settings.credentials, self._pool.clock.now())
        return self._account.end(await wire.exchange(connection, *message))

    async def _attempt(self, step: Any) -> RawResponse | Exception:
        first, self._first = self._first, None
        if first is not None:
            return first  # the exchange goes on from what the short way led to
        self._account.begin()
        return self._account.end(await super()._attempt(step))


def _until(ends: float, settings: Settings) -> Settings:
    """Return the settings for the rest of a call: the first attempt had its share of the deadline."""
    return attrs.evolve(settings, deadline=max(0.001, ends - time.monotonic()))
