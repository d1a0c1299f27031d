"""What the lifecycle tests count, and how they run a program of their own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pusher_channels import AsyncPusher, Event, Pusher
from tests.lifecycle.server import Server, count_of

SOAK = bool(os.environ.get("SOAK"))
TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
_ROOT = Path(__file__).parents[2]


def descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208  without the one that lists them


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for what other processes or threads are about to do."""
    ends = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.005)


async def auntil(done: Callable[[], bool]) -> None:
    """Wait for what the event loop or another process is about to do."""
    ends = time.monotonic() + 20
    while not done():
        assert time.monotonic() < ends, "it never came"
        await asyncio.sleep(0.005)


def run_code(code: str, *arguments: object, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a program in an interpreter of its own."""
    command = [sys.executable, *options, "-c", code, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=_ROOT)


def sync_client(server: Server, *, tls: bool, timeout: float = 20.0) -> Pusher:
    """Make a client of the server."""
    return Pusher.from_url(server.tls_url if tls else server.url, verify=server.context, timeout=timeout)


def async_client(server: Server, *, tls: bool, timeout: float = 20.0) -> AsyncPusher:
    """Make its twin."""
    return AsyncPusher.from_url(server.tls_url if tls else server.url, verify=server.context, timeout=timeout)


def call(pusher: Pusher, name: str, kind: int) -> list[str]:
    """Make one of five calls, check that its answer is its own, and return the data that it published."""
    if kind == 0:
        result = pusher.trigger(name, "e", name, info="subscription_count")
        assert result.channels is not None
        assert result.channels[name].subscription_count == count_of(name)
        return [name]
    if kind == 1:
        data = [f"{name}-{number}" for number in range(3)]
        batch = pusher.trigger_batch([Event(name, "e", text) for text in data]).batch
        assert [counts.subscription_count for counts in batch or ()] == [count_of(text) for text in data]
        return data
    if kind == 2:
        assert pusher.channels.get(name).subscription_count == count_of(name)
    elif kind == 3:
        assert [user.id for user in pusher.channels.users(f"presence-{name}").users] == [f"presence-{name}"]
    else:
        assert pusher.request("GET", f"/x/{name}").content == f'{{"path": "/apps/3/x/{name}"}}'.encode()
    return []


async def acall(pusher: AsyncPusher, name: str, kind: int) -> list[str]:
    """Do the same for the async client."""
    if kind == 0:
        result = await pusher.trigger(name, "e", name, info="subscription_count")
        assert result.channels is not None
        assert result.channels[name].subscription_count == count_of(name)
        return [name]
    if kind == 1:
        data = [f"{name}-{number}" for number in range(3)]
        batch = (await pusher.trigger_batch([Event(name, "e", text) for text in data])).batch
        assert [counts.subscription_count for counts in batch or ()] == [count_of(text) for text in data]
        return data
    if kind == 2:
        assert (await pusher.channels.get(name)).subscription_count == count_of(name)
    elif kind == 3:
        users = (await pusher.channels.users(f"presence-{name}")).users
        assert [user.id for user in users] == [f"presence-{name}"]
    else:
        answer = await pusher.request("GET", f"/x/{name}")
        assert answer.content == f'{{"path": "/apps/3/x/{name}"}}'.encode()
    return []
