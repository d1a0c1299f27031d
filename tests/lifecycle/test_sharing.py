"""One client for many threads, many tasks, and many event loops: every call gets its own answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from tests.lifecycle.server import Server
from tests.lifecycle.support import SOAK, TLS, acall, async_client, call, descriptors, sync_client, until

THREADS = TASKS = 64
CALLS = 200 if SOAK else 20
LIMIT = 100
"""How many connections a client opens at most, the async one in each event loop."""


def used_connections(server: Server) -> int:
    return len({record.connection for record in server.records()})


def published(server: Server) -> list[str]:
    return sorted(data for record in server.records() for data in record.data)


@TLS
def test_64_threads(server: Server, tls: bool) -> None:
    threads, before = threading.active_count(), descriptors()
    with sync_client(server, tls=tls) as pusher, ThreadPoolExecutor(THREADS) as executor:

        def work(thread: int) -> list[str]:
            return [data for n in range(CALLS) for data in call(pusher, f"t{thread}-{n}", (thread + n) % 5)]

        sent = sorted(data for part in executor.map(work, range(THREADS)) for data in part)
        assert server.open_connections() <= THREADS
    assert published(server) == sent
    assert len(server.records()) == THREADS * CALLS
    assert used_connections(server) <= THREADS
    assert (threading.active_count(), descriptors()) == (threads, before)
    until(lambda: server.open_connections() == 0)


@TLS
async def test_64_tasks(server: Server, tls: bool) -> None:
    before = descriptors()
    async with async_client(server, tls=tls) as pusher:

        async def work(task: int) -> list[str]:
            return [data for n in range(CALLS) for data in await acall(pusher, f"t{task}-{n}", (task + n) % 5)]

        sent = sorted(data for part in await asyncio.gather(*map(work, range(TASKS))) for data in part)
    assert descriptors() == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert published(server) == sent
    assert len(server.records()) == TASKS * CALLS
    assert used_connections(server) <= TASKS


async def test_more_tasks_than_connections(server: Server) -> None:
    before = descriptors()
    async with async_client(server, tls=False) as pusher:
        await asyncio.gather(*(acall(pusher, f"t{task}", task % 5) for task in range(5 * LIMIT)))
        assert server.open_connections() <= LIMIT
    assert descriptors() == before
    assert len(server.records()) == 5 * LIMIT
    assert used_connections(server) <= LIMIT


def test_as_many_connections_as_threads(server: Server) -> None:
    before = descriptors()
    with sync_client(server, tls=False) as pusher, ThreadPoolExecutor(LIMIT + 20) as executor:
        calls = [executor.submit(call, pusher, f"t{n}", n % 5) for n in range(5 * LIMIT)]
        for one in calls:
            one.result()
        assert server.open_connections() <= LIMIT + 20
    assert descriptors() == before
    assert len(server.records()) == 5 * LIMIT


@TLS
def test_an_event_loop_in_each_thread(server: Server, tls: bool) -> None:
    threads, before = threading.active_count(), descriptors()
    pusher = async_client(server, tls=tls)

    async def work(thread: int, task: int) -> list[str]:
        name = f"t{thread}-{task}"
        return [data for n in range(5) for data in await acall(pusher, f"{name}-{n}", (task + n) % 5)]

    async def main(thread: int) -> list[str]:
        return [data for part in await asyncio.gather(*(work(thread, task) for task in range(8))) for data in part]

    def run(thread: int) -> list[str]:
        return [data for _ in range(2) for data in asyncio.run(main(thread))]  # the second finds a new event loop

    with ThreadPoolExecutor(8) as executor:
        sent = sorted(data for part in executor.map(run, range(8)) for data in part)
    assert published(server) == sent
    assert len(server.records()) == 8 * 2 * 8 * 5
    # Nobody closed the client: each event loop took its connections along.
    assert (threading.active_count(), descriptors()) == (threads, before)
    until(lambda: server.open_connections() == 0)
    asyncio.run(pusher.aclose())
