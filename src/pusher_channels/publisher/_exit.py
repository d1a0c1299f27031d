"""What happens to events that have no outcome yet when the interpreter exits."""

from __future__ import annotations

import atexit
import logging
import sys
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet

_log = logging.getLogger("pusher_channels")


class Unfinished(Protocol):
    """A publisher, as seen at the end."""

    def finish(self) -> tuple[int, int]:
        """Send what can still be sent; return how many events were never sent, and how many are under way."""
        ...


_publishers = WeakSet[Unfinished]()


def report_at_exit(publisher: Unfinished) -> None:
    """Let this publisher finish, or say what it could not, when the interpreter exits."""
    _publishers.add(publisher)


def _finish_all() -> None:
    unsent = under_way = 0
    for publisher in list(_publishers):
        one_unsent, one_under_way = publisher.finish()
        unsent, under_way = unsent + one_unsent, under_way + one_under_way
    if unsent or under_way:
        text = (
            f"{unsent + under_way} events were not confirmed when the interpreter exited: "
            f"{unsent} were not sent, {under_way} may have been taken or not"
        )
        _log.error("%s", text)
        with suppress(OSError, ValueError, AttributeError):  # stderr is closed, or None without a console
            sys.stderr.write(f"pusher_channels: {text}\n")


# After the main thread's end and before daemon threads are stopped, which is the last moment in which they can send.
atexit.register(_finish_all)
