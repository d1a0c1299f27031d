"""soketi, and pusher-js connections to it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from itertools import count
from typing import Any

import attrs

from tests.peers.harness import Backend, JsonProcess, Message, free_port
from tests.peers.support import APP_ID, KEY, SECRET

WEBHOOKS = [
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
]


def start_soketi(backend: Backend) -> tuple[JsonProcess, int]:
    """Start soketi with its webhooks going to the backend. Returns its process and port."""
    app = {
        "id": APP_ID,
        "key": KEY,
        "secret": SECRET,
        "enabled": True,
        "enableClientMessages": True,
        "enableUserAuthentication": True,
        "maxConnections": -1,
        "maxBackendEventsPerSecond": -1,
        "maxClientEventsPerSecond": -1,
        "maxReadRequestsPerSecond": -1,
        "webhooks": [{"url": f"{backend.url}/webhooks", "event_types": WEBHOOKS}],
    }
    for attempt in count(1):
        ports = {
            "port": free_port(),
            "metricsPort": free_port(),
            "discoveryPort": free_port(socket.SOCK_DGRAM),
        }
        process = JsonProcess("soketi.js", json.dumps({**ports, "apps": [app]}))
        try:
            return process, process.log.wait(lambda line: "ready" in line, "ready line")["ready"]
        except AssertionError:  # somebody took one of the ports between the choice and the start
            process.stop()
            if attempt == 3:
                raise
    raise AssertionError


@attrs.frozen
class Browser:
    """One pusher-js connection. Its events are those of a channel, of its "user", "any" at all, or its own "state"."""

    process: JsonProcess
    name: str

    @property
    def socket_id(self) -> str:
        return str(self.event("state", "connected")["data"])

    def do(self, command: str, **values: Any) -> None:
        self.process.send({"do": command, "socket": self.name, **values})

    def subscribe(self, channel: str) -> Any:
        """Subscribe and wait for the answer: the members of a presence channel, else nothing."""
        self.do("subscribe", channel=channel)
        return self.event(channel, "pusher:subscription_succeeded")["data"]

    def sign_in(self) -> None:
        self.do("signin")
        self.event("any", "pusher:signin_success")

    def event(self, source: str, event: str, count: int = 1) -> Message:
        """Wait for an event, or for so many of it, and return the last."""
        return self.process.log.wait(self._is(source, event), f"{event} of {source}", count)

    def events(self, source: str, event: str) -> list[Message]:
        """Such events so far."""
        return self.process.log.all(self._is(source, event))

    def _is(self, source: str, event: str) -> Callable[[Message], bool]:
        return lambda line: (line["socket"], line["source"], line["event"]) == (self.name, source, event)
