"""What the console shows of an app: the last of what happened. It is bounded, and recording never waits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import attrs

HISTORY = 200
"""How many entries are kept, and how many webhooks."""


@attrs.frozen(kw_only=True)
class Entry:
    """Something that happened. The names of its fields are those of the page's script."""

    number: int
    time: float
    type: str
    channel: str | None = None
    event: str | None = None
    data: str | None = None
    socket_id: str | None = None
    user_id: str | None = None


@attrs.define(kw_only=True)
class Delivery:
    """A webhook on its way: changed in place with every attempt."""

    number: int
    time: float
    url: str
    names: tuple[str, ...]
    body: str
    tries: int = 0
    status: str = "waiting"
    """The last answer's status, or why there was none."""
    state: str = "waiting"
    revision: int = 0


class Feed:
    """An app's entries and deliveries, with the watchers who want to know of more. Belongs to the server's loop."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=HISTORY)
        self.deliveries: deque[Delivery] = deque(maxlen=HISTORY)
        self.revision = 0
        """Counts every change. It is the number of the last entry or delivery made or changed."""
        self.is_closed = False
        self._watchers: set[asyncio.Event] = set()

    def record(
        self,
        type: str,
        *,
        channel: str | None = None,
        event: str | None = None,
        data: str | None = None,
        socket_id: str | None = None,
        user_id: str | None = None,
    ) -> None:
        """Add an entry."""
        entry = Entry(
            number=self._changed(),
            time=time.time(),
            type=type,
            channel=channel,
            event=event,
            data=data,
            socket_id=socket_id,
            user_id=user_id,
        )
        self.entries.append(entry)

    def deliver(self, url: str, names: tuple[str, ...], body: bytes) -> Delivery:
        """Add a webhook that is to be sent."""
        number = self._changed()
        delivery = Delivery(number=number, time=time.time(), url=url, names=names, body=body.decode(), revision=number)
        self.deliveries.append(delivery)
        return delivery

    def attempted(self, delivery: Delivery, status: str, *, is_success: bool) -> None:
        """Note how an attempt to send the webhook ended."""
        delivery.tries += 1
        delivery.status = status
        delivery.state = "delivered" if is_success else "retrying"
        delivery.revision = self._changed()

    def gave_up(self, delivery: Delivery) -> None:
        """Note that the webhook will not be sent again."""
        delivery.state = "given up"
        delivery.revision = self._changed()

    @contextmanager
    def watch(self) -> Generator[asyncio.Event]:
        """Give an event that is set whenever there is something new."""
        watcher = asyncio.Event()
        watcher.set()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """Let all watchers go: the server stops."""
        self.is_closed = True
        self._changed()

    def _changed(self) -> int:
        self.revision += 1
        for watcher in self._watchers:
            watcher.set()
        return self.revision
