"""Channels: what their names say, who is subscribed, who is present, and which event is cached."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Protocol

import attrs

USER_CHANNEL_PREFIX = "#server-to-user-"


@attrs.frozen
class ChannelKind:
    """What the prefix of a channel's name makes of it."""

    private: bool = False
    encrypted: bool = False
    presence: bool = False
    cache: bool = False

    @property
    def authorized(self) -> bool:
        """Whether a subscription needs a signature, which is also what client events need."""
        return self.private or self.presence


def channel_kind(name: str) -> ChannelKind:
    """Read the kind from the name: eight kinds, four of them cached."""
    for prefix, kind in _KINDS:
        if name.startswith(prefix):
            return attrs.evolve(kind, cache=name.startswith("cache-", len(prefix)))
    raise AssertionError("the empty prefix fits every name")


_KINDS = (
    ("private-encrypted-", ChannelKind(private=True, encrypted=True)),
    ("private-", ChannelKind(private=True)),
    ("presence-", ChannelKind(presence=True)),
    ("", ChannelKind()),
)


class Subscriber(Protocol):
    """What a channel knows of a connection."""

    @property
    def socket_id(self) -> str:
        """The id that the client was given."""
        ...

    def send(self, frame: str) -> None:
        """Queue a frame. Never waits."""
        ...


@attrs.frozen
class Member:
    """A user of a presence channel. The id is text: clients may authorize the number 1 and the text ``1``."""

    user_id: str
    user_info: Mapping[str, object] | None = None


class Channel:
    """An occupied channel: it exists from its first subscriber to its last."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kind = channel_kind(name)
        self._subscribers: dict[str, Subscriber] = {}
        self._members: dict[str, Member] = {}
        self._member_sockets: dict[str, set[str]] = {}

    @property
    def subscription_count(self) -> int:
        """The number of connections."""
        return len(self._subscribers)

    @property
    def members(self) -> Mapping[str, Member]:
        """The users present, by id, in the order of their coming."""
        return self._members

    def add(self, subscriber: Subscriber, member: Member | None) -> bool:
        """Subscribe a connection. True if it brings a member that was not here."""
        self._subscribers[subscriber.socket_id] = subscriber
        if member is None:
            return False
        self._member_sockets.setdefault(member.user_id, set()).add(subscriber.socket_id)
        if member.user_id in self._members:
            return False
        self._members[member.user_id] = member
        return True

    def remove(self, subscriber: Subscriber, member: Member | None) -> bool:
        """Unsubscribe a connection. True if its member is gone with it."""
        del self._subscribers[subscriber.socket_id]
        if member is None:
            return False
        sockets = self._member_sockets[member.user_id]
        sockets.discard(subscriber.socket_id)
        if sockets:
            return False
        del self._member_sockets[member.user_id], self._members[member.user_id]
        return True

    def send(self, frame: str, *, exclude: str | None = None) -> int:
        """Send a frame to every subscriber but the one whose socket id is ``exclude``, and return their number."""
        receivers = [subscriber for socket_id, subscriber in self._subscribers.items() if socket_id != exclude]
        for receiver in receivers:
            receiver.send(frame)
        return len(receivers)

    def presence_data(self) -> dict[str, object]:
        """Describe the members as a new subscriber gets to know them."""
        members = {member.user_id: member.user_info for member in self._members.values()}
        return {"presence": {"ids": list(members), "hash": members, "count": len(members)}}


@attrs.frozen
class StoredEvent:
    """The last event of a cache channel, and when it is forgotten by the loop's clock."""

    event: str
    data: str
    expires_at: float


class EventCache:
    """The last event of each cache channel. It outlives the channel's subscribers, not its time."""

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._events: dict[str, StoredEvent] = {}

    def put(self, channel: str, event: str, data: str, now: float) -> None:
        """Remember the event in place of the channel's last one, and forget those whose time is over."""
        # The oldest stand first, so that this looks at few of them.
        self._events.pop(channel, None)
        for name, _ in list(itertools.takewhile(lambda item: item[1].expires_at <= now, self._events.items())):
            del self._events[name]
        self._events[channel] = StoredEvent(event, data, now + self._ttl)

    def channels(self) -> list[str]:
        """Return the channels with an event, expired ones included."""
        return list(self._events)

    def get(self, channel: str, now: float) -> StoredEvent | None:
        """Return the channel's last event unless it expired."""
        stored = self._events.get(channel)
        if stored is not None and stored.expires_at <= now:
            del self._events[channel]
            return None
        return stored
