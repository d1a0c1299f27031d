"""Whether a client is still there: a ping after its silence, and the end of its connection if no pong comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pusher_channels.emulator.config import AppConfig
from pusher_channels.emulator.frames import PING

FIRST_PROTOCOL_WITH_PING = 5


class Liveness:
    """Watches over one client. Any message of the client is a sign of life.

    A client whose protocol is too old to know the ping is closed when it was silent for very long.
    """

    def __init__(
        self, config: AppConfig, protocol: int, send: Callable[[str], None], close: Callable[[int, str], None]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._can_ping = protocol >= FIRST_PROTOCOL_WITH_PING
        self._silence = config.activity_timeout if self._can_ping else config.inactivity_timeout
        self._pong_timeout = config.pong_timeout
        self._send = send
        self._close = close
        self._pinged = False
        self._last_heard = self._loop.time()
        self._timer = self._loop.call_later(self._silence, self._check)

    def heard(self) -> None:
        """Note that the client sent something."""
        self._last_heard = self._loop.time()
        self._pinged = False

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def _check(self) -> None:
        # One timer that looks at the clock, not one that is set anew for each message.
        patience = self._silence + (self._pong_timeout if self._pinged else 0.0)
        left = self._last_heard + patience - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._check)
        elif self._pinged:
            self._close(4201, "Pong reply not received in time")
        elif self._can_ping:
            self._pinged = True
            self._send(PING)
            self._timer = self._loop.call_later(self._pong_timeout, self._check)
        else:
            self._close(4202, "Closed after inactivity")
