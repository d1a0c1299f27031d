"""What all views of one client share: connections, the retry budget, and what was learnt of the server's clock."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar, cast, runtime_checkable

import attrs

from pusher_channels.errors import PusherError

ClientT = TypeVar("ClientT")

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


@attrs.define(eq=False)
class Held(Generic[ClientT]):
    """An HTTP client, and the calls that are under way with it."""

    client: ClientT
    to_close: bool
    pid: int = attrs.field(factory=os.getpid)
    calls: weakref.WeakSet[Any] = attrs.field(factory=lambda: weakref.WeakSet[Any]())


class Pool(Generic[ClientT]):
    """Holds the HTTP client: made when first used, once in each process, and closed only if it was made here.

    It is never closed under a call. `close` refuses further calls, and the last one that is under way closes it.
    """

    def __init__(self, given: ClientT | None) -> None:
        self._given = given
        self._held: Held[ClientT] | None = None
        self._inherited: list[object] = []
        self._closed = False
        # Reentrant: a signal handler, which may interrupt any line here, may call or close the client too.
        self._lock = RLock()
        self.budget = RetryBudget()
        self.clock = Clock()
        _pools.add(cast("Pool[object]", self))

    def enter(self, call: object, make: Callable[[], ClientT]) -> Held[ClientT]:
        """Let a call begin, and return this process's HTTP client for it. It ends with `leave`.

        A forked child makes its own: two processes that write to one socket would mix up their requests. ``call`` is
        referenced weakly, so that one counts no longer once it is gone, even if an interrupt kept it from leaving.

        Raises:
            PusherError: The client was closed.
        """
        with self._lock:
            if self._closed:
                raise PusherError("the client is closed")
            held = self._held
            if held is None or held.pid != os.getpid():
                # The parent's is neither closed nor dropped: either would end its TLS connections, or take them out
                # of the parent's event loop, which shares its epoll with the child.
                self._inherited.append(held)
                held = self._held = Held(make(), True) if self._given is None else Held(self._given, False)
            held.calls.add(call)
            return held

    def leave(self, held: Held[ClientT], call: object) -> ClientT | None:
        """Let a call end. The caller closes the HTTP client that is returned, if any: nobody needs it any more."""
        with self._lock:
            held.calls.discard(call)
            return None if held is self._held else _unused(held)

    def retire(self, held: Held[ClientT]) -> None:
        """Begin no further call with this HTTP client: nobody knows its state.

        Nor is it closed, since even one of its locks may have stayed locked. It ends when nobody refers to it.
        """
        with self._lock:
            if held.to_close and held is self._held:
                self._held = None
            held.to_close = False

    def close(self) -> ClientT | None:
        """Refuse further calls, and return the HTTP client if it is to be closed now."""
        with self._lock:
            self._closed = True
            return self.take()

    def take(self) -> ClientT | None:
        """Give up the HTTP client of this process, and return it if it is to be closed now."""
        with self._lock:
            held = self._held
            if held is None or held.pid != os.getpid():
                return None
            self._held = None
            return _unused(held)

    def renew_locks(self) -> None:
        """Replace the locks: in a forked child, one that another thread held would never be released."""
        self._lock = RLock()
        self.budget = RetryBudget()

    def __del__(self) -> None:
        _close_now(self)


def _unused(held: Held[ClientT]) -> ClientT | None:
    return held.client if held.to_close and not held.calls else None


@runtime_checkable
class _Closable(Protocol):
    """An HTTP client that needs no event loop to close. The async one's loops close it once nobody refers to it."""

    def close(self) -> None: ...


def _close_now(pool: Pool[Any]) -> None:
    client = pool.take()
    if isinstance(client, _Closable):
        client.close()


_pools: weakref.WeakSet[Pool[object]] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool.renew_locks()


@atexit.register
def _at_exit() -> None:
    # They stay usable: what else runs at exit may have something to send. A publisher does; it registered later, so it
    # has done so by now.
    for pool in list(_pools):
        _close_now(pool)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_after_fork)
