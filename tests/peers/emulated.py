"""Our emulator among official clients: whoever publishes, subscribes, signs or reads webhooks, it is not our code."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import parse_qs
from uuid import uuid4

import attrs

from pusher_channels.emulator import Emulator
from tests.peers.harness import Backend, JsonProcess, Message, Received
from tests.peers.soketi import Browser
from tests.peers.support import APP_ID, KEY, SECRET


class Authorizer(Protocol):
    """A library behind the customer's auth endpoints: it makes what the browser is answered."""

    def channel(self, socket_id: str, channel: str, user: Message | None) -> Message: ...

    def user(self, socket_id: str, user: Message) -> Message: ...


@attrs.define
class Stage:
    """A running emulator, pusher-js connections to it, and the customer's backend that authorizes them."""

    server: Emulator
    backend: Backend
    pusher_js: JsonProcess
    _users: dict[str, Message] = attrs.field(factory=dict[str, Message])
    _browsers: list[Browser] = attrs.field(factory=list[Browser])

    def authorize_with(self, library: Authorizer) -> None:
        """Let this library answer the auth endpoints."""

        def auth(received: Received) -> tuple[int, object]:
            form = parse_qs(received.body.decode())
            socket_id, channel = form["socket_id"][0], form["channel_name"][0]
            user = self._users[socket_id] if channel.startswith("presence-") else None
            return 200, library.channel(socket_id, channel, user)

        def user_auth(received: Received) -> tuple[int, object]:
            socket_id = parse_qs(received.body.decode())["socket_id"][0]
            return 200, library.user(socket_id, self._users[socket_id])

        self.backend.answers |= {"/auth": auth, "/user-auth": user_auth}

    def connect(self, user: Message | None = None) -> Browser:
        """Connect a browser, which the backend takes for the user."""
        name = uuid4().hex
        address = {"key": KEY, "port": self.server.port, "backend": self.backend.url}
        self.pusher_js.send({"do": "connect", "socket": name, **address})
        browser = Browser(self.pusher_js, name)
        browser.event("state", "connected")
        if user is not None:
            self._users[browser.socket_id] = user
        self._browsers.append(browser)
        return browser

    def disconnect_all(self) -> None:
        for browser in self._browsers:
            browser.do("disconnect")
        self._browsers.clear()

    def webhook(self, is_expected: Callable[[dict[str, Any]], bool], what: str) -> Received:
        """Wait for the webhook that holds the event."""
        return self.backend.log.wait(
            lambda received: received.path == "/webhooks" and any(map(is_expected, received.json["events"])),
            f"webhook {what}",
        )


@contextmanager
def open_stage(pusher_js: JsonProcess) -> Generator[Stage]:
    """Start an emulator of the peers' app, as it comes, with its webhooks going to the backend."""
    with (
        Backend() as backend,
        Emulator(APP_ID, KEY, SECRET, webhook_url=f"{backend.url}/webhooks") as server,
    ):
        yield Stage(server, backend, pusher_js)


def fresh(prefix: str = "") -> str:
    """A channel name of one test's own."""
    return f"{prefix}room-{uuid4().hex}"
