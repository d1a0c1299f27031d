"""The journal of a file that is being published: which lines were about to be sent, and what became of them.

A text file that only grows: a header, and one record a line.

    s FIRST LAST START END    these lines, at these bytes of the file, are about to be sent
    a LINE                    its outcome: accepted; f failed; u unknown; b blank; r not taken, send it another time

The ``s`` records are on the disk before the first of their lines is sent. So after any end of the process, a line
without an ``s`` record was not sent, and a line with one but without an outcome is in doubt, and is known to be.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections import Counter
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Literal, cast, get_args

import attrs

Mark = Literal["a", "f", "u", "b", "r"]

_FORMAT = 1
_FINGERPRINT_OF = 64 * 1024
_SENDING = re.compile(rb"s ([0-9]+) ([0-9]+) ([0-9]+) ([0-9]+)\n")
_OUTCOME = re.compile(rb"([%b]) ([0-9]+)\n" % "".join(get_args(Mark)).encode("ascii"))


class JournalError(Exception):
    """The journal cannot be used; the message says why."""


@attrs.define
class Group:
    """Lines that are recorded together.

    Attributes:
        first: The number of the first line.
        last: That of the last one.
        start: Where the first one begins in the file.
        end: Where the last one ends.
        open: Those that have no outcome.
        again: Those that were certainly not taken and are to be sent another time.
    """

    first: int
    last: int
    start: int
    end: int
    open: set[int] = attrs.field(init=False)
    again: set[int] = attrs.field(factory=set[int], init=False)

    def __attrs_post_init__(self) -> None:
        self.open = set(range(self.first, self.last + 1))


class Journal:
    """An open journal. Only one process has it open."""

    def __init__(self, path: Path, source: Path, target: str) -> None:
        """Open the journal, and read what an earlier run left; make it if there is none.

        Args:
            path: The journal.
            source: The file that is published.
            target: To which app.

        Raises:
            JournalError: It is that of another file or app, it is damaged, or another run has it open.
        """
        self.next_line = 1
        """The first line that was never recorded."""
        self.position = 0
        """Where it begins."""
        self.counts = Counter[Mark](dict.fromkeys(get_args(Mark), 0))
        """How many lines have which outcome."""
        self.groups: list[Group] = []
        """Those of an earlier run in which lines are open, or to be sent again."""
        self._lock = threading.Lock()
        self._file = FileIO(path, "a+")
        try:
            self.resumed = self._open(path, source, target)
        except BaseException:
            self._file.close()
            raise

    def sending(self, groups: Sequence[Group]) -> None:
        """Record that these lines are about to be sent, and return when that is on the disk."""
        self._write("".join(f"s {group.first} {group.last} {group.start} {group.end}\n" for group in groups))
        os.fsync(self._file.fileno())
        for group in groups:
            self.next_line, self.position = max(self.next_line, group.last + 1), max(self.position, group.end)

    def settle(self, line: int, mark: Mark) -> None:
        """Record the outcome of a line. The end of this process does not undo it, that of the machine may."""
        self._write(f"{mark} {line}\n")
        with self._lock:
            self.counts[mark] += mark != "r"

    def close(self) -> None:
        """Close the file, when all of it is on the disk."""
        os.fsync(self._file.fileno())
        self._file.close()

    def _write(self, records: str) -> None:
        with self._lock:
            append(self._file, records.encode("ascii"))

    def _open(self, path: Path, source: Path, target: str) -> bool:
        _lock_file(self._file)
        complete = 0
        # Lines of a journal are short; whatever is longer, is none.
        reader = path.open("rb")
        with reader:
            records = list(iter(lambda: reader.readline(4096), b""))
        for number, record in enumerate(records, 1):
            if not record.endswith(b"\n"):
                if number == 1 and not _header(source, target).encode("ascii").startswith(record):
                    raise JournalError("it is not a journal")
                break  # the process ended while it was written: what it announced was not begun
            if number == 1:
                _check_header(record, source, target)
            elif sending := _SENDING.fullmatch(record):
                self._replay_sending(Group(*map(int, sending.groups())))
            elif outcome := _OUTCOME.fullmatch(record):
                self._replay_outcome(int(outcome[2]), cast("Mark", outcome[1].decode("ascii")))
            else:
                raise JournalError(f"line {number} of it is damaged")
            complete += len(record)
        self._file.truncate(complete)
        _check_position(source, self.position)
        if not complete:
            self._write(_header(source, target))
            os.fsync(self._file.fileno())
            _keep_entry(path)
        return bool(complete)

    def _replay_sending(self, group: Group) -> None:
        for older in self.groups:  # its lines are sent again
            older.open -= group.open
            older.again -= group.open
        self.groups = [older for older in self.groups if older.open or older.again]
        self.groups.append(group)
        self.next_line, self.position = max(self.next_line, group.last + 1), max(self.position, group.end)

    def _replay_outcome(self, line: int, mark: Mark) -> None:
        for group in self.groups:
            if line in group.open:
                group.open.remove(line)
                if mark == "r":
                    group.again.add(line)
        self.groups = [group for group in self.groups if group.open or group.again]
        self.counts[mark] += mark != "r"


def _header(source: Path, target: str) -> str:
    size = min(source.stat().st_size, _FINGERPRINT_OF)
    header = {"journal": _FORMAT, "target": target, "begins_with": [size, _fingerprint(source, size)]}
    return json.dumps(header) + "\n"


def _check_header(record: bytes, source: Path, target: str) -> None:
    try:
        header = json.loads(record)
        form, other, (size, fingerprint) = header["journal"], header["target"], header["begins_with"]
    except (ValueError, TypeError, KeyError):
        raise JournalError("it is not a journal") from None
    if form != _FORMAT:
        raise JournalError("another version of this program wrote it")
    if other != target:
        raise JournalError(f"it is about publishing to {other}")
    # The file may have grown, but what was there must be there still.
    if _fingerprint(source, size) != fingerprint:
        raise JournalError("it is about another file, or what was published of this one has changed")


def _check_position(source: Path, position: int) -> None:
    """Raise unless a line of the file ends there: what was published of it may not have changed."""
    if source.stat().st_size < position:
        raise JournalError("the file is shorter than what was published of it")
    with source.open("rb") as file:
        file.seek(max(0, position - 1))
        if position and file.read(1) != b"\n" and file.read(1):
            raise JournalError(
                "what was published of the file has changed: no line ends where the next one is to begin"
            )


def append(file: FileIO, data: bytes) -> None:
    """Write all of it, or none: a full disk takes what it can, and says so at the next write only.

    Raises:
        OSError: It could not be written.
    """
    size = os.fstat(file.fileno()).st_size
    written = 0
    try:
        while written < len(data):
            written += file.write(data[written:])
    except OSError:
        file.truncate(size)
        raise


def _fingerprint(source: Path, size: int) -> str:
    with source.open("rb") as file:
        return hashlib.sha256(file.read(size)).hexdigest()


def _lock_file(file: FileIO) -> None:
    try:
        import fcntl
    except ImportError:
        return  # Windows
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError("another run is using it") from None


def _keep_entry(path: Path) -> None:
    """Make sure that the new file itself survives the end of the machine."""
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
