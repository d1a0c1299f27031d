"""The logic of both publishers: what waits, what may be sent together and when, and what became of it.

Nothing here knows a thread, a task, a clock or a socket. The order of a channel is kept by a simple rule: while a batch
is under way, its channels are busy, and what else is queued for them waits.
"""

from __future__ import annotations

import copy
import logging
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

import attrs

from pusher_channels.errors import BadRequestError, DeliveryUnknownError, PayloadTooLargeError
from pusher_channels.publisher._options import Options
from pusher_channels_rest.models import BatchEvent, ChannelAttributes, TriggerBatchResult

FutureT = TypeVar("FutureT")
Outcome = ChannelAttributes | Exception

_NOTHING_ASKED = ChannelAttributes()
_LATENCIES = 1000
_log = logging.getLogger("pusher_channels")


@attrs.frozen(kw_only=True)
class PublisherStatistics:
    """What a publisher holds and has done so far. Every event that it took is counted in exactly one of the first six.

    Attributes:
        queued: Events that wait to be sent.
        in_flight: Events that are being sent.
        published: Events that the server accepted.
        failed: Events that were certainly not taken.
        unknown: Events that may have been taken or not: their futures hold a DeliveryUnknownError.
        cancelled: Events whose futures were cancelled before they were sent.
        requests: Requests sent, repeated ones included.
        retried: Requests that repeated what an earlier one did not bring about.
        latency_median: Seconds from `publish` to the outcome, over the last 1,000 events. 0 before the first outcome.
        latency_p99: The same for the slowest hundredth of them.
        latency_max: The same for the slowest of them.
    """

    queued: int
    in_flight: int
    published: int
    failed: int
    unknown: int
    cancelled: int
    requests: int
    retried: int
    latency_median: float
    latency_p99: float
    latency_max: float


@attrs.frozen(kw_only=True)
class Delivery:
    """What became of the attempt to send some events in one request.

    Attributes:
        result: The server's answer, if it took them.
        error: Why there is none.
        in_doubt: Whether the server may have taken them all the same.
        requests: How many requests were sent for it.
    """

    result: TriggerBatchResult | None = None
    error: Exception | None = None
    in_doubt: bool = False
    requests: int = 1


@attrs.define(eq=False)
class Epoch:
    """The events that were queued between two flushes: how many of them have no outcome yet."""

    open: int = 0


@attrs.define(eq=False)
class Item(Generic[FutureT]):
    """One event on its way."""

    event: BatchEvent
    future: FutureT
    since: float
    epoch: Epoch


@attrs.define(eq=False)
class _Lane(Generic[FutureT]):
    """The queue of one channel."""

    items: deque[Item[FutureT]] = attrs.field(factory=lambda: deque[Item[FutureT]]())
    busy: bool = False


@attrs.frozen(eq=False)
class Batch(Generic[FutureT]):
    """Events that are sent together, and their channels, which are busy until all of them have an outcome."""

    items: list[Item[FutureT]]
    channels: list[str]


class Core(Generic[FutureT]):
    """The queue and the books. Its methods are called with ``lock`` held, but for `deliver` and `record`."""

    def __init__(
        self,
        options: Options,
        max_batch: int,
        *,
        lock: AbstractContextManager[object],
        claim: Callable[[FutureT], bool],
        resolve: Callable[[FutureT, Outcome], None],
        freed: Callable[[int], None],
        clock: Callable[[], float],
    ) -> None:
        """Make an empty queue.

        Args:
            options: The publisher's options.
            max_batch: The most events that one request may hold.
            lock: Guards everything here.
            claim: Tells whether an event that is about to be sent is still wanted; from then on it is not cancelled.
            resolve: Gives a future its outcome. It is called without the lock.
            freed: Told with the lock held how many places became free.
            clock: Monotonic time.
        """
        self.max_queue = options.max_queue
        self.hurried = False
        """Whether to send at once what there is, and to wait for no company: the publisher is closing."""
        self._max_age = options.max_age
        self._split_refused = options.split_refused
        self._max_batch = max_batch
        self.enough = min(max_batch, options.max_queue)
        """How many events are as good as a full batch."""
        self._lock = lock
        self._claim = claim
        self._resolve = resolve
        self._freed = freed
        self._clock = clock
        self._lanes: dict[str, _Lane[FutureT]] = {}
        self._ready: deque[str] = deque()  # the channels that have events and are not busy, longest waiting first
        self._sendable = 0  # the events of those channels
        self._epoch = Epoch()
        self._flushed: list[Epoch] = []
        self._flushing = 0  # the events of those epochs
        self._published = self._failed = self._unknown = self._cancelled = self._requests = self._retried = 0
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)
        self.queued = 0
        """How many events wait to be sent."""
        self.in_flight = 0
        """How many events are being sent."""
        self.held = 0
        """How many events are queued, being sent, or about to tell their futures the outcome."""

    @property
    def sendable(self) -> int:
        """How many of them are not held back by a busy channel."""
        return self._sendable

    def add(self, event: BatchEvent, future: FutureT, now: float) -> bool:
        """Queue an event, and tell whether somebody should look: there is a first one to wait with, or a full batch."""
        channel = event.channel
        lane = self._lanes.get(channel)
        if lane is None:
            lane = self._lanes[channel] = _Lane()
        if not lane.busy:
            if not lane.items:
                self._ready.append(channel)
            self._sendable += 1
        lane.items.append(Item(event, future, now, self._epoch))
        self._epoch.open += 1
        self.queued += 1
        self.held += 1
        return not lane.busy and (self._sendable == 1 or self._sendable >= self.enough)

    def is_busy(self, channel: str) -> bool:
        """Tell whether events of the channel are under way, which others have to wait for."""
        lane = self._lanes.get(channel)
        return lane is not None and lane.busy

    def due_in(self, now: float) -> float | None:
        """Return the seconds until there is something to send: 0 for now, None if nothing can be sent."""
        if not self._sendable:
            return None
        if self._sendable >= self.enough or self.hurried or self._flushing:
            return 0.0
        # At most as many channels as make a batch, or it would be full.
        oldest = min(self._lanes[channel].items[0].since for channel in self._ready)
        return max(0.0, oldest + self._max_age - now)

    def take(self, now: float) -> Batch[FutureT] | None:
        """Take the next batch, if one is due. It goes through `deliver`."""
        while self.due_in(now) == 0.0:
            items: list[Item[FutureT]] = []
            channels: list[str] = []
            while self._ready and len(items) < self._max_batch:
                channel = self._ready.popleft()
                lane = self._lanes[channel]
                before = len(items)
                while lane.items and len(items) < self._max_batch:
                    item = lane.items.popleft()
                    self.queued -= 1
                    self._sendable -= 1
                    if self._claim(item.future):
                        items.append(item)
                    else:
                        self._cancelled += 1
                        self._forget([item])
                if len(items) > before:
                    lane.busy = True
                    channels.append(channel)
                    self._sendable -= len(lane.items)
                else:
                    del self._lanes[channel]
            if items:
                self.in_flight += len(items)
                return Batch(items, channels)
        return None

    def deliver(self, batch: Batch[FutureT]) -> Generator[list[Item[FutureT]], Delivery, None]:
        """Ask for what is to be sent, be told what became of it, and give the futures their outcomes."""
        try:
            delivery = yield batch.items
            if self._split_refused and len(batch.items) > 1 and _is_refusal(delivery):
                with self._lock:
                    self._requests += delivery.requests
                    self._retried += delivery.requests - 1
                for item in batch.items:
                    self.record([item], (yield [item]), again=True)
            else:
                self.record(batch.items, delivery)
        finally:
            with self._lock:
                self._release(batch)

    def record(self, items: Sequence[Item[FutureT]], delivery: Delivery, *, again: bool = False) -> None:
        """Count what became of events that were being sent, and tell their futures."""
        outcomes = _outcomes(len(items), delivery)
        now = self._clock()
        with self._lock:
            self.in_flight -= len(items)
            self._requests += delivery.requests
            self._retried += delivery.requests - (0 if again else min(1, delivery.requests))
            if delivery.error is None:
                self._published += len(items)
            elif delivery.in_doubt:
                self._unknown += len(items)
            else:
                self._failed += len(items)
            self._latencies.extend([now - item.since for item in items])
        if delivery.error is not None:
            what = "may have been taken or not" if delivery.in_doubt else "failed"
            reason = " ".join(str(delivery.error).split())  # one line, whatever the server sent
            _log.warning("%d events %s: %s", len(items), what, reason)
        for item, outcome in zip(items, outcomes, strict=True):
            self._resolve(item.future, outcome)

    def abandon(self) -> list[FutureT]:
        """Give up all that waits: return the futures, which the caller resolves."""
        given_up: list[Item[FutureT]] = []
        for channel, lane in list(self._lanes.items()):
            given_up += lane.items
            lane.items.clear()
            if not lane.busy:
                del self._lanes[channel]
        self._ready.clear()
        self.queued = self._sendable = 0
        wanted = [item.future for item in given_up if self._claim(item.future)]
        self._failed += len(wanted)
        self._cancelled += len(given_up) - len(wanted)
        self._forget(given_up)
        return wanted

    def mark(self) -> Callable[[], bool]:
        """Let all that is queued go at once, and return a function that tells whether all of it has an outcome."""
        self._flushed = [epoch for epoch in self._flushed if epoch.open]
        if self._epoch.open:
            self._flushing += self._epoch.open
            self._flushed.append(self._epoch)
            self._epoch = Epoch()
        marked = list(self._flushed)
        return lambda: not any(epoch.open for epoch in marked)

    def statistics(self) -> PublisherStatistics:
        """Return the books as they stand."""
        ordered = sorted(self._latencies) or [0.0]
        return PublisherStatistics(
            queued=self.queued,
            in_flight=self.in_flight,
            published=self._published,
            failed=self._failed,
            unknown=self._unknown,
            cancelled=self._cancelled,
            requests=self._requests,
            retried=self._retried,
            latency_median=ordered[len(ordered) // 2],
            latency_p99=ordered[len(ordered) * 99 // 100],
            latency_max=ordered[-1],
        )

    def _release(self, batch: Batch[FutureT]) -> None:
        for channel in batch.channels:
            lane = self._lanes[channel]
            lane.busy = False
            if lane.items:
                self._ready.append(channel)
                self._sendable += len(lane.items)
            else:
                del self._lanes[channel]
        self._forget(batch.items)

    def _forget(self, items: Sequence[Item[FutureT]]) -> None:
        for item in items:
            item.epoch.open -= 1
            if item.epoch is not self._epoch:
                self._flushing -= 1
        self.held -= len(items)
        self._freed(len(items))


def _is_refusal(delivery: Delivery) -> bool:
    """Tell whether one bad event may have made the server refuse the whole batch."""
    return isinstance(delivery.error, (BadRequestError, PayloadTooLargeError)) and not delivery.in_doubt


def _outcomes(count: int, delivery: Delivery) -> list[Outcome]:
    """Return an outcome for each event. Errors are not shared: whoever raises one changes its traceback."""
    error = delivery.error
    if error is None:
        answered = (None if delivery.result is None else delivery.result.batch) or ()
        return [*answered[:count], *[_NOTHING_ASKED] * (count - len(answered))]
    if delivery.in_doubt:
        text = f"the event may have been taken or not: {error}"
        return [_caused(DeliveryUnknownError(text), error) for _ in range(count)]
    return [error, *[_caused(copy.copy(error), error.__cause__) for _ in range(count - 1)]]


def _caused(error: Exception, cause: BaseException | None) -> Exception:
    error.__cause__ = cause
    return error
