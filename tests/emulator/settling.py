"""One way to call either client, so that a test is written once for both."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import TypeVar

from pusher_channels import AsyncPusher, Pusher

T = TypeVar("T")
Client = Pusher | AsyncPusher


async def settle(result: T | Awaitable[T]) -> T:
    """Return the result of a call, waiting for it if the client is the async one."""
    if inspect.isawaitable(result):
        return await result
    return result  # pyright: ignore[reportReturnType]  a result is never awaitable itself
