"""Files of events: one JSON object a line. And the file of those that failed, with the reason."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

import attrs

from pusher_channels._builder import Event
from pusher_channels._journal import append
from pusher_channels._json import is_object

LONGEST_LINE = 1024 * 1024
"""Bytes. Data may have 10,240 by default, and escapes make it longer; this only keeps a wrong file out of memory."""
_REQUIRED = ("channel", "name", "data")
_FIELDS = (*_REQUIRED, "socket_id", "info")


class InvalidLineError(ValueError):
    """The line is not an event; the message says why."""


@attrs.frozen
class Line:
    """One line of the file.

    Attributes:
        number: Which one, from 1.
        start: Where it begins.
        end: Where the next one begins.
        text: The line itself; None if it is too long to look at.
    """

    number: int
    start: int
    end: int
    text: bytes | None = attrs.field(repr=False)


def read_lines(file: BinaryIO, number: int, position: int) -> Iterator[Line]:
    """Read the lines from this one on, which begins at this position."""
    file.seek(position)
    while text := file.readline(LONGEST_LINE):
        size, part = len(text), text
        while len(part) == LONGEST_LINE and not part.endswith(b"\n"):
            part = file.readline(LONGEST_LINE)
            size += len(part)
        yield Line(number, position, position + size, text if size == len(text) else None)
        number, position = number + 1, position + size


def parse_event(text: bytes | None) -> Event:
    """Read a line. What its values may be is checked where they are published.

    Raises:
        InvalidLineError: It is not an object with the right fields.
    """
    if text is None:
        raise InvalidLineError(f"is longer than {LONGEST_LINE} bytes")
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidLineError(f"is not JSON: {error}") from None
    if not is_object(value):
        raise InvalidLineError("is not a JSON object")
    missing = [name for name in _REQUIRED if name not in value]
    unknown = [name for name in value if name not in _FIELDS]
    if missing or unknown:
        raise InvalidLineError(f"has no {missing[0]!r}" if missing else f"has the unknown field {unknown[0]!r}")
    # The types are checked with everything else.
    return Event(
        cast("str", value["channel"]),
        cast("str", value["name"]),
        value["data"],
        socket_id=cast("str | None", value.get("socket_id")),
        info=cast("str", value.get("info") or ()),
    )


class Failures:
    """The file of the lines that failed: a JSON object each, with the line's number, what happened, and the event."""

    def __init__(self, path: Path, source: Path, *, append: bool) -> None:
        """Open it. ``source`` is the file of events, out of which the failed ones are copied.

        Raises:
            OSError: It cannot be opened, or is that file itself.
        """
        if path.exists() and path.samefile(source):
            raise FileExistsError(errno.EEXIST, "is the file of events itself", str(path))
        self.path = path
        self._source = source.open("rb")
        self._lock = threading.Lock()
        try:
            self._file = FileIO(path, "a" if append else "w")
        except OSError:
            self._source.close()
            raise

    def write(self, line: Line, outcome: str, reason: str) -> None:
        """Write what became of a line."""
        record: dict[str, object] = {"line": line.number, "outcome": outcome, "error": reason}
        with self._lock:
            if line.text is not None:
                self._source.seek(line.start)
                text = self._source.read(line.end - line.start)
                try:
                    record["event"] = json.loads(text)
                except (ValueError, RecursionError):
                    record["text"] = text.decode(errors="replace").rstrip("\r\n")
            append(self._file, json.dumps(record, ensure_ascii=False).encode(errors="replace") + b"\n")

    def sync(self) -> None:
        """Return when all of it is on the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the files, when all is on the disk."""
        self._source.close()
        self.sync()
        self._file.close()
