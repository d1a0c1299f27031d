"""One app while the emulator runs: its connections, channels and users, and what happens when they change.

All of it belongs to the server's event loop and nothing here waits, so no two changes ever overlap.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import TypeVar

import attrs

from pusher_channels.emulator.channels import (
    USER_CHANNEL_PREFIX,
    Channel,
    EventCache,
    Member,
    StoredEvent,
    channel_kind,
)
from pusher_channels.emulator.config import AppConfig
from pusher_channels.emulator.connection import Connection
from pusher_channels.emulator.console_feed import Feed
from pusher_channels.emulator.frames import channel_frame, connection_frame, to_json, watchlist_frame
from pusher_channels.emulator.webhooks import Clock, WebhookSender
from pusher_channels_rest.models import (
    CacheMiss,
    ChannelOccupied,
    ChannelVacated,
    ClientEvent,
    MemberAdded,
    MemberRemoved,
    NotifyRequest,
    SubscriptionCount,
)

T = TypeVar("T")
Log = Callable[[str], None]

SUBSCRIPTION_COUNT_STEP = 100
SUBSCRIPTION_COUNT_INTERVAL = 5.0
"""Above this many subscribers the count is sent only once in this many seconds."""


RECORDED = 10_000
"""How many events the record of the published holds at least, once it forgets the oldest."""


@attrs.frozen(kw_only=True)
class PublishedEvent:
    """An event on one channel that the HTTP API took. Its data is the text that was sent, encrypted or not."""

    app_id: str
    channel: str
    name: str
    data: str
    socket_id: str | None
    time: float

    def json(self) -> object:
        """Return the data, decoded."""
        decoded: object = json.loads(self.data)
        return decoded


@attrs.frozen(kw_only=True)
class PublishedNotification:
    """A push notification that the HTTP API took. ``body`` is what was sent: interests and payloads."""

    app_id: str
    interests: tuple[str, ...]
    body: Mapping[str, object]
    time: float


class App:
    """The state of one app. Methods are called by the HTTP API and by the clients' sessions."""

    def __init__(self, config: AppConfig, log: Log, clock: Clock = time.time) -> None:
        self.config = config
        self.log = log
        self.connections: dict[str, Connection] = {}
        self.published: list[PublishedEvent] = []
        self.notifications: list[PublishedNotification] = []
        self.messages = 0
        """How many messages were sent, as the quota counts them."""
        self._loop = asyncio.get_running_loop()
        self._channels: dict[str, Channel] = {}
        self._cache = EventCache(config.cache_ttl)
        self._missed: set[str] = set()
        self._users: dict[str, set[Connection]] = {}
        self._watchers: dict[str, set[Connection]] = {}
        self._count_timers: dict[str, asyncio.TimerHandle] = {}
        self.feed = Feed()
        """What the console shows."""
        self._webhooks = WebhookSender(config, log, clock, self.feed)

    async def aclose(self) -> None:
        """Stop the timers and the webhooks."""
        for timer in self._count_timers.values():
            timer.cancel()
        await self._webhooks.aclose()
        self.feed.close()

    # What is there

    def occupied_channels(self, prefix: str = "") -> list[Channel]:
        """Return the channels that have subscribers and a name of the prefix."""
        return [channel for name, channel in self._channels.items() if name.startswith(prefix)]

    def channel(self, name: str) -> Channel | None:
        """Return the channel if it is occupied."""
        return self._channels.get(name)

    def cached(self, channel_name: str) -> StoredEvent | None:
        """Return the last event of a cache channel."""
        return self._cache.get(channel_name, self._loop.time())

    def cached_channels(self) -> list[str]:
        """Return the names of the cache channels that have an event, occupied or not."""
        return [name for name in self._cache.channels() if self.cached(name) is not None]

    def cache_ttl(self, stored: StoredEvent) -> int:
        """Return the whole seconds that a cached event has left."""
        return max(0, int(stored.expires_at - self._loop.time()))

    # Events

    def publish(self, channel_names: Sequence[str], event: str, data: str, *, socket_id: str | None = None) -> None:
        """Deliver an event of the HTTP API."""
        now = time.time()
        for name in dict.fromkeys(channel_names):
            _record(
                self.published,
                PublishedEvent(
                    app_id=self.config.app_id, channel=name, name=event, data=data, socket_id=socket_id, time=now
                ),
            )
            self.messages += 1
            self.feed.record("api event", channel=name, event=event, data=data, socket_id=socket_id)
            if name.startswith(USER_CHANNEL_PREFIX):
                self._send_to_user(name.removeprefix(USER_CHANNEL_PREFIX), channel_frame(event, name, data), socket_id)
                continue
            if channel_kind(name).cache:
                self._cache.put(name, event, data, self._loop.time())
                self._missed.discard(name)
            channel = self._channels.get(name)
            if channel is not None:
                self.messages += channel.send(channel_frame(event, name, data), exclude=socket_id)

    def notify(self, request: NotifyRequest) -> None:
        """Take note of a push notification: there are no devices to send it to."""
        _record(
            self.notifications,
            PublishedNotification(
                app_id=self.config.app_id, interests=tuple(request.interests), body=request.to_dict(), time=time.time()
            ),
        )

    def client_event(self, sender: Connection, channel: Channel, event: str, data: str) -> None:
        """Deliver an event that a client sent. It is not cached, and not sent back."""
        member = sender.subscriptions[channel.name]
        user_id = None if member is None else member.user_id
        frame = channel_frame(event, channel.name, data, user_id=user_id)
        self.messages += channel.send(frame, exclude=sender.socket_id)
        self.feed.record(
            "client event", channel=channel.name, event=event, data=data, socket_id=sender.socket_id, user_id=user_id
        )
        self._webhooks.emit(
            ClientEvent(
                channel=channel.name,
                event=event,
                data=data,
                socket_id=sender.socket_id,
                user_id=user_id,
            )
        )

    def _send_to_user(self, user_id: str, frame: str, exclude: str | None) -> None:
        for connection in list(self._users.get(user_id, ())):
            if connection.socket_id != exclude:
                connection.send(frame)
                self.messages += 1

    # Connections

    def connect(self, connection: Connection) -> None:
        """Take in a client that may stay."""
        self.connections[connection.socket_id] = connection
        connection.max_queued_frames = self.config.max_queued_frames
        self.log(f"{connection.socket_id} connected")
        self.feed.record("connected", socket_id=connection.socket_id)
        established = {"socket_id": connection.socket_id, "activity_timeout": ceil(self.config.activity_timeout)}
        connection.send(connection_frame("pusher:connection_established", established))

    def disconnect(self, connection: Connection) -> None:
        """Forget a client. Harmless when it is forgotten already."""
        if self.connections.pop(connection.socket_id, None) is None:
            return
        self.log(f"{connection.socket_id} " + ("dropped: it reads too slowly" if connection.is_too_slow else "gone"))
        for name in list(connection.subscriptions):
            self.unsubscribe(connection, name)
        self.feed.record("disconnected", socket_id=connection.socket_id)
        if connection.user is not None:
            self._sign_out(connection, connection.user)

    def close(self, connection: Connection, code: int, reason: str, *, tell: bool = False) -> None:
        """Close a client's connection from this side. It is out of every channel at once."""
        self.log(f"{connection.socket_id} closed: {code} {reason}")
        self.disconnect(connection)
        connection.close(code, reason, tell=tell)

    # Subscriptions

    def subscribe(self, connection: Connection, name: str, member: Member | None) -> None:
        """Add an authorized subscription and tell everybody whom it concerns."""
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = Channel(name)
            if not self._webhooks.cancel(("channel", name)):
                self._webhooks.emit(ChannelOccupied(channel=name))
            self.feed.record("occupied", channel=name)
        is_new_member = channel.add(connection, member)
        user_id = None if member is None else member.user_id
        self.feed.record("subscribed", channel=name, socket_id=connection.socket_id, user_id=user_id)
        connection.subscriptions[name] = member
        data = channel.presence_data() if channel.kind.presence else {}
        connection.send(channel_frame("pusher_internal:subscription_succeeded", name, to_json(data)))
        if member is not None and is_new_member:
            self._announce_member(connection, channel, member)
        if channel.kind.cache:
            self._send_cached(connection, name)
        self._count_changed(channel)

    def unsubscribe(self, connection: Connection, name: str) -> None:
        """Take a subscription away and tell everybody whom it concerns."""
        channel = self._channels[name]
        member = connection.subscriptions.pop(name)
        is_gone = channel.remove(connection, member)
        user_id = None if member is None else member.user_id
        self.feed.record("unsubscribed", channel=name, socket_id=connection.socket_id, user_id=user_id)
        if member is not None and is_gone:
            gone = to_json({"user_id": member.user_id})
            channel.send(channel_frame("pusher_internal:member_removed", name, gone))
            event = MemberRemoved(channel=name, user_id=member.user_id)
            self._webhooks.emit_later(("member", name, member.user_id), event)
        if channel.subscription_count:
            self._count_changed(channel)
            return
        del self._channels[name]
        self.feed.record("vacated", channel=name)
        self._missed.discard(name)
        timer = self._count_timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        self._webhooks.emit_later(("channel", name), ChannelVacated(channel=name))

    def _announce_member(self, connection: Connection, channel: Channel, member: Member) -> None:
        added: dict[str, object] = {"user_id": member.user_id}
        if member.user_info is not None:
            added["user_info"] = member.user_info
        frame = channel_frame("pusher_internal:member_added", channel.name, to_json(added))
        channel.send(frame, exclude=connection.socket_id)
        if not self._webhooks.cancel(("member", channel.name, member.user_id)):
            self._webhooks.emit(MemberAdded(channel=channel.name, user_id=member.user_id))

    def _send_cached(self, connection: Connection, name: str) -> None:
        stored = self.cached(name)
        if stored is not None:
            connection.send(channel_frame(stored.event, name, stored.data))
            return
        connection.send(channel_frame("pusher:cache_miss", name))
        if name not in self._missed:
            # Once for all who find the cache empty, until it is filled or the last of them leaves.
            self._missed.add(name)
            self._webhooks.emit(CacheMiss(channel=name))

    def _count_changed(self, channel: Channel) -> None:
        if not self.config.subscription_counts or channel.kind.presence or channel.name in self._count_timers:
            return
        if channel.subscription_count <= SUBSCRIPTION_COUNT_STEP:
            self._send_count(channel)
            return
        timer = self._loop.call_later(SUBSCRIPTION_COUNT_INTERVAL, self._send_late_count, channel)
        self._count_timers[channel.name] = timer

    def _send_late_count(self, channel: Channel) -> None:
        del self._count_timers[channel.name]
        self._send_count(channel)

    def _send_count(self, channel: Channel) -> None:
        count = channel.subscription_count
        data = to_json({"subscription_count": count})
        channel.send(channel_frame("pusher_internal:subscription_count", channel.name, data))
        event = SubscriptionCount(channel=channel.name, subscription_count=count)
        self._webhooks.emit(event)

    # Users

    def sign_in(self, connection: Connection, user: Member, user_data: str, watchlist: tuple[str, ...]) -> None:
        """Sign a connection in as a user and tell those who watch the user."""
        connection.user = user
        self.feed.record("signed in", socket_id=connection.socket_id, user_id=user.user_id)
        connection.watchlist = watchlist if self.config.watchlist_events else ()
        connection.send(connection_frame("pusher:signin_success", {"user_data": user_data}))
        came_online = user.user_id not in self._users
        self._users.setdefault(user.user_id, set()).add(connection)
        if came_online:
            self._tell_watchers(watchlist_frame(online=[user.user_id], offline=[]), user.user_id)
        if connection.watchlist:
            for watched in connection.watchlist:
                self._watchers.setdefault(watched, set()).add(connection)
            online = [watched for watched in connection.watchlist if watched in self._users]
            offline = [watched for watched in connection.watchlist if watched not in self._users]
            connection.send(watchlist_frame(online=online, offline=offline))

    def terminate_connections(self, user_id: str) -> int:
        """Close every connection that is signed in as the user, and return their number."""
        connections = list(self._users.get(user_id, ()))
        for connection in connections:
            self.close(connection, 4009, "You got disconnected by the app.")
        return len(connections)

    def _sign_out(self, connection: Connection, user: Member) -> None:
        for watched in connection.watchlist:
            watchers = self._watchers[watched]
            watchers.discard(connection)
            if not watchers:
                del self._watchers[watched]
        connections = self._users[user.user_id]
        connections.discard(connection)
        if not connections:
            del self._users[user.user_id]
            self._tell_watchers(watchlist_frame(online=[], offline=[user.user_id]), user.user_id)

    def _tell_watchers(self, frame: str, user_id: str) -> None:
        for watcher in self._watchers.get(user_id, ()):
            watcher.send(frame)


def _record(record: list[T], entry: T) -> None:
    if len(record) >= 2 * RECORDED:
        del record[:-RECORDED]
    record.append(entry)
