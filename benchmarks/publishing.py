"""Rows 3 and 8: many events through a publisher, over TLS, on 100 channels in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from itertools import cycle, islice

from benchmarks.contestant import Run
from benchmarks.samples import APP_ID, CHANNELS, DATA, EVENT, KEY, SECRET
from benchmarks.sink import Sink
from pusher_channels import AsyncPusher, Pusher
from pusher_channels.publisher import PublisherStatistics


@contextmanager
def sync_publisher(sink: Sink, *, job: int = 0, max_queue: int = 10_000) -> Generator[Run]:
    """`Pusher.publisher()`: its futures are dropped, and its statistics tell whether all went well.

    With ``job`` it waits after so many events until all have their outcome, as a program does that has a job of that
    size to do from time to time. Without, it waits once, at the end.
    """
    with (
        Pusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=sink.https_port) as pusher,
        pusher.publisher(max_queue=max_queue) as publisher,
    ):

        def run(count: int) -> None:
            channels = cycle(CHANNELS)
            size = job or count
            for start in range(0, count, size):
                for channel in islice(channels, min(size, count - start)):
                    publisher.publish(channel, EVENT, DATA)
                publisher.flush()
            _check(publisher.statistics)

        yield run


@contextmanager
def async_publisher(sink: Sink) -> Generator[Run]:
    """`AsyncPusher.publisher()`, the same."""
    with asyncio.Runner() as runner:
        pusher = AsyncPusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=sink.https_port)
        publisher = pusher.publisher()

        async def publish(count: int) -> None:
            for channel in islice(cycle(CHANNELS), count):
                await publisher.publish(channel, EVENT, DATA)
            await publisher.flush()
            _check(publisher.statistics)

        async def close() -> None:
            await publisher.aclose()
            await pusher.aclose()

        yield lambda count: runner.run(publish(count))
        runner.run(close())


def _check(statistics: PublisherStatistics) -> None:
    if statistics.failed or statistics.unknown or statistics.queued or statistics.in_flight:
        raise RuntimeError(f"not all events were taken: {statistics}")
