"""What all views of one client share: connections, the retry budget, and what was learnt of the server's clock."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar, cast

from pusher_channels.errors import PusherError
from pusher_channels_rest.lazy import forks_wait

ClientT = TypeVar("ClientT")
SenderT = TypeVar("SenderT")

_RESERVE = 20.0
_EARNED_BY_SUCCESS = 0.1


class RetryBudget:
    """Limits retries to a tenth of the successes, beyond a reserve for short troubles.

    Without it every client of a fleet sends several times as much in the moment that the server is sick.
    """

    def __init__(self) -> None:
        self._tokens = _RESERVE
        self._lock = RLock()

    def earn(self) -> None:
        """Count a success."""
        if self._tokens < _RESERVE:
            with self._lock:
                self._tokens = min(_RESERVE, self._tokens + _EARNED_BY_SUCCESS)

    def spend(self) -> bool:
        """Take one retry out of the budget, if there is one."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class Clock:
    """The server's time, as far as it is known: the local time and an offset."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def now(self) -> float:
        """Return Unix time."""
        return time.time() + self.offset


class Pool(Generic[ClientT]):
    """Holds what sends: made when first used, once in each process, and closed only if no httpx client was given."""

    def __init__(self, given: ClientT | None) -> None:
        self.given = given
        """The caller's own httpx client."""
        self._made: tuple[int, object] | None = None
        self._inherited: list[object] = []
        self._closed = False
        # Reentrant: a signal's handler, which may interrupt any line here, may call or close the client too.
        self._lock = RLock()
        self.budget = RetryBudget()
        self.clock = Clock()
        _pools.add(cast("Pool[object]", self))

    def sender(self, make: Callable[[], SenderT]) -> SenderT:
        """Return this process's own sender.

        A forked child makes its own: two processes that write to one socket would mix up their requests.

        Raises:
            PusherError: The client was closed.
        """
        made = self._made
        if made is not None and made[0] == os.getpid():
            return cast("SenderT", made[1])
        with forks_wait(), self._lock:
            if self._closed:
                raise PusherError("the client is closed")
            made = self._made
            if made is None or made[0] != os.getpid():
                # The parent's is neither closed nor dropped: either would end its TLS connections, or take them out
                # of the parent's event loop, which shares its epoll with the child.
                self._inherited.append(made)
                made = self._made = (os.getpid(), make())
            return cast("SenderT", made[1])

    def close(self) -> object:
        """Refuse further use, and return the sender that is to be closed, if there is one."""
        with self._lock:
            self._closed = True
            made, self._made = self._made, None
            return None if made is None or made[0] != os.getpid() or self.given is not None else made[1]

    def renew_locks(self) -> None:
        """Replace the locks: in a forked child, one that another thread held would never be released."""
        self._lock = RLock()
        self.budget = RetryBudget()


_pools: weakref.WeakSet[Pool[object]] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool.renew_locks()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)
