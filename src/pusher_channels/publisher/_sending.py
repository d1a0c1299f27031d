"""Sending a batch with the client's own transport, and telling whether a failed one may have been taken."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import attrs
import httpx

from pusher_channels._answers import RawResponse
from pusher_channels._config import Settings
from pusher_channels._encryption import refuse_plaintext
from pusher_channels._pool import Pool
from pusher_channels._retry import certainly_not_taken
from pusher_channels._sync_client import LimitedClient
from pusher_channels._transport import AsyncTransport, Transport
from pusher_channels.errors import APIError, PusherError
from pusher_channels.publisher._core import Delivery
from pusher_channels.publisher._wire import Routes, Wire
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

    def end(self, outcome: RawResponse | Exception) -> None:
        self._under_way = False
        self._in_doubt = self._in_doubt or not certainly_not_taken(outcome)

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
        self._routes = routes
        self._wire: Wire | None = None
        self._account = _Account()
        self._first: RawResponse | Exception | None = None

    def send(self, events: Sequence[BatchEvent]) -> Delivery:
        """Send events in one request, and again as the client's options say. It raises nothing."""
        account = self._account = _Account()
        ends = time.monotonic() + self._settings.deadline
        try:
            request = trigger_batch_request(self.app_id, batch=events, limits=self.limits)
            self._first = self._try_short_way(request)
            if isinstance(self._first, RawResponse) and self._first.status_code == 200:
                self._pool.budget.earn()
                return account.success(request.operation.decode(self._first.content))
            return account.success(self._call_until(request, ends))
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
        outcome: RawResponse | Exception | None = wire.open()
        if outcome is None:
            message = wire.route.message(path, body, self._settings.credentials, self._pool.clock.now())
            outcome = wire.exchange(*message)
        self._account.end(outcome)
        return outcome

    def _call_until(self, request: Request[TriggerBatchResult], ends: float) -> TriggerBatchResult:
        """Make the other attempts, in what the first one left of the deadline."""
        settings = self._settings
        left = max(0.001, ends - time.monotonic())
        self._settings = attrs.evolve(settings, deadline=left)
        try:
            return self.call(request)
        finally:
            self._settings = settings

    def _attempt(self, step: Any) -> RawResponse | Exception:
        first, self._first = self._first, None
        if first is not None:
            return first  # the exchange goes on from what the short way led to
        self._account.begin()
        outcome = super()._attempt(step)
        self._account.end(outcome)
        return outcome


class AsyncSender(AsyncTransport):
    """Sends batches, one at a time."""

    def __init__(self, settings: Settings, pool: Pool[httpx.AsyncClient]) -> None:
        super().__init__(settings, pool)
        self._account = _Account()

    async def send(self, events: Sequence[BatchEvent]) -> Delivery:
        """Send events in one request, and again as the client's options say. It raises nothing but CancelledError."""
        account = self._account
        try:
            request = trigger_batch_request(self.app_id, batch=events, limits=self.limits)
            delivery = account.success(await self.call(request))
        except Exception as error:
            delivery = account.failure(error)
        self._account = _Account()
        return delivery

    def cut_off(self) -> Delivery:
        """Return what became of a sending that was cancelled, be it before it began."""
        account, self._account = self._account, _Account()
        return account.cut_off()

    async def _attempt(self, step: Any) -> RawResponse | Exception:
        self._account.begin()
        outcome = await super()._attempt(step)
        self._account.end(outcome)
        return outcome
