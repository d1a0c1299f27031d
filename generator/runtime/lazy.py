"""What is made at its first use, and what a fork waits for.

A forked child has one thread, and every lock that another thread held in the moment of the fork stays taken: those of
modules that were being loaded, and OpenSSL's own while a TLS connection was being opened. It hangs where it needs one.

So an import within a function stands in ``with forks_wait``, or in what ``once`` makes.
"""

from __future__ import annotations

import os
import time
from functools import cached_property
from threading import get_ident
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["forks_wait", "once"]

T = TypeVar("T")

_PATIENCE = 1.0
"""The most seconds that a fork waits for others, or others for it: then it takes its chance, as it would without us."""
_PAUSE = 0.001

# No locks here: they would themselves have to outlive forks, and exceptions of signals' handlers. What is done with the
# dict and the set is atomic. Whoever enters says so before it looks for forks, and a fork says so before it looks for
# others: one of them sees the other.
_inside: dict[int, int] = {}
_forking = set[int]()


class _ForksWait:
    """``with forks_wait:`` holds up forks of other threads until the end of the block, for a second at most."""

    def __enter__(self) -> None:
        me = get_ident()
        depth = _inside.get(me, 0)
        _inside[me] = depth + 1
        if depth or not _forking:
            return
        ends = time.monotonic() + _PATIENCE
        while _forking - {me} and time.monotonic() < ends:
            del _inside[me]
            time.sleep(_PAUSE)
            _inside[me] = 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        me = get_ident()
        depth = _inside.pop(me, 1) - 1
        if depth:
            _inside[me] = depth


forks_wait = _ForksWait()


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
        with forks_wait:
            value: T = instance.__dict__.setdefault(self.func.__name__, self.func(instance))
            return value


def _before_fork() -> None:
    me = get_ident()
    _forking.add(me)
    ends = time.monotonic() + _PATIENCE
    while set(_inside) - {me} and time.monotonic() < ends:
        time.sleep(_PAUSE)


def _after_fork_in_parent() -> None:
    _forking.discard(get_ident())


def _after_fork_in_child() -> None:
    _forking.clear()
    _inside.clear()  # nobody else is here, and this thread does not wait for itself


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
