"""The publisher for threads."""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import Context
from typing import TYPE_CHECKING, Self

import attrs

from pusher_channels._builder import Event, RequestBuilder
from pusher_channels._config import Settings
from pusher_channels.errors import InvalidArgumentError, PusherError, QueueFullError
from pusher_channels.publisher._core import Batch, Core, Outcome, PublisherStatistics
from pusher_channels.publisher._exit import report_at_exit
from pusher_channels.publisher._options import Options
from pusher_channels_rest.models import BatchEvent, ChannelAttributes

if TYPE_CHECKING:
    from types import TracebackType

    from pusher_channels.publisher._sending import Sender

_log = logging.getLogger("pusher_channels")

_Future = Future[ChannelAttributes]
_LONGEST_EXIT = 30.0


@attrs.define(eq=False)
class _Flush:
    """Asks, in the queue, that all before it be sent at once."""

    done: Callable[[], bool] | None = None
    """Tells whether that has its outcomes, once a thread has seen this."""


class Publisher:
    """Publishes events in batches, from any thread. Made by `Pusher.publisher`; close it, or use it in a ``with``.

    Only its own threads change the core, since only they are never interrupted: a signal's handler may raise in any
    line of the main thread, and may publish there itself. What others want, they append to ``_inbox``, which is one
    step, and the lock can be taken twice by one thread.
    """

    def __init__(
        self, options: Options, builder: RequestBuilder, settings: Settings, make_sender: Callable[[], Sender]
    ) -> None:
        """Take the parts from the client: see `Pusher.publisher`."""
        self._options = options
        self._build = builder
        self._make_sender = make_sender
        self._exit_limit = min(settings.deadline, _LONGEST_EXIT)
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._inbox = deque[tuple[BatchEvent, _Future, float] | _Flush]()
        self._due = threading.Condition(self._lock)  # for the threads that send
        self._room = threading.Condition(self._lock)  # for those who publish
        self._settled = threading.Condition(self._lock)  # for those who wait until all have their outcomes
        self._core = Core[_Future](
            options,
            settings.limits.max_batch_events,
            lock=self._lock,
            claim=_Future.set_running_or_notify_cancel,
            resolve=_resolve,
            freed=self._freed,
            clock=time.monotonic,
        )
        # Not at every free place: threads that wake up for one event each cost more than the events.
        self._enough_room = options.max_queue - max(1, options.max_queue // 10)
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._watched_until = math.inf
        self._closed = False
        report_at_exit(self)

    @property
    def statistics(self) -> PublisherStatistics:
        """What it holds and has done so far."""
        self._check_process()
        with self._lock:
            statistics = self._core.statistics()
            return attrs.evolve(statistics, queued=self._queued)

    def publish(
        self,
        channel: str,
        event_name: str,
        data: object,
        *,
        socket_id: str | None = None,
        info: Sequence[str] | str = (),
    ) -> _Future:
        """Queue an event, and return the future of its outcome.

        The future's result is what ``info`` asked for. Its error is the one that befell this event: the client's own
        errors if it was certainly not taken, `DeliveryUnknownError` if it may have been. Cancelling it works until the
        event is being sent.

        Args:
            channel: The channel. Data of an encrypted channel is encrypted before it is queued.
            event_name: The event's name, at most 200 characters.
            data: As for `Pusher.trigger`.
            socket_id: A connection that is not to receive the event: the one that caused it.
            info: Counts to answer with, as for `Pusher.trigger`.

        Raises:
            InvalidArgumentError: An argument breaks its rule. Nothing was queued.
            ConfigurationError: The channel is encrypted and the client has no master key. Nothing was queued.
            QueueFullError: The queue is full, and ``when_full`` is "refuse", or this is a callback of one of its
                futures, which would wait for itself.
            PusherError: The publisher is closed, or it is that of the process that this one was forked from.
        """
        try:
            event = self._build.batch_event(channel, event_name, data, socket_id, info)
        except InvalidArgumentError as error:
            raise InvalidArgumentError("event_name", error.rule) if error.argument == "name" else error from None
        return self._queue(event)

    def publish_event(self, event: Event) -> _Future:
        """Queue an `Event`: see `publish`."""
        return self._queue(self._build.one_event(event, "event"))

    def flush(self, timeout: float | None = None) -> None:
        """Send at once what is queued, and wait until all that was published before this call has its outcome.

        Raises:
            TimeoutError: It took longer. What was not done goes on.
        """
        self._check_process()
        self._check_no_callback("flush")
        if not self._flush(timeout):
            raise TimeoutError("not all events have their outcome yet")

    def close(self, timeout: float | None = None) -> None:
        """Take no more events, send what is queued, wait for the outcomes, and end the threads.

        Raises:
            TimeoutError: It took longer. The events that had not been sent have failed; those that are being sent
                still get their outcome.
        """
        self._check_process()
        self._check_no_callback("close")
        with self._lock:
            self._closed = self._core.hurried = True
            self._due.notify_all()
            self._room.notify_all()
            in_time = self._settled.wait_for(lambda: not self._held, timeout)
            given_up = [] if in_time else self._core.abandon()
            while not in_time and self._inbox:
                item = self._inbox.popleft()
                if isinstance(item, _Flush):
                    item.done = self._core.mark()
                elif item[1].set_running_or_notify_cancel():
                    given_up.append(item[1])
            self._due.notify_all()
            self._settled.notify_all()
        for future in given_up:
            _resolve(future, PusherError("the publisher was closed before the event was sent"))
        if not in_time:
            raise TimeoutError(f"closed before all events had their outcome: {len(given_up)} of them were not sent")
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Publisher(queued={self._queued}, closed={self._closed})"

    def finish(self) -> tuple[int, int]:
        """Do what the exit of the interpreter leaves time for: see docs/publisher.md."""
        if self._pid != os.getpid():
            return 0, 0  # they are the parent's
        self._flush(self._exit_limit)
        with self._lock:
            return self._queued, self._core.in_flight

    @property
    def _queued(self) -> int:
        """How many events wait to be sent, those included that no thread has seen."""
        # A copy, which is one step: a signal's handler may publish meanwhile.
        return self._core.queued + sum(not isinstance(item, _Flush) for item in tuple(self._inbox))

    @property
    def _held(self) -> int:
        """How many events have no outcome yet (and flushes that no thread has seen)."""
        return self._core.held + len(self._inbox)

    def _flush(self, timeout: float | None) -> bool:
        """Let all that is queued go at once; tell whether all of it got its outcome in time."""
        flush = _Flush()
        with self._lock:
            if self._closed or not self._threads:
                return self._settled.wait_for(lambda: not self._held, timeout)
            self._inbox.append(flush)
            self._due.notify_all()
            return self._settled.wait_for(lambda: flush.done is not None and flush.done(), timeout)

    def _queue(self, event: BatchEvent) -> _Future:
        self._check_process()
        future = _Future()
        core, inbox = self._core, self._inbox
        with self._lock:
            if self._closed or self._held >= core.max_queue:
                self._wait_for_room()
            if not self._threads:
                self._start()
            inbox.append((event, future, time.monotonic()))
            # While a thread watches the clock, it is enough to wake another one when there is a full batch.
            is_full = core.sendable + len(inbox) >= core.enough
            if self._idle and (is_full or self._watched_until == math.inf) and not core.is_busy(event.channel):
                self._due.notify()
        return future

    def _wait_for_room(self) -> None:
        limit = self._core.max_queue
        if not self._closed and (self._options.when_full == "refuse" or threading.current_thread() in self._threads):
            raise QueueFullError(f"{self._held} events have no outcome yet: as many as max_queue allows")
        self._room.wait_for(lambda: self._closed or self._held < limit)
        if self._closed:
            raise PusherError("the publisher is closed")

    def _start(self) -> None:
        for number in range(self._options.concurrency):
            # Daemons, so that they cannot keep the interpreter from exiting: `finish` gives them a limited time. In a
            # context of their own: some Pythons, and instrumentations, hand on that of whoever publishes first.
            thread = threading.Thread(
                target=Context().run, args=(self._work,), name=f"pusher-channels-publisher-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _work(self) -> None:
        sender = self._make_sender()
        while (batch := self._next()) is not None:
            steps = self._core.deliver(batch)
            try:
                items = next(steps)
                while True:
                    items = steps.send(sender.send([item.event for item in items]))
            except StopIteration:
                pass

    def _next(self) -> Batch[_Future] | None:
        """Wait for the next batch; None when the publisher is closed and nothing is left."""
        core = self._core
        with self._lock:
            while True:
                self._absorb()
                batch = core.take(time.monotonic())
                if batch is not None:
                    if core.sendable:
                        self._due.notify()  # somebody else sends that, or waits until it is due
                    return batch
                if self._closed and not core.queued:
                    self._due.notify_all()
                    return None
                now = time.monotonic()
                wait = core.due_in(now)
                self._idle += 1
                if wait is None or now + wait >= self._watched_until:
                    self._due.wait()
                else:  # one thread watches the clock for all
                    self._watched_until = now + wait
                    self._due.wait(wait)
                    self._watched_until = math.inf
                self._idle -= 1

    def _absorb(self) -> None:
        """Take over what was appended to the inbox."""
        while self._inbox:
            item = self._inbox.popleft()
            if isinstance(item, _Flush):
                item.done = self._core.mark()
                self._freed(0)  # it took the place of an event
            else:
                self._core.add(*item)

    def _freed(self, count: int) -> None:
        if self._held <= self._enough_room:
            self._room.notify_all()
        self._settled.notify_all()

    def _check_process(self) -> None:
        if self._pid != os.getpid():
            raise PusherError("this publisher is that of the parent process: make one in each process")

    def _check_no_callback(self, method: str) -> None:
        if threading.current_thread() in self._threads:
            raise PusherError(f"{method} was called in a callback of a future of this publisher: it would never return")


def _resolve(future: _Future, outcome: Outcome) -> None:
    try:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
    except BaseException:  # a callback that ends threads must not take the other events' outcomes with it
        _log.exception("a callback failed")
