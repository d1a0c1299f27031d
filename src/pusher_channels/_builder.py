"""How the verbs' arguments become requests: the same for both clients, which differ in the sending alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, cast

import attrs

from pusher_channels._encryption import KeyRing, is_encrypted
from pusher_channels._json import JsonEncoder, encode_data
from pusher_channels.errors import InvalidArgumentError
from pusher_channels_rest.lazy import forks_wait
from pusher_channels_rest.models import BatchEvent
from pusher_channels_rest.operations.events import trigger_batch_request, trigger_request
from pusher_channels_rest.scalars import check_channel_name, check_user_id

if TYPE_CHECKING:
    from pusher_channels_rest.codec import Request
    from pusher_channels_rest.limits import Limits
    from pusher_channels_rest.models import NotifyResult, TriggerBatchResult, TriggerResult


@attrs.frozen
class Event:
    """One event of a batch.

    Attributes:
        channel: The channel's name.
        name: The event's name, at most 200 characters.
        data: The payload: a str is sent as it is, anything else as JSON (see `Pusher.trigger`).
        socket_id: A connection that is not to receive the event: the one that caused it.
        info: Counts to answer with: ``user_count`` and ``subscription_count``, as names or a comma list.
    """

    channel: str
    name: str
    data: object
    socket_id: str | None = attrs.field(default=None, kw_only=True)
    info: Sequence[str] | str = attrs.field(default=(), kw_only=True)


class RequestBuilder:
    """Checks, encodes and encrypts what one app sends."""

    def __init__(self, app_id: str, limits: Limits, keys: KeyRing, json_encoder: JsonEncoder | None) -> None:
        self._app_id = app_id
        self._limits = limits
        self._keys = keys
        self._json_encoder = json_encoder

    def _encoded(self, channel: object, argument: str, data: object) -> str:
        text = encode_data(data, "data", self._json_encoder)
        if not isinstance(channel, str) or not is_encrypted(channel):
            return text
        sealed = self._keys.encrypt(check_channel_name(channel, argument), text)  # no key of a bad name
        limit = self._limits.max_data_bytes
        if len(sealed) > limit:
            rule = f"must be at most {limit} bytes long when encrypted, which makes it a third longer"
            raise InvalidArgumentError("data", rule)
        return sealed

    def trigger(
        self,
        channels: str | Sequence[str],
        event_name: str,
        data: object,
        socket_id: str | None = None,
        info: Sequence[str] | str = (),
    ) -> Request[TriggerResult]:
        if channels is None:  # pyright: ignore[reportUnnecessaryComparison]  the generated code takes it as not given
            raise InvalidArgumentError("channels", "must be the name of a channel, or a list of names")
        names: Sequence[str] = [channels] if isinstance(channels, str) else channels
        encrypted = _encrypted_among(names)
        if encrypted and len(names) > 1:
            raise InvalidArgumentError("channels", "must be one channel alone when it is a private-encrypted- channel")
        try:
            return trigger_request(
                self._app_id,
                name=event_name,
                data=self._encoded(encrypted[0] if encrypted else None, "channels[0]", data),
                channels=names,
                socket_id=socket_id,
                info=info,
                limits=self._limits,
            )
        except InvalidArgumentError as error:
            raise _renamed(error, "name", "event_name") from None

    def trigger_batch(self, events: Iterable[Event]) -> Request[TriggerBatchResult]:
        try:
            iterator = iter(events)  # nothing more: what a generator of the caller's raises is the caller's
        except TypeError:
            raise InvalidArgumentError("events", "must be an iterable of Event") from None
        # One more than the limit is enough to refuse: the iterable may have no end.
        taken = list(islice(iterator, self._limits.max_batch_events + 1))
        try:
            batch = [self._batch_event(event, index) for index, event in enumerate(taken)]
            return trigger_batch_request(self._app_id, batch=batch, limits=self._limits)
        except InvalidArgumentError as error:
            raise _renamed(error, "batch", "events") from None

    def _batch_event(self, event: Event, index: int) -> BatchEvent:
        where = f"batch[{index}]"
        try:
            return self.one_event(event, where)
        except InvalidArgumentError as error:
            raise error if error.argument == where else error.under(where) from None

    def one_event(self, event: Event, argument: str) -> BatchEvent:
        if not isinstance(event, Event):  # pyright: ignore[reportUnnecessaryIsInstance]  users without a type checker
            raise InvalidArgumentError(argument, "must be an Event")
        return self.batch_event(event.channel, event.name, event.data, event.socket_id, event.info)

    def batch_event(
        self, channel: str, name: str, data: object, socket_id: str | None = None, info: Sequence[str] | str = ()
    ) -> BatchEvent:
        return BatchEvent(
            channel=channel,
            name=name,
            data=self._encoded(channel, "channel", data),
            socket_id=socket_id,
            info=info,
            limits=self._limits,
        )

    def send_to_user(self, user_id: str, event_name: str, data: object) -> Request[TriggerResult]:
        return self.trigger(f"#server-to-user-{check_user_id(user_id, 'user_id')}", event_name, data)

    def notify(
        self,
        interests: Sequence[str],
        apns: Mapping[str, object] | None,
        gcm: Mapping[str, object] | None,
        fcm: Mapping[str, object] | None,
        webhook_url: str | None,
    ) -> Request[NotifyResult]:
        with forks_wait():
            from pusher_channels_rest.operations.push_notifications import publish_request

        return publish_request(self._app_id, interests=interests, apns=apns, gcm=gcm, fcm=fcm, webhook_url=webhook_url)

    def raw(
        self, method: str, path: str, query: Mapping[str, str] | None, body: object
    ) -> tuple[str, str, tuple[tuple[str, str], ...], bytes | None]:
        with forks_wait():
            from pusher_channels._raw import raw_body, raw_method, raw_path, raw_query

        method = raw_method(method)
        return method, raw_path(path, self._app_id), raw_query(query), raw_body(method, body)


def _encrypted_among(channels: object) -> list[str]:
    """Find the encrypted channels. What is no sequence is refused later, and a generator must not be used up here."""
    listed = cast("Sequence[object]", channels) if isinstance(channels, Sequence) else ()
    return [name for name in listed if isinstance(name, str) and is_encrypted(name)]


def _renamed(error: InvalidArgumentError, generated: str, public: str) -> InvalidArgumentError:
    """Name the argument as the caller of the handwritten verb knows it."""
    if error.argument == generated or error.argument.startswith((f"{generated}[", f"{generated}.")):
        return InvalidArgumentError(public + error.argument.removeprefix(generated), error.rule)
    return error
