"""``pusher-channels publish``: stream a file of events through a publisher."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Event, Semaphore
from typing import TYPE_CHECKING, BinaryIO

from pusher_channels._event_lines import Failures, InvalidLineError, Line, parse_event, read_lines
from pusher_channels._journal import Group, Journal, JournalError, Mark
from pusher_channels._progress import Progress, Standing
from pusher_channels.client import Pusher
from pusher_channels.errors import APIError, APIStatusError, ConfigurationError, DeliveryUnknownError, PusherError

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import FrameType

    from pusher_channels.publisher import Publisher
    from pusher_channels_rest.models import ChannelAttributes

_DESCRIPTION = """\
Publish a file of events, one JSON object a line: {"channel": ..., "name": ..., "data": ...}, and optionally "socket_id"
and "info". Data that is a string is sent as it is, anything else as JSON. Each channel's events keep their order.
"""
_EPILOG = """\
Interrupted in any way, even by kill -9, run the same command again: it goes on where it was. Exit status: 0 if every
line was accepted, 1 if some were not, 2 for a wrong call.
"""
_GROUP = 100
"""How many lines are recorded at once before they are sent. After a kill -9 up to three times as many are in doubt."""
_MASTER_KEY = "PUSHER_ENCRYPTION_MASTER_KEY_BASE64"
# The file has time: a server that is away for a moment is waited for.
_RETRIES, _DEADLINE = 8, 60.0
# The only refusals that are about an event. With any other, the next event would fare no better.
_ABOUT_THE_EVENT = (400, 413, 422)
_WRONG_APP = re.compile(r"auth_key|invalid for app")  # what the service says of a key or an app id, with 400


def add_publish_command(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.description, parser.epilog = _DESCRIPTION, _EPILOG
    add = parser.add_argument
    add("file", type=Path, metavar="events.jsonl", help="the events; lines may be added to it later, and nothing else")
    add("--url", help="the app: https://KEY:SECRET@HOST/apps/ID (default: $PUSHER_URL, which other users cannot see)")
    add("--failures", type=Path, metavar="FILE", help="where failed lines go (default: events.jsonl.failures)")
    add("--journal", type=Path, metavar="FILE", help="what it remembers (default: events.jsonl.journal)")
    add("--concurrency", type=_positive, default=4, metavar="N", help="requests at once (default: %(default)s)")
    add("--retry-unsafe", action="store_true", help="send again what may have been taken: events may arrive twice")
    add(
        "--resend-doubtful",
        action="store_true",
        help="send again the lines that were being sent when the last run was killed: events may arrive twice",
    )
    add("--quiet", action="store_true", help="show no progress and no summary")
    parser.set_defaults(run=_run)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a number from 1 upwards")
    return int(text)


def _run(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    # What the SDK warns of stands in the failures file.
    logging.getLogger("pusher_channels").addHandler(logging.NullHandler())
    try:
        with ExitStack() as stack:
            pusher = stack.enter_context(_client(arguments))
            source = stack.enter_context(file.open("rb"))
            journal = Journal(arguments.journal or Path(f"{file}.journal"), file, repr(pusher))
            stack.callback(journal.close)
            failures = Failures(arguments.failures or Path(f"{file}.failures"), file, append=journal.resumed)
            stack.callback(failures.close)
            room = max(2 * _GROUP, 20 * arguments.concurrency)
            # The queue holds more than are under way here: events leave it a moment after they have their outcome.
            publisher = pusher.publisher(max_queue=2 * room, concurrency=arguments.concurrency)
            job = _Job(source, journal, failures, publisher, room)
            return job.run(resend=arguments.resend_doubtful, quiet=arguments.quiet)
    except ConfigurationError as error:
        complaint = str(error)
    except JournalError as error:
        complaint = f"cannot use the journal: {error}"
    except OSError as error:
        complaint = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    _say(f"pusher-channels publish: {complaint}")
    return 2


def _client(arguments: argparse.Namespace) -> Pusher:
    make = Pusher.from_env if arguments.url is None else partial(Pusher.from_url, arguments.url)
    return make(
        retry_unsafe=arguments.retry_unsafe,
        max_retries=_RETRIES,
        deadline=_DEADLINE,
        encryption_master_key_base64=os.environ.get(_MASTER_KEY),
    )


class _Job:
    """One run of the command."""

    def __init__(self, source: BinaryIO, journal: Journal, failures: Failures, publisher: Publisher, room: int) -> None:
        self._source = source
        self._size = max(1, os.fstat(source.fileno()).st_size)
        self._journal = journal
        self._failures = failures
        self._publisher = publisher
        self._before = journal.counts.total()
        self._stopped = ""
        self._given_up = Event()
        self._room = Semaphore(room)
        self._waiting: dict[Future[ChannelAttributes], None] = {}  # in the order of their lines

    def run(self, *, resend: bool, quiet: bool) -> int:
        """Publish what is left; return the exit status."""
        before = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with Progress(self._standing, shown=not quiet), self._publisher:
                self._finish_last_run(resend=resend)
                lines = read_lines(self._source, self._journal.next_line, self._journal.position)
                while not self._stopped and (group := list(islice(lines, _GROUP))):
                    if _is_unfinished(group[-1]):
                        _say(f"line {group.pop().number} is not complete: it is left for the next run")
                        if not group:
                            break
                    self._send(group, [Group(group[0].number, group[-1].number, group[0].start, group[-1].end)])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return self._sum_up(quiet=quiet)

    def _finish_last_run(self, *, resend: bool) -> None:
        """Deal with the lines that an earlier run recorded as about to be sent, and left without an outcome."""
        again: list[Line] = []
        doubtful: list[Line] = []
        for group in self._journal.groups:
            lines = read_lines(self._source, group.first, group.start)
            for line in islice(lines, group.last - group.first + 1):
                if line.number in group.open:
                    doubtful.append(line)
                elif line.number in group.again:
                    again.append(line)
        if doubtful:
            what = "are sent again" if resend else f"stand in {self._failures.path} as unknown and are not sent again"
            _say(f"{len(doubtful)} lines were being sent when the last run ended, and may have arrived: they {what}")
        if resend:
            again += doubtful
        else:
            for line in doubtful:
                self._settle(line, "u", "it was being sent when the run ended")
        if again:
            again.sort(key=lambda line: line.number)
            self._send(again, [Group(line.number, line.number, line.start, line.end) for line in again])

    def _send(self, lines: list[Line], groups: list[Group]) -> None:
        self._failures.sync()
        self._journal.sending(groups)
        for line in lines:
            if line.text is not None and not line.text.strip():
                self._settle(line, "b")
                continue
            # Room is waited for here: what waits within `publish_event` would be sent after others have failed.
            self._room.acquire()
            if self._given_up.is_set():
                self._room.release()
                self._settle(line, "r")
                continue
            try:
                future = self._publisher.publish_event(parse_event(line.text))
            except (InvalidLineError, PusherError) as error:
                self._room.release()
                self._settle(line, "f", str(error))
            else:
                self._waiting[future] = None
                future.add_done_callback(partial(self._end, line))
                if self._given_up.is_set():  # meanwhile, by a thread that did not know of this one
                    future.cancel()

    def _end(self, line: Line, future: Future[ChannelAttributes]) -> None:
        try:
            self._record(line, future)
        finally:
            self._room.release()

    def _record(self, line: Line, future: Future[ChannelAttributes]) -> None:
        self._waiting.pop(future, None)
        error = None if future.cancelled() else future.exception()
        if future.cancelled():
            self._settle(line, "r")
        elif error is None:
            self._settle(line, "a")
        elif isinstance(error, DeliveryUnknownError):
            self._settle(line, "u", str(error))
        elif _is_about_the_event(error):
            self._settle(line, "f", str(error))
        else:
            self._given_up.set()
            self._settle(line, "r")
            self._stop(f"{error}. Lines that were not taken are sent when it is run again")
            # The last ones first: what gets through meanwhile must not come before earlier ones of its channel.
            for other in reversed(list(self._waiting)):
                other.cancel()

    def _settle(self, line: Line, mark: Mark, reason: str = "") -> None:
        try:
            if reason:  # first there: what the journal says to have failed must be found
                self._failures.write(line, "unknown" if mark == "u" else "failed", reason)
            self._journal.settle(line.number, mark)
        except OSError as error:
            self._stop(f"cannot write: {error.strerror}")

    def _stop(self, reason: str) -> None:
        self._stopped = self._stopped or reason

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._stopped:
            os._exit(1)  # asked twice: what is under way is in doubt, as after a kill
        self._stop("interrupted; run it again to go on")

    def _standing(self) -> Standing:
        done = self._journal.counts.total() - self._before
        return Standing(share=self._journal.position / self._size, done=done, counts=self._counted())

    def _counted(self) -> str:
        counts = self._journal.counts
        return f"{counts['a']:,} accepted, {counts['f']:,} failed, {counts['u']:,} unknown"

    def _sum_up(self, *, quiet: bool) -> int:
        counts = self._journal.counts
        if self._stopped:
            _say(f"pusher-channels publish: stopped: {self._stopped}")
        if not quiet:
            bad = counts["f"] + counts["u"]
            sys.stdout.write(self._counted() + (f": see {self._failures.path}" if bad else "") + "\n")
        return 1 if self._stopped or counts["f"] or counts["u"] else 0


def _is_unfinished(line: Line) -> bool:
    """Tell whether somebody is still writing this line: it does not end, and is no event."""
    if line.text is None or line.text.endswith(b"\n") or not line.text.strip():
        return False
    try:
        parse_event(line.text)
    except InvalidLineError:
        return True
    return False


def _is_about_the_event(error: BaseException) -> bool:
    """Tell whether an event that was certainly not taken was refused for what it is."""
    if isinstance(error, APIStatusError):
        return error.status_code in _ABOUT_THE_EVENT and _WRONG_APP.search(error.body) is None
    return not isinstance(error, APIError)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
