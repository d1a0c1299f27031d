"""WebSocket protocol 7: the commands and events that clients send, checked and carried out.

https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

from pusher_channels.emulator.app import App
from pusher_channels.emulator.channels import USER_CHANNEL_PREFIX, ChannelKind, Member, channel_kind
from pusher_channels.emulator.connection import Connection
from pusher_channels.emulator.frames import PONG, channel_frame, connection_frame, error_frame, parse_object, to_json
from pusher_channels.emulator.signatures import InvalidAuthError, check_signin_auth, check_subscription_auth
from pusher_channels_rest.errors import InvalidArgumentError
from pusher_channels_rest.models import PresenceUser, SigninUser
from pusher_channels_rest.scalars import check_channel_data, check_channel_name, check_event_data, check_event_name

CLIENT_EVENT_PREFIX = "client-"


class CloseError(Exception):
    """The connection is closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class CommandError(Exception):
    """A command is refused with a ``pusher:error``; the connection stays."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Session:
    """What one client may do, and does."""

    def __init__(self, app: App, connection: Connection) -> None:
        self._app = app
        self._connection = connection
        self._commands: dict[str, Callable[[Mapping[str, object]], None]] = {
            "pusher:ping": self._ping,
            "pusher:pong": lambda _: None,
            "pusher:subscribe": self._subscribe,
            "pusher:unsubscribe": self._unsubscribe,
            "pusher:signin": self._sign_in,
        }

    def receive(self, text: str | None) -> None:
        """Carry out one message. None stands for a binary one."""
        if self._connection.socket_id not in self._app.connections:
            return  # closed from this side: what the client still says would bring it back into channels
        try:
            self._carry_out(text)
        except CommandError as error:
            self._app.log(f"{self._connection.socket_id} error: {error.message}")
            self._app.feed.record("error", data=error.message, socket_id=self._connection.socket_id)
            self._connection.send(error_frame(error.message, error.code))
        except CloseError as error:
            self._app.log(f"{self._connection.socket_id} closed: {error.reason}")
            self._app.feed.record("error", data=error.reason, socket_id=self._connection.socket_id)
            self._app.close(self._connection, error.code, error.reason, tell=True)

    def _carry_out(self, text: str | None) -> None:
        if text is None:
            raise CommandError("Binary WebSocket frames are not supported")
        message = parse_object(text)
        if message is None:
            raise CommandError("Invalid JSON")
        event = message.get("event")
        if not isinstance(event, str):
            raise CommandError("Missing parameter: event")
        if event.startswith(CLIENT_EVENT_PREFIX):
            self._client_event(event, message)
            return
        command = self._commands.get(event)
        if command is None:
            raise CommandError(f"Unsupported event received on socket: {event}")
        command(_data_of(message))

    def close_unless_authorized(self) -> None:
        """End a connection that has neither signed in nor an authorized subscription by now."""
        connection = self._connection
        if connection.user is None and not any(channel_kind(name).authorized for name in connection.subscriptions):
            self._app.close(connection, 4009, "Connection not authorized within timeout")

    def _ping(self, _: Mapping[str, object]) -> None:
        self._connection.send(PONG)

    # Subscriptions

    def _subscribe(self, data: Mapping[str, object]) -> None:
        name = _required_text(data, "channel")
        if name.startswith(USER_CHANNEL_PREFIX):
            self._subscribe_own(name)
            return
        try:
            check_channel_name(name, "channel")
        except InvalidArgumentError as error:
            raise CommandError(f"Invalid channel name: {name} ({error.rule})") from None
        if name in self._connection.subscriptions:
            raise CommandError(f"Existing subscription to channel {name}")
        kind = channel_kind(name)
        member = self._authorize(name, kind, data) if kind.authorized else None
        self._app.log(f"{self._connection.socket_id} subscribe {name}" + (f" as {member.user_id}" if member else ""))
        self._app.subscribe(self._connection, name, member)

    def _subscribe_own(self, name: str) -> None:
        # Clients subscribe to their user's own channel after signin, without a signature. User events come anyway.
        user = self._connection.user
        if user is None or name.removeprefix(USER_CHANNEL_PREFIX) != user.user_id:
            raise CommandError(f"Invalid channel name: {name} (the connection is not signed in as that user)")
        self._connection.send(channel_frame("pusher_internal:subscription_succeeded", name, "{}"))

    def _authorize(self, name: str, kind: ChannelKind, data: Mapping[str, object]) -> Member | None:
        channel_data = data.get("channel_data")
        if channel_data is not None and not isinstance(channel_data, str):
            raise CommandError("Expected channel_data parameter to be a string")
        socket_id = self._connection.socket_id
        try:
            check_subscription_auth(
                self._app.config, data.get("auth"), socket_id=socket_id, channel_name=name, channel_data=channel_data
            )
        except InvalidAuthError as error:
            raise CommandError(str(error)) from None
        return self._member(name, channel_data) if kind.presence else None

    def _member(self, name: str, channel_data: str | None) -> Member:
        if channel_data is not None:
            member = _parse_member(channel_data)
        elif self._connection.user is not None:
            member = self._connection.user
        else:
            raise CommandError("Missing parameter: channel_data (or a signed-in user) for a presence channel")
        channel = self._app.channel(name)
        limit = self._app.config.max_presence_members
        if channel is not None and member.user_id not in channel.members and len(channel.members) >= limit:
            raise CommandError(f"Presence channel {name} has reached its limit of {limit} members")
        return member

    def _unsubscribe(self, data: Mapping[str, object]) -> None:
        name = _required_text(data, "channel")
        if name.startswith(USER_CHANNEL_PREFIX):
            return
        if name not in self._connection.subscriptions:
            raise CommandError(f"No current subscription to channel {name}, or subscription in progress")
        self._app.log(f"{self._connection.socket_id} unsubscribe {name}")
        self._app.unsubscribe(self._connection, name)

    # Users

    def _sign_in(self, data: Mapping[str, object]) -> None:
        if not self._app.config.user_authentication:
            raise CommandError("To sign in, you must enable user authentication in the settings of the app.")
        user_data = _required_text(data, "user_data")
        try:
            check_signin_auth(
                self._app.config, data.get("auth"), socket_id=self._connection.socket_id, user_data=user_data
            )
        except InvalidAuthError as error:
            raise CloseError(4009, str(error)) from None
        limit = self._app.config.max_watchlist
        user, is_cut = _parse_user(user_data, limit)
        current = self._connection.user
        if current is not None:
            if current.user_id != user.id:
                raise CommandError("The connection is already associated with a different user id")
            self._connection.send(connection_frame("pusher:signin_success", {"user_data": user_data}))
            return
        self._app.log(f"{self._connection.socket_id} signin as {user.id}")
        watchlist = tuple(dict.fromkeys(user.watchlist or ()))
        self._app.sign_in(self._connection, Member(user.id, user.user_info), user_data, watchlist)
        if is_cut:
            raise CommandError(f"Watchlist limit exceeded: only the first {limit} users are watched", 4302)

    # Client events

    def _client_event(self, event: str, message: Mapping[str, object]) -> None:
        app = self._app
        if not app.config.client_events:
            raise CommandError(
                "To send client events, you must enable this feature in the Settings page of your dashboard."
            )
        name = message.get("channel")
        if not isinstance(name, str) or "data" not in message:
            raise CommandError("Invalid client event (must contain channel and data)")
        channel = app.channel(name)
        if channel is None or name not in self._connection.subscriptions:
            raise CommandError(f"Cannot broadcast client event (connection not subscribed to channel {name})")
        if not channel.kind.authorized:
            raise CommandError("Client event rejected - only supported on private and presence channels")
        data = message["data"]
        try:
            text = data if isinstance(data, str) else to_json(data)
            check_event_name(event, "event")
            check_event_data(text, "data", limits=app.config.limits)
        except InvalidArgumentError as error:
            raise CommandError(f"Client event rejected - {error}") from None
        except RecursionError:
            raise CommandError("Client event rejected - data is nested too deeply") from None
        self._count_client_event()
        app.log(f"{self._connection.socket_id} {event} on {name}")
        app.client_event(self._connection, channel, event, text)

    def _count_client_event(self) -> None:
        now = asyncio.get_running_loop().time()
        times = self._connection.client_event_times
        while times and times[0] <= now - 1.0:
            times.popleft()
        if len(times) >= self._app.config.max_client_events_per_second:
            raise CommandError("Client event rejected due to rate limit", 4301)
        times.append(now)


def _data_of(message: Mapping[str, object]) -> Mapping[str, object]:
    """Return the data of a command: an object, which some clients send as JSON text."""
    data = message.get("data")
    if isinstance(data, str):
        data = parse_object(data)
    return cast("dict[str, object]", data) if isinstance(data, dict) else {}


def _required_text(data: Mapping[str, object], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not value:
        raise CommandError(f"Missing parameter: data.{name}")
    return value


def _parse_member(channel_data: str) -> Member:
    fields = parse_object(channel_data)
    if fields is None:
        raise CommandError("Invalid channel_data: it must be a JSON object")
    if not isinstance(fields.get("user_info", {}), (dict, type(None))):
        raise CommandError(
            "user_info supplied to presence subscription is invalid - if supplied it must be a type of hash"
        )
    try:
        check_channel_data(channel_data, "channel_data")
        user = PresenceUser.from_dict(fields)
    except InvalidArgumentError as error:
        raise CommandError(f"Invalid channel_data: {error}") from None
    return Member(str(user.user_id), user.user_info)


def _parse_user(user_data: str, max_watchlist: int) -> tuple[SigninUser, bool]:
    """Return the user, and whether the watchlist was cut: too long a one is no reason to refuse the user."""
    fields = parse_object(user_data)
    if fields is None:
        raise CloseError(4009, "Invalid user_data: it must be a JSON object")
    watchlist = fields.get("watchlist")
    is_cut = isinstance(watchlist, list) and len(cast("list[object]", watchlist)) > max_watchlist
    if is_cut:
        fields["watchlist"] = cast("list[object]", watchlist)[:max_watchlist]
    try:
        return SigninUser.from_dict(fields), is_cut
    except InvalidArgumentError as error:
        raise CloseError(4009, f"Invalid user_data: {error}") from None
