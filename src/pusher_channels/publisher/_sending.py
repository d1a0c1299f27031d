"""Sending a batch with the client's own transport, and telling whether a failed one may have been taken."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pusher_channels._async_transport import AsyncTransport
from pusher_channels._config import Settings
from pusher_channels._http.answers import RawResponse
from pusher_channels._http.messages import Failure
from pusher_channels._pool import Pool
from pusher_channels._retry import certainly_not_taken
from pusher_channels._transport import Send, Transport
from pusher_channels.errors import APIError, PusherError
from pusher_channels.publisher._core import Delivery
from pusher_channels_rest.models import BatchEvent, TriggerBatchResult
from pusher_channels_rest.operations.events import trigger_batch_request

if TYPE_CHECKING:
    import httpx

    from pusher_channels._async_transport import AsyncHttpSender
    from pusher_channels._transport import HttpSender


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

    def end(self, outcome: RawResponse | Failure) -> RawResponse | Failure:
        self._under_way = False
        self._in_doubt = self._in_doubt or not certainly_not_taken(outcome)
        return outcome

    def success(self, result: TriggerBatchResult) -> Delivery:
        return Delivery(result=result, requests=self.requests)

    def cut_off(self, reason: str) -> Delivery:
        error = PusherError(reason)
        return Delivery(error=error, in_doubt=self._in_doubt or self._under_way, requests=self.requests)

    def failure(self, error: Exception) -> Delivery:
        # A PusherError that is no APIError is ours, of before the sending: the client is closed, plaintext is refused.
        ours = isinstance(error, PusherError) and not isinstance(error, APIError)
        in_doubt = self._in_doubt or (self._under_way and not ours)
        return Delivery(error=error, in_doubt=in_doubt, requests=self.requests)


class Sender(Transport):
    """Sends the batches of one thread."""

    def __init__(self, settings: Settings, pool: Pool[httpx.Client]) -> None:
        super().__init__(settings, pool)
        self._account = _Account()

    def send(self, events: Sequence[BatchEvent]) -> Delivery:
        """Send events in one request, and again as the client's options say. It raises nothing."""
        account = self._account = _Account()
        try:
            request = trigger_batch_request(self.app_id, batch=events, limits=self.limits)
            return account.success(self.call(request))
        except Exception as error:
            return account.failure(error)
        except BaseException as error:  # of a hook: it must not take the thread, and the other events, with it
            _log.exception("sending was ended")
            return account.cut_off(f"the sending was ended by a {type(error).__name__}")

    def _attempt(self, sender: HttpSender, step: Send) -> RawResponse | Failure:
        self._account.begin()
        return self._account.end(super()._attempt(sender, step))


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
        return account.cut_off("the task that was to send it was cancelled")

    async def _attempt(self, sender: AsyncHttpSender, step: Send) -> RawResponse | Failure:
        self._account.begin()
        return self._account.end(await super()._attempt(sender, step))
