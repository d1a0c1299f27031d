"""Webhooks: batched, signed, sent, and sent again until they are taken.

A webhook is built once. A retry sends the same bytes under the same signature, as the hosted service does.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Coroutine, Hashable

import attrs
import httpx

from pusher_channels.emulator.config import AppConfig, WebhookEndpoint
from pusher_channels.emulator.console_feed import Delivery, Feed
from pusher_channels.emulator.frames import to_json
from pusher_channels_rest.models import WebhookBody
from pusher_channels_rest.webhooks import WebhookEvent

Log = Callable[[str], None]
Clock = Callable[[], float]


@attrs.frozen
class Webhook:
    """A signed request, ready to be sent as often as it takes."""

    url: str
    body: bytes
    headers: dict[str, str] = attrs.field(repr=False)
    names: tuple[str, ...]
    give_up_at: float
    delivery: Delivery = attrs.field(eq=False, repr=False)


class WebhookSender:
    """An app's webhooks: what happened goes in, signed requests go out to each endpoint."""

    def __init__(self, config: AppConfig, log: Log, clock: Clock, feed: Feed) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay = config.webhook_delay
        self._delayed: dict[Hashable, asyncio.TimerHandle] = {}
        self._queues = tuple(_EndpointQueue(config, endpoint, log, clock, feed) for endpoint in config.webhooks)

    def emit(self, event: WebhookEvent) -> None:
        """Send the event in the next webhook."""
        for queue in self._queues:
            queue.put(event)

    def emit_later(self, key: Hashable, event: WebhookEvent) -> None:
        """Send the event after the app's delay, unless `cancel` is called for the key before."""
        if not self._queues:
            return

        def emit() -> None:
            del self._delayed[key]
            self.emit(event)

        self._delayed[key] = self._loop.call_later(self._delay, emit)

    def cancel(self, key: Hashable) -> bool:
        """Take back what `emit_later` was given. False if there is nothing, or it is sent already."""
        handle = self._delayed.pop(key, None)
        if handle is None:
            return False
        handle.cancel()
        return True

    async def aclose(self) -> None:
        """Stop: webhooks not yet sent are dropped, as the process ends anyway."""
        for handle in self._delayed.values():
            handle.cancel()
        self._delayed.clear()
        for queue in self._queues:
            await queue.aclose()


class _EndpointQueue:
    """One endpoint's events. First attempts go one after another, so that a receiver sees them in order."""

    def __init__(self, config: AppConfig, endpoint: WebhookEndpoint, log: Log, clock: Clock, feed: Feed) -> None:
        self._feed = feed
        self._config = config
        self._clock = clock
        self._endpoint = endpoint
        # No proxy: a development server's webhooks go to the developer's own machine.
        self._client = httpx.AsyncClient(timeout=config.webhook_timeout, trust_env=False)
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._batch: list[WebhookEvent] = []
        self._flush_timer: asyncio.TimerHandle | None = None
        self._ready: asyncio.Queue[Webhook] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._start(self._send_in_order())

    def put(self, event: WebhookEvent) -> None:
        if not self._endpoint.wants(event.name):
            return
        self._batch.append(event)
        if len(self._batch) >= self._config.webhook_batch_events:
            self._flush()
        elif self._flush_timer is None:
            self._flush_timer = self._loop.call_later(self._config.webhook_batch_delay, self._flush)

    async def aclose(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _flush(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        events, self._batch = tuple(self._batch), []
        body = to_json(WebhookBody(time_ms=int(self._clock() * 1000), events=events).to_dict()).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "pusher-webhooks",
            "X-Pusher-Key": self._config.key,
            "X-Pusher-Signature": hmac.digest(self._config.secret.encode(), body, "sha256").hex(),
        }
        names = tuple(event.name for event in events)
        delivery = self._feed.deliver(self._endpoint.url, names, body)
        give_up_at = self._loop.time() + self._config.webhook_retry_for
        self._ready.put_nowait(Webhook(self._endpoint.url, body, headers, names, give_up_at, delivery))

    async def _send_in_order(self) -> None:
        while True:
            webhook = await self._ready.get()
            if self._loop.time() >= webhook.give_up_at:
                # Its receiver is too slow for all that happens: it must not fill the memory.
                self._give_up(webhook)
            elif not await self._attempt(webhook):
                # What comes after must not wait for a receiver that is down for one event only.
                self._start(self._retry(webhook))

    async def _retry(self, webhook: Webhook) -> None:
        delay = self._config.webhook_retry_delay
        while self._loop.time() + delay < webhook.give_up_at:
            await asyncio.sleep(delay)
            if await self._attempt(webhook):
                return
            delay *= 2
        self._give_up(webhook)

    def _give_up(self, webhook: Webhook) -> None:
        self._log(f"webhook given up: {' '.join(webhook.names)}")
        self._feed.gave_up(webhook.delivery)

    async def _attempt(self, webhook: Webhook) -> bool:
        try:
            response = await self._client.post(webhook.url, content=webhook.body, headers=webhook.headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._log(f"webhook {webhook.url} failed ({type(error).__name__}): {' '.join(webhook.names)}")
            self._feed.attempted(webhook.delivery, type(error).__name__, is_success=False)
            return False
        self._log(f"webhook {webhook.url} {response.status_code}: {' '.join(webhook.names)}")
        self._feed.attempted(webhook.delivery, str(response.status_code), is_success=response.is_success)
        return response.is_success
