"""What a contestant is: it gets ready, yields a function that does its operation so many times, and cleans up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from benchmarks.samples import APP_ID, KEY, SECRET
from benchmarks.sink import Sink

Run = Callable[[int], None]
Contestant = Callable[..., AbstractContextManager[Run]]
"""Takes the sink, and as keywords the arguments that the table of rows has for it."""

AT_ONCE = 50


def one_by_one(operation: Callable[[], object]) -> Run:
    """Return a function that does the operation so many times, one after the other."""

    def run(count: int) -> None:
        for _ in range(count):
            operation()

    return run


def at_once(runner: asyncio.Runner, operation: Callable[[], Awaitable[object]]) -> Run:
    """Return a function that does the operation so many times, 50 of them under way at any time.

    It has been done often enough before for every connection to be open.
    """

    async def some(numbers: Iterator[int]) -> None:
        for _ in numbers:
            await operation()

    async def all_of(count: int) -> None:
        numbers = iter(range(count))
        await asyncio.gather(*(some(numbers) for _ in range(AT_ONCE)))

    runner.run(all_of(4 * AT_ONCE))
    return lambda count: runner.run(all_of(count))


def official(sink: Sink, **options: object) -> Any:
    """Make the PyPI client as its users do; the authorities that it brings along have the private one among them."""
    backend: Any = import_module("pusher.requests")
    backend.CERT_PATH = sink.pusher_trusted
    library: Any = import_module("pusher")
    return library.Pusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=sink.https_port, ssl=True, **options)
