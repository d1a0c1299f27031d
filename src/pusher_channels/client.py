"""The two clients, `Pusher` and `AsyncPusher`: the same names, arguments, results and errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Self

from pusher_channels._base import BaseClient
from pusher_channels_rest.lazy import forks_wait, once
from pusher_channels_rest.resources import AsyncResources, Resources

if TYPE_CHECKING:
    from types import TracebackType

    import httpx  # noqa: F401  named in the strings below

    from pusher_channels._async_transport import AsyncTransport
    from pusher_channels._builder import Event
    from pusher_channels._http.answers import RawResponse
    from pusher_channels._transport import Transport
    from pusher_channels.publisher import AsyncPublisher, Publisher
    from pusher_channels_rest.models import NotifyResult, TriggerBatchResult, TriggerResult


class Pusher(BaseClient["httpx.Client"], Resources):
    """The client of one Pusher Channels app. Safe to share between threads; close it, or use it in a ``with``.

    The verbs publish; ``channels``, ``events``, ``users`` and ``push_notifications`` are the API's own operations.
    """

    _http_client_kind = "Client"

    @once
    def _transport(self) -> Transport:
        from pusher_channels._transport import Transport

        return Transport(self._state.settings, self._state.pool)

    @property
    def _caller(self) -> Transport:
        return self._transport

    def trigger(
        self,
        channels: str | Sequence[str],
        event_name: str,
        data: object,
        *,
        socket_id: str | None = None,
        info: Sequence[str] | str = (),
    ) -> TriggerResult:
        """Publish an event on one channel, or on up to 100.

        https://pusher.com/docs/channels/library_auth_reference/rest-api/#post-event-trigger-an-event

        Args:
            channels: The channel or channels. An encrypted channel must stand alone, and its data is encrypted here.
            event_name: The event's name, at most 200 characters.
            data: A str is sent as it is, bytes as UTF-8 text, anything else as compact JSON: dataclasses, attrs and
                pydantic models, UUID, Enum, Decimal (as text) and aware datetimes (ISO 8601) encode by themselves.
                At most 10,240 bytes as sent, after encryption.
            socket_id: A connection that is not to receive the event: the one that caused it.
            info: Counts to answer with: ``user_count`` and ``subscription_count``. Asking counts as a second message.

        Returns:
            The counts by channel, if ``info`` asked for them.

        Raises:
            InvalidArgumentError: An argument breaks its rule. Nothing was sent.
            ConfigurationError: The channel is encrypted and the client has no master key. Nothing was sent.
            APIError: The call failed; its subclass says how.
        """
        return self._transport.call(self._build.trigger(channels, event_name, data, socket_id, info))

    def trigger_batch(self, events: Iterable[Event]) -> TriggerBatchResult:
        """Publish up to 10 events in one request, each on its own channel. Encrypted channels are encrypted each.

        https://pusher.com/docs/channels/library_auth_reference/rest-api/#post-batch-events-trigger-multiple-events

        Returns:
            The counts by the events' positions, if any event's ``info`` asked for them.

        Raises:
            InvalidArgumentError: An event breaks a rule: the error names it (``events[3].data``). Nothing was sent.
            ConfigurationError: A channel is encrypted and the client has no master key. Nothing was sent.
            APIError: The call failed; its subclass says how.
        """
        return self._transport.call(self._build.trigger_batch(events))

    def send_to_user(self, user_id: str, event_name: str, data: object) -> TriggerResult:
        """Publish an event to all connections on which a user has signed in.

        https://pusher.com/docs/channels/server_api/server-user-events/

        Args:
            user_id: The user's id, as `authenticate_user` signed it: 1 to 200 of the characters of channel names.
            event_name: The event's name, at most 200 characters.
            data: As for `trigger`.

        Raises:
            InvalidArgumentError: An argument breaks its rule. Nothing was sent.
            APIError: The call failed; its subclass says how.
        """
        return self._transport.call(self._build.send_to_user(user_id, event_name, data))

    def notify(
        self,
        interests: Sequence[str],
        *,
        apns: Mapping[str, object] | None = None,
        gcm: Mapping[str, object] | None = None,
        fcm: Mapping[str, object] | None = None,
        webhook_url: str | None = None,
    ) -> NotifyResult:
        """Publish a legacy push notification. The provider has ended this service: for servers that still have it.

        Args:
            interests: 1 to 10 interests.
            apns: The payload for Apple's gateway. At least one payload is needed.
            gcm: The payload for Google's old gateway.
            fcm: The payload for Firebase.
            webhook_url: A URL that is told about results and errors.

        Raises:
            InvalidArgumentError: An argument breaks its rule. Nothing was sent.
            ConfigurationError: The client has neither ``push_notification_host`` nor ``host``. Nothing was sent.
            APIError: The call failed; its subclass says how.
        """
        return self._transport.call(self._build.notify(interests, apns, gcm, fcm, webhook_url))

    def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None
    ) -> RawResponse:
        """Send any signed request: for an endpoint that this version does not know.

        Args:
            method: The HTTP method.
            path: The escaped path: the app's own such as ``/channels``, or a whole one such as ``/apps/3/channels``.
            query: Query parameters, raw. The keys of the signature are refused.
            body: A str or bytes are sent as they are, anything else as JSON. A POST without one sends ``{}``.

        Returns:
            The answer, if its status is in the 200s.

        Raises:
            InvalidArgumentError: An argument breaks its rule. Nothing was sent.
            EncryptionError: It would send plaintext to an encrypted channel. Nothing was sent.
            APIError: The call failed; its subclass says how.
        """
        return self._transport.request(*self._build.raw(method, path, query, body))

    def publisher(
        self,
        *,
        max_queue: int = 10_000,
        when_full: Literal["wait", "refuse"] = "wait",
        max_age: float = 0.05,
        concurrency: int = 4,
        split_refused: bool = True,
    ) -> Publisher:
        """Make a publisher: it takes events from any thread, sends them in batches, and tells each one's outcome.

            with pusher.publisher() as publisher:
                future = publisher.publish("orders", "created", {"id": 17})

        Close it before this client. It keeps the order of each channel, and sends with this client's options; see
        docs/publisher.md for what it promises.

        Args:
            max_queue: The most events that it holds, waiting and under way.
            when_full: "wait" makes `publish` wait for room; "refuse" makes it raise `QueueFullError`.
            max_age: Seconds that an event may wait for others to share its request.
            concurrency: The most requests at once, which is also the number of threads.
            split_refused: Send the events of a batch that was refused with 400 or 413 again one by one, so that a bad
                event fails alone. Such a batch counts as not taken.

        Raises:
            ConfigurationError: An option cannot work.
        """
        with forks_wait():
            from pusher_channels.publisher import Publisher
            from pusher_channels.publisher._options import Options
            from pusher_channels.publisher._sending import Sender

        state = self._state
        options = Options(
            max_queue=max_queue,
            when_full=when_full,
            max_age=max_age,
            concurrency=concurrency,
            split_refused=split_refused,
        )
        return Publisher(options, self._build, state.settings, lambda: Sender(state.settings, state.pool))

    def close(self) -> None:
        """Close the client: further calls raise a `PusherError`, "the client is closed".

        Calls that other threads have begun go on to their end, retries included, and each gets its outcome. This does
        not wait for them: the connections are closed now if there are none, else when the last of them is over. Closing
        again does nothing, nor does closing a view. An ``http_client`` of your own stays open.
        """
        if not self._state.is_view:
            self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class AsyncPusher(BaseClient["httpx.AsyncClient"], AsyncResources):
    """The asyncio twin of `Pusher`: the same names, arguments, results and errors. Close it, or use ``async with``."""

    _http_client_kind = "AsyncClient"

    @once
    def _transport(self) -> AsyncTransport:
        from pusher_channels._async_transport import AsyncTransport

        return AsyncTransport(self._state.settings, self._state.pool)

    @property
    def _caller(self) -> AsyncTransport:
        return self._transport

    async def trigger(
        self,
        channels: str | Sequence[str],
        event_name: str,
        data: object,
        *,
        socket_id: str | None = None,
        info: Sequence[str] | str = (),
    ) -> TriggerResult:
        """Publish an event on one channel, or on up to 100: see `Pusher.trigger`."""
        return await self._transport.call(self._build.trigger(channels, event_name, data, socket_id, info))

    async def trigger_batch(self, events: Iterable[Event]) -> TriggerBatchResult:
        """Publish up to 10 events in one request: see `Pusher.trigger_batch`."""
        return await self._transport.call(self._build.trigger_batch(events))

    async def send_to_user(self, user_id: str, event_name: str, data: object) -> TriggerResult:
        """Publish an event to all connections on which a user has signed in: see `Pusher.send_to_user`."""
        return await self._transport.call(self._build.send_to_user(user_id, event_name, data))

    async def notify(
        self,
        interests: Sequence[str],
        *,
        apns: Mapping[str, object] | None = None,
        gcm: Mapping[str, object] | None = None,
        fcm: Mapping[str, object] | None = None,
        webhook_url: str | None = None,
    ) -> NotifyResult:
        """Publish a legacy push notification: see `Pusher.notify`."""
        return await self._transport.call(self._build.notify(interests, apns, gcm, fcm, webhook_url))

    async def request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None
    ) -> RawResponse:
        """Send any signed request: see `Pusher.request`."""
        return await self._transport.request(*self._build.raw(method, path, query, body))

    def publisher(
        self,
        *,
        max_queue: int = 10_000,
        when_full: Literal["wait", "refuse"] = "wait",
        max_age: float = 0.05,
        concurrency: int = 4,
        split_refused: bool = True,
    ) -> AsyncPublisher:
        """Make a publisher for the tasks of one event loop: see `Pusher.publisher`.

        async with pusher.publisher() as publisher:
            future = await publisher.publish("orders", "created", {"id": 17})  # waits for room in the queue
            await future  # waits for the outcome
        """
        with forks_wait():
            from pusher_channels.publisher import AsyncPublisher
            from pusher_channels.publisher._options import Options
            from pusher_channels.publisher._sending import AsyncSender

        state = self._state
        options = Options(
            max_queue=max_queue,
            when_full=when_full,
            max_age=max_age,
            concurrency=concurrency,
            split_refused=split_refused,
        )
        return AsyncPublisher(options, self._build, state.settings, lambda: AsyncSender(state.settings, state.pool))

    async def aclose(self) -> None:
        """Close the client: see `Pusher.close`.

        The connections of this event loop are closed on return, if no call is under way. Other running event loops
        close theirs by themselves. A client that is not closed loses its connections when `asyncio.run` ends, and can
        be used in the next one; in a loop that you run and close yourself, await this first.
        """
        if not self._state.is_view:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()
