"""A progress bar on a terminal, a line now and then elsewhere. On stderr."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

import attrs

if TYPE_CHECKING:
    from types import TracebackType

_SHORTEST_BAR, _LONGEST_BAR = 6, 24
_TERMINAL_SECONDS, _LOG_SECONDS = 0.2, 10.0


@attrs.frozen(kw_only=True)
class Standing:
    """How far it is.

    Attributes:
        share: Of the whole, from 0 to 1.
        done: How many events have their outcome, in this run.
        counts: What to show of them.
    """

    share: float
    done: int
    counts: str


class Progress:
    """Shows how far something is, on a thread of its own, while it runs in the ``with`` block."""

    def __init__(self, standing: Callable[[], Standing], *, shown: bool) -> None:
        """Ask ``standing`` again and again, from this thread."""
        self._standing = standing
        self._terminal = sys.stderr.isatty()
        self._start = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True) if shown else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        while not self._ended.wait(_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            self._write(self.line())
        if self._terminal:
            self._write(self.line())
            sys.stderr.write("\n")

    def line(self) -> str:
        """Return what is shown now."""
        standing = self._standing()
        seconds = time.monotonic() - self._start
        share = min(1.0, standing.share)
        left = f", {_clock(seconds / share * (1 - share))} left" if share > 0 else ""
        text = f"{share:4.0%} {standing.counts}, {standing.done / max(seconds, 0.001):,.0f}/s{left}"
        if not self._terminal:
            return text.strip()
        width = shutil.get_terminal_size().columns - 1
        bar = min(_LONGEST_BAR, width - len(text) - len("[] "))
        filled = round(share * bar)
        return (f"[{'#' * filled}{'.' * (bar - filled)}] {text}" if bar >= _SHORTEST_BAR else text)[:width]

    def _write(self, line: str) -> None:
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{line}")
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
