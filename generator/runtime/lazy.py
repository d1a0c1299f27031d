"""What is made at its first use, and what a fork waits for.

A forked child has one thread, and every lock that another thread held in the moment of the fork stays taken: those of
modules that were being loaded, and OpenSSL's own while a TLS connection was being opened. It hangs where it needs one.

So an import within a function stands in ``with forks_wait():``, or in what ``once`` makes.
"""

from __future__ import annotations

import os
import time
from functools import cached_property
from importlib import import_module
from threading import get_ident
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["forks_wait", "once"]

T = TypeVar("T")

_PATIENCE = 1.0
"""The most seconds that a fork waits for others: then it takes its chance, as it would without this."""
_COURTESY = 0.1
"""The most seconds that others let a fork go first that still waits for somebody: event loops must not stand still."""
_FORGOTTEN = 30.0
"""Seconds after which a fork waits no longer for what has not said that it ended.

An exception of a signal's handler keeps it from saying so if it comes in the wrong moment.
"""
_PAUSE = 0.001

# No locks here: they would themselves have to outlive forks, and exceptions of signals' handlers. What is done with the
# dicts is atomic. Whoever enters says so before it looks for forks, and a fork says so before it looks for others: one
# of them sees the other.
_inside: dict[forks_wait, tuple[int, float]] = {}
"""Who holds up forks: its thread, and when it is forgotten."""
_forking: dict[int, float] = {}
"""The threads that are about to fork, and how long they wait."""
_going: dict[int, float] = {}
"""Those of them that have waited, and how long others wait for them at the most: further hooks may take some time."""


class forks_wait:  # noqa: N801  named as what it does
    """``with forks_wait():`` holds up forks of other threads until the end of the block, for a second at most."""

    __slots__ = ()

    def __enter__(self) -> None:
        me = get_ident()
        _inside[self] = me, time.monotonic() + _FORGOTTEN
        if _forking:
            self._let_forks_go_first(me)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _inside.pop(self, None)

    def _let_forks_go_first(self, me: int) -> None:
        ends = time.monotonic() + _COURTESY
        while (courteous := time.monotonic() < ends and _has_others(_forking, me)) or _has_others(_going, me):
            if any(thread == me for hold, (thread, _) in list(_inside.items()) if hold is not self):
                return  # within another block, for which the fork is waiting
            if courteous:  # else it waits for those alone that go already, and further forks wait for it
                _inside.pop(self, None)
            time.sleep(_PAUSE)
            _inside[self] = me, time.monotonic() + _FORGOTTEN


class once(cached_property[T]):  # noqa: N801  named as the decorator that it is
    """A `cached_property` that forks wait for. Python 3.11's has a lock; of this, two threads may both make it."""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        """Make the value, which from then on stands in the instance."""
        if instance is None:
            return self
        with forks_wait():
            value: T = instance.__dict__.setdefault(self.func.__name__, self.func(instance))
            return value


def _has_others(forks: dict[int, float], me: int) -> bool:
    now = time.monotonic()
    return any(thread != me and until > now for thread, until in list(forks.items()))


def _before_fork() -> None:
    me = get_ident()
    ends = time.monotonic() + _PATIENCE
    while True:
        now = time.monotonic()
        _forking[me], _going[me] = ends, now + _PATIENCE  # again and again: a signal's handler may have forked, too
        for hold, (_, until) in list(_inside.items()):
            if until < now:
                _inside.pop(hold, None)
        if now >= ends or all(thread == me for thread, _ in list(_inside.values())):
            return
        _going.pop(me, None)
        time.sleep(_PAUSE)


def _after_fork_in_parent() -> None:
    _going.pop(get_ident(), None)
    _forking.pop(get_ident(), None)


def _after_fork_in_child() -> None:
    _going.clear()
    _forking.clear()
    _inside.clear()  # nobody else is here, and this thread does not wait for itself


# Hooks that are registered later are called first, and logging's takes a lock that modules need to be loaded.
import_module("logging")
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
