"""What each operation of the HTTP API does.

Paths, methods, and the rules for names, ids and bodies come from the generated package. Only what the service checks
beyond its spec, and the words of its errors, stand here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import attrs

from pusher_channels.emulator.app import App
from pusher_channels.emulator.channels import USER_CHANNEL_PREFIX, channel_kind
from pusher_channels.emulator.controls import OVER_QUOTA_TEXT
from pusher_channels.emulator.frames import parse_object
from pusher_channels.emulator.request_auth import ApiError
from pusher_channels_rest.codec import Operation
from pusher_channels_rest.errors import InvalidArgumentError
from pusher_channels_rest.models import (
    BatchEvent,
    CachedEvent,
    Channel,
    ChannelAttributes,
    ChannelList,
    ChannelStats,
    ChannelUser,
    ChannelUsers,
    NotifyRequest,
    NotifyResult,
    TerminateConnectionsResult,
    TriggerBatchRequest,
    TriggerBatchResult,
    TriggerRequest,
    TriggerResult,
)
from pusher_channels_rest.operations import channels, events, push_notifications, users
from pusher_channels_rest.scalars import check_channel_name, check_event_name, check_socket_id, check_user_id

T = TypeVar("T")

INVALID_INFO = "info should be a comma separated list of attributes"
CHANNEL_ATTRIBUTES = frozenset({"user_count", "subscription_count", "cache"})
"""What can be asked of one channel. The spec leaves the list open for other servers."""

LIST_ATTRIBUTES = frozenset({"user_count", "subscription_count"})
"""What can be asked of all channels. Pusher documents the user count alone; soketi and Reverb have both."""

RESERVED_EVENT_PREFIX = "pusher"


@attrs.frozen(kw_only=True)
class Call:
    """An authenticated request: its path parameters, its own query parameters and its body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


@attrs.frozen
class Answer:
    """A success: what the body says, if anything, and a note for the log."""

    body: Mapping[str, object] | None
    note: str = ""
    status: int = 200


Handler = Callable[[App, Call], Answer]


def trigger(app: App, call: Call) -> Answer:
    """Publish one event to one or more channels."""
    _check_quota(app)
    fields = _json_object(call.body)
    _check_event(app, fields)
    if fields.get("channel") is None and fields.get("channels") is None:
        raise ApiError(400, "Missing required parameter: channels")
    request = _checked(TriggerRequest.from_dict, _known(TriggerRequest, fields), limits=app.config.limits)
    names = tuple(dict.fromkeys((request.channel,) if request.channel is not None else request.channels or ()))
    if len(names) > 1 and any(channel_kind(name).encrypted for name in names):
        raise ApiError(400, "An event for an encrypted channel cannot be published to other channels too")
    app.publish(names, request.name, request.data, socket_id=request.socket_id)
    note = f"{request.name} on {' '.join(names)}"
    if not request.info:
        return Answer(TriggerResult().to_dict(), note)
    app.messages += 1
    return Answer(
        TriggerResult(channels={name: _attributes(app, name, request.info) for name in names}).to_dict(), note
    )


def trigger_batch(app: App, call: Call) -> Answer:
    """Publish several events, all or none of them."""
    _check_quota(app)
    fields = _json_object(call.body)
    batch = fields.get("batch")
    if not isinstance(batch, list):
        raise ApiError(400, "Missing required parameter: batch")
    limit = app.config.limits.max_batch_events
    entries = cast("list[object]", batch)
    if len(entries) > limit:
        raise ApiError(400, f"Batch too large ({len(entries)} > {limit})")
    events: list[dict[str, object]] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise ApiError(400, "Expected batch parameter to be a list of objects")
        event_fields = cast("dict[str, object]", entry)
        _check_event(app, event_fields)
        if event_fields.get("channel") is None:
            raise ApiError(400, "Missing required parameter: channel")
        events.append(_known(BatchEvent, event_fields))
    request = _checked(TriggerBatchRequest.from_dict, {"batch": events}, limits=app.config.limits)
    for event in request.batch:
        app.publish((event.channel,), event.name, event.data, socket_id=event.socket_id)
    note = " ".join(f"{event.name} on {event.channel}" for event in request.batch)
    if not any(event.info for event in request.batch):
        return Answer(TriggerBatchResult().to_dict(), note)
    app.messages += sum(1 for event in request.batch if event.info)
    attributes = [_attributes(app, event.channel, event.info) for event in request.batch]
    return Answer(TriggerBatchResult(batch=tuple(attributes)).to_dict(), note)


def list_channels(app: App, call: Call) -> Answer:
    """List the occupied channels, presence channels with their users on request."""
    query = _Query(call)
    prefix = query.take("filter_by_prefix") or ""
    info = query.take_list("info")
    # The request that a client would make knows the spec's rules for the parameters.
    _checked(channels.list_request, app.config.app_id, filter_by_prefix=prefix)
    if not LIST_ATTRIBUTES.issuperset(info):
        raise ApiError(400, INVALID_INFO)
    _check_counts(app, info)
    if "user_count" in info and not prefix.startswith("presence-"):
        raise ApiError(
            400,
            "user_count may only be requested for presence channels - "
            "please supply filter_by_prefix begining with presence-",
        )
    result = {channel.name: _attributes(app, channel.name, info) for channel in app.occupied_channels(prefix)}
    return Answer(ChannelList(channels=result).to_dict())


def get_channel(app: App, call: Call) -> Answer:
    """Get the state of one channel."""
    query = _Query(call)
    info = query.take_list("info")
    name = _checked(check_channel_name, call.path["channel_name"], "channel_name")
    if not CHANNEL_ATTRIBUTES.issuperset(info):
        raise ApiError(400, INVALID_INFO)
    kind = channel_kind(name)
    if "user_count" in info and not kind.presence:
        raise ApiError(400, "Cannot retrieve the user count unless the channel is a presence channel")
    _check_counts(app, info)
    if "cache" in info and not kind.cache:
        raise ApiError(400, "Cannot retrieve the cache unless the channel is a cache channel")
    attributes = _attributes(app, name, info)
    channel = Channel(
        occupied=app.channel(name) is not None,
        user_count=attributes.user_count,
        subscription_count=attributes.subscription_count,
    )
    body = channel.to_dict()
    if "cache" in info:
        stored = app.cached(name)
        # An empty cache is null, where other attributes that are not there are left out.
        body["cache"] = None if stored is None else CachedEvent(data=stored.data, ttl=app.cache_ttl(stored)).to_dict()
    return Answer(body)


def channel_users(app: App, call: Call) -> Answer:
    """List the users on a presence channel."""
    _Query(call).end()
    name = _checked(check_channel_name, call.path["channel_name"], "channel_name")
    if not channel_kind(name).presence:
        raise ApiError(400, "Users can only be retrieved for presence channels")
    channel = app.channel(name)
    members = () if channel is None else channel.members
    return Answer(ChannelUsers(users=tuple(ChannelUser(id=user_id) for user_id in members)).to_dict())


def channel_stats(app: App, call: Call) -> Answer:
    """Get the deprecated statistics of one channel."""
    _Query(call).end()
    name = _checked(check_channel_name, call.path["channel_name"], "channel_name")
    channel = app.channel(name)
    if channel is None:
        return Answer(ChannelStats(occupied=False).to_dict())
    user_count = len(channel.members) if channel.kind.presence else None
    stats = ChannelStats(occupied=True, user_count=user_count, connection_count=channel.subscription_count)
    return Answer(stats.to_dict())


def trigger_channel_event(app: App, call: Call) -> Answer:
    """Publish one event the deprecated way: the body is the data itself."""
    _check_quota(app)
    query = _Query(call)
    fields: dict[str, object] = {"name": query.take("name"), "data": _text(call.body)}
    socket_id = query.take("socket_id")
    query.end()
    name = _checked(check_channel_name, call.path["channel_name"], "channel_name")
    _check_event(app, fields)
    event = _checked(check_event_name, fields["name"], "name")
    if socket_id is not None:
        _checked(check_socket_id, socket_id, "socket_id")
    app.publish((name,), event, _text(call.body), socket_id=socket_id)
    return Answer(None, f"{event} on {name}", status=202)


def terminate_connections(app: App, call: Call) -> Answer:
    """Close all connections of a user."""
    _Query(call).end()
    user_id = _checked(check_user_id, call.path["user_id"], "user_id")
    count = app.terminate_connections(user_id)
    return Answer(TerminateConnectionsResult().to_dict(), f"{count} closed")


def notify(app: App, call: Call) -> Answer:
    """Take a push notification. There are no devices here, but it is recorded."""
    _Query(call).end()
    request = _checked(NotifyRequest.from_dict, _known(NotifyRequest, _json_object(call.body)))
    app.notify(request)
    return Answer(NotifyResult(number_of_subscribers=0).to_dict(), " ".join(request.interests), status=202)


OPERATIONS: Mapping[Operation[Any], Handler] = {
    channels.LIST: list_channels,
    channels.GET: get_channel,
    channels.USERS: channel_users,
    channels.STATS: channel_stats,
    channels.TRIGGER_EVENT: trigger_channel_event,
    events.TRIGGER: trigger,
    events.TRIGGER_BATCH: trigger_batch,
    users.TERMINATE_CONNECTIONS: terminate_connections,
    push_notifications.PUBLISH: notify,
}


class _Query:
    """The query parameters of a call, taken one by one: what is left is extraneous."""

    def __init__(self, call: Call) -> None:
        self._rest = dict(call.query)

    def take(self, name: str) -> str | None:
        return self._rest.pop(name, None)

    def take_list(self, name: str) -> tuple[str, ...]:
        value = self.take(name)
        return tuple(value.split(",")) if value else ()

    def end(self) -> None:
        if self._rest:
            names = ", ".join(self._rest)
            raise ApiError(400, f"The following query string parameters are extraneous: {names}")


def _attributes(app: App, name: str, info: Iterable[str]) -> ChannelAttributes:
    """Count what can be counted. Other attributes are left out: only the queries refuse them."""
    channel, kind = app.channel(name), channel_kind(name)
    user_count = subscription_count = None
    if "user_count" in info and kind.presence:
        user_count = 0 if channel is None else len(channel.members)
    if "subscription_count" in info and app.config.subscription_counts and not name.startswith(USER_CHANNEL_PREFIX):
        subscription_count = 0 if channel is None else channel.subscription_count
    return ChannelAttributes(user_count=user_count, subscription_count=subscription_count)


def _check_counts(app: App, info: Iterable[str]) -> None:
    if "subscription_count" in info and not app.config.subscription_counts:
        raise ApiError(400, "Cannot retrieve the subscription count unless it is enabled for the app")


def _check_quota(app: App) -> None:
    limit = app.config.max_messages
    if limit is not None and app.messages >= limit:
        raise ApiError(403, OVER_QUOTA_TEXT)


def _check_event(app: App, fields: Mapping[str, object]) -> None:
    """Check an event as the service does before its spec's rules."""
    name, data, info = (fields.get(field) for field in ("name", "data", "info"))
    if not isinstance(name, str):
        raise ApiError(400, "Expected name parameter to be a string")
    if name.startswith(RESERVED_EVENT_PREFIX):
        raise ApiError(400, "The 'pusher' namespace is reserved for internal usage")
    if data is None:
        raise ApiError(400, "Missing required parameter: data")
    if not isinstance(data, str):
        raise ApiError(400, "Expected data parameter to be a string")
    if not isinstance(info, (str, type(None))):
        raise ApiError(400, INVALID_INFO)
    limit = app.config.limits.max_data_bytes
    if len(data.encode("utf-8", "surrogatepass")) > limit:
        raise ApiError(
            413,
            f"The data content of this event exceeds the allowed maximum ({limit} bytes). "
            "See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info",
        )


def _known(model: type[attrs.AttrsInstance], fields: Mapping[str, object]) -> dict[str, object]:
    """Leave out what the spec does not name: the models refuse it, servers ignore it."""
    names = {attribute.name for attribute in attrs.fields(model)} - {"limits"}
    return {name: value for name, value in fields.items() if name in names}


def _checked(check: Callable[..., T], *args: object, **options: object) -> T:
    """Run a check of the generated package, with its refusal in the service's words."""
    try:
        return check(*args, **options)
    except InvalidArgumentError as error:
        if re.search(r"(channel|channel_name|channels\[[0-9]+\])$", error.argument):
            raise ApiError(400, f"Invalid channel name - {error}") from None
        if re.search(r"info(\[[0-9]+\])?$", error.argument):
            raise ApiError(400, f"{INVALID_INFO} - {error}") from None
        raise ApiError(400, str(error)) from None


def _json_object(body: bytes) -> dict[str, object]:
    value = parse_object(body or b"{}")
    if value is None:
        raise ApiError(400, "The request body is not a JSON object")
    return value


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise ApiError(400, "The request body is not valid UTF-8") from None
