"""The sending half of a client's WebSocket, and what the app knows of the client."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque

import attrs
from starlette.websockets import WebSocket, WebSocketDisconnect

from pusher_channels.emulator.channels import Member
from pusher_channels.emulator.frames import error_frame

CLOSE_TIMEOUT = 5.0
"""How long a client that does not read may hold up the close of its connection."""

NEWEST_PROTOCOL = 7
FIRST_PROTOCOL_WITH_CLOSE_CODES = 6
"""Before it, a ``pusher:error`` says why a connection is closed."""

MAX_REASON_BYTES = 123
"""What fits into a close frame."""


@attrs.frozen
class _Close:
    code: int
    reason: str


class Connection:
    """A connected client. `send` and `close` only queue, so that one event reaches 1,000 clients without a wait."""

    def __init__(self, websocket: WebSocket, protocol: int = NEWEST_PROTOCOL) -> None:
        self.protocol = protocol
        self.max_queued_frames = 100
        """How far the client may fall behind before it is dropped. The app that takes the client in says so."""
        self.since = time.time()
        self.socket_id = f"{secrets.randbelow(900_000) + 100_000}.{secrets.randbelow(900_000_000) + 100_000_000}"
        self.subscriptions: dict[str, Member | None] = {}
        """The channels subscribed to, with the member that this connection is in a presence channel."""
        self.user: Member | None = None
        """The signed-in user."""
        self.watchlist: tuple[str, ...] = ()
        self.client_event_times: deque[float] = deque()
        """When the last client events came, for the rate limit."""
        self._websocket = websocket
        self._queue: deque[str | _Close] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self.is_too_slow = False
        """Whether it was dropped because it fell too far behind."""
        self.writer = asyncio.get_running_loop().create_task(self._write_all())
        """Ends when the connection is closed from this side, or the client is gone or too far behind."""

    def send(self, frame: str) -> None:
        """Queue a frame."""
        if self._closing:
            return
        if len(self._queue) >= self.max_queued_frames:
            self._closing = self.is_too_slow = True
            self.writer.cancel()
            return
        self._queue.append(frame)
        self._wake.set()

    def close(self, code: int, reason: str, *, tell: bool = False) -> None:
        """Close after what is queued. ``tell`` is for reasons that a close frame is too short for."""
        if self._closing:
            return
        self._closing = True
        if tell or self.protocol < FIRST_PROTOCOL_WITH_CLOSE_CODES:
            self._queue.append(error_frame(reason, code))
        self._queue.append(_Close(code, reason))
        self._wake.set()
        timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.writer.cancel)
        self.writer.add_done_callback(lambda _: timer.cancel())

    async def _write_all(self) -> None:
        try:
            while True:
                while self._queue:
                    item = self._queue.popleft()
                    if isinstance(item, _Close):
                        await self._websocket.close(item.code, _fit(item.reason))
                        return
                    await self._websocket.send_text(item)
                self._wake.clear()
                await self._wake.wait()
        except WebSocketDisconnect:
            return


def _fit(reason: str) -> str:
    return reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore")
