"""The publisher for asyncio: the same names, arguments, results and errors, on one event loop."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import nullcontext, suppress
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Self

from pusher_channels._builder import Event, RequestBuilder
from pusher_channels._config import Settings
from pusher_channels.errors import InvalidArgumentError, PusherError, QueueFullError
from pusher_channels.publisher._core import Core, Delivery, Item, Outcome, PublisherStatistics
from pusher_channels.publisher._exit import report_at_exit
from pusher_channels.publisher._options import Options
from pusher_channels_rest.models import BatchEvent, ChannelAttributes

if TYPE_CHECKING:
    from types import TracebackType

    from pusher_channels.publisher._sending import AsyncSender

_log = logging.getLogger("pusher_channels")

_Future = asyncio.Future[ChannelAttributes]
_Steps = Generator[list[Item[_Future]], Delivery, None]
_AFTER_CANCELLATION = 0.05


class AsyncPublisher:
    """The asyncio twin of `Publisher`, for the tasks of one event loop. Made by `AsyncPusher.publisher`.

    ``future = await publisher.publish(...)`` waits for room in the queue, ``await future`` for the outcome.
    """

    def __init__(
        self, options: Options, builder: RequestBuilder, settings: Settings, make_sender: Callable[[], AsyncSender]
    ) -> None:
        """Take the parts from the client: see `AsyncPusher.publisher`."""
        self._options = options
        self._build = builder
        self._pid = os.getpid()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room = asyncio.Semaphore(options.max_queue)
        self._core = Core[_Future](
            options,
            settings.limits.max_batch_events,
            lock=nullcontext(),
            claim=lambda future: not future.cancelled(),
            resolve=_resolve,
            freed=self._free,
            clock=time.monotonic,
        )
        self._idle = [make_sender() for _ in range(options.concurrency)]
        self._tasks = set[asyncio.Task[None]]()
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._closed = False
        report_at_exit(self)

    @property
    def statistics(self) -> PublisherStatistics:
        """What it holds and has done so far."""
        return self._core.statistics()

    async def publish(
        self,
        channel: str,
        event_name: str,
        data: object,
        *,
        socket_id: str | None = None,
        info: Sequence[str] | str = (),
    ) -> _Future:
        """Queue an event, once there is room, and return the future of its outcome: see `Publisher.publish`."""
        try:
            event = self._build.batch_event(channel, event_name, data, socket_id, info)
        except InvalidArgumentError as error:
            raise InvalidArgumentError("event_name", error.rule) if error.argument == "name" else error from None
        return await self._queue(event)

    async def publish_event(self, event: Event) -> _Future:
        """Queue an `Event`: see `Publisher.publish`."""
        return await self._queue(self._build.one_event(event, "event"))

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  the twin of Publisher.flush
        """Send at once what is queued, and wait until all that was published before this call has its outcome.

        Raises:
            TimeoutError: It took longer. What was not done goes on.
        """
        self._check()
        done = self._core.mark()
        self._dispatch()
        if not await self._wait_for(done, timeout):
            raise TimeoutError("not all events have their outcome yet")

    async def aclose(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  the twin of Publisher.close
        """Take no more events, send what is queued, and wait for the outcomes.

        Raises:
            TimeoutError: It took longer. The events that had not been sent have failed; those that are being sent
                still get their outcome.
        """
        self._check()
        self._closed = self._core.hurried = True
        self._dispatch()
        if not await self._wait_for(lambda: not self._core.held, timeout):
            given_up = self._core.abandon()
            for future in given_up:
                _resolve(future, PusherError("the publisher was closed before the event was sent"))
            raise TimeoutError(f"closed before all events had their outcome: {len(given_up)} of them were not sent")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"AsyncPublisher(queued={self._core.queued}, closed={self._closed})"

    def finish(self) -> tuple[int, int]:
        """Tell what the exit of the interpreter left undone: no event loop runs then."""
        if self._pid != os.getpid():
            return 0, 0  # they are the parent's
        return self._core.queued, self._core.in_flight

    async def _queue(self, event: BatchEvent) -> _Future:
        loop = self._check()
        self._check_open()
        if self._room.locked() and self._options.when_full == "refuse":
            raise QueueFullError(f"{self._core.held} events have no outcome yet: as many as max_queue allows")
        await self._room.acquire()
        try:
            self._check_open()
        except PusherError:
            self._room.release()
            raise
        future: _Future = loop.create_future()
        if self._core.add(event, future, time.monotonic()):
            self._dispatch()
        return future

    def _dispatch(self) -> None:
        """Start what is due, as far as the concurrency allows, and set the timer for what is not."""
        core = self._core
        while self._idle and (batch := core.take(time.monotonic())) is not None:
            sender, steps = self._idle.pop(), core.deliver(batch)
            # In a context of its own: a batch holds events of several callers, so it is part of no single one's trace.
            coroutine = _carry_out(sender, steps, next(steps))
            task = asyncio.create_task(coroutine, name="pusher-channels-publisher", context=Context())
            self._tasks.add(task)  # the event loop itself keeps no task alive
            task.add_done_callback(partial(self._ended, sender, steps))
        if self._idle and (wait := core.due_in(time.monotonic())) is not None:
            self._set_timer(wait)

    def _ended(self, sender: AsyncSender, steps: _Steps, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._idle.append(sender)
        ended_by = None if task.cancelled() else task.exception()
        if ended_by is not None:  # what a hook raises to end the program
            _log.error("sending was ended", exc_info=ended_by)
        elif not task.cancelled():
            self._dispatch()
            return
        delivery = sender.cut_off()
        with suppress(StopIteration):
            while True:
                steps.send(delivery)
                delivery = sender.cut_off()
        # The event loop may be closing, which cancels all tasks: then new ones would have nobody to wait for them.
        self._set_timer(_AFTER_CANCELLATION)

    def _set_timer(self, seconds: float) -> None:
        when = asyncio.get_running_loop().time() + seconds
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._dispatch()

    def _free(self, count: int) -> None:
        for _ in range(count):
            self._room.release()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _wait_for(self, done: Callable[[], bool], timeout: float | None) -> bool:  # noqa: ASYNC109
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not done():
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        return done()

    def _check_open(self) -> None:
        if self._closed:
            raise PusherError("the publisher is closed")

    def _check(self) -> asyncio.AbstractEventLoop:
        if self._pid != os.getpid():
            raise PusherError("this publisher is that of the parent process: make one in each process")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise PusherError("this publisher is that of another event loop: make one in each")
        return loop


async def _carry_out(sender: AsyncSender, steps: _Steps, items: list[Item[_Future]]) -> None:
    with suppress(StopIteration):
        while True:
            items = steps.send(await sender.send([item.event for item in items]))


def _resolve(future: _Future, outcome: Outcome) -> None:
    if future.done():
        return  # cancelled while it was being sent, which changes nothing
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
        future.exception()  # read here: it was logged already, and need not be again if nobody asks
    else:
        future.set_result(outcome)
