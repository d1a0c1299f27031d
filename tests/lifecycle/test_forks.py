"""A client that was used before a fork: parent and children go on with it, and share no connection."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.lifecycle.server import Record, Server
from tests.lifecycle.support import SOAK, TLS

CHILDREN = 200 if SOAK else 12
_PID = re.compile(r"-pid(\d+)")


def environment(server: Server, *, tls: bool) -> dict[str, str]:
    """Return the environment of an application that uses the server."""
    url = server.tls_url if tls else server.url
    return {**os.environ, "PUSHER_URL": url, "AUTHORITY": str(server.authority)}


def run_app(server: Server, *arguments: str, tls: bool) -> None:
    # From Python 3.12 on it warns of what is tested here: forks of processes that have threads.
    warnings = ["-W", "default", "-W", "ignore:This process:DeprecationWarning"]
    command = [sys.executable, *warnings, "-m", "tests.lifecycle.app", *arguments]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=600 if SOAK else 90, env=environment(server, tls=tls)
    )
    assert (run.returncode, run.stderr) == (0, "")


def processes(record: Record) -> set[str]:
    """Return which processes sent it."""
    return set(_PID.findall(" ".join([record.path, *record.data])))


def check(server: Server) -> dict[str, set[int]]:
    """Check that no connection was used by two processes and that nothing came twice; return each one's connections."""
    users = defaultdict[int, set[str]](set)
    connections = defaultdict[str, set[int]](set)
    seen = set[str]()
    for record in server.records():
        for pid in processes(record):
            users[record.connection].add(pid)
            connections[pid].add(record.connection)
        for key in record.data or [f"{record.method} {record.path}"]:
            assert key not in seen
            seen.add(key)
    assert all(len(pids) == 1 for pids in users.values())
    return connections


@TLS
def test_fork_among_threads(server: Server, tls: bool) -> None:
    run_app(server, "threads", str(CHILDREN), tls=tls)
    connections = check(server)
    assert len(connections) == 1 + CHILDREN
    (parent,) = (pid for pid in connections if any(f"after-pid{pid}" in r.data for r in server.records()))
    # The parent's connections, with their TLS sessions, outlived all forks: its 8 threads needed no others.
    assert len(connections[parent]) <= 8 + 1  # one by its async client
    for pid in set(connections) - {parent}:
        data = [data for record in server.records() for data in record.data if _PID.findall(data) == [pid]]
        assert len(data) == 1 + 3 + 3 * (2 + 3 * 2)


@TLS
@pytest.mark.parametrize("milliseconds", range(0, 60, 1 if SOAK else 10))
@pytest.mark.parametrize("what", ["first", "first-async"])
def test_fork_among_first_calls(server: Server, what: str, milliseconds: int, tls: bool) -> None:
    run_app(server, what, str(milliseconds), tls=tls)
    assert len(check(server)) == 1 + 3


@TLS
def test_fork_under_an_event_loop(server: Server, tls: bool) -> None:
    run_app(server, "loop", str(CHILDREN // 2), tls=tls)
    connections = check(server)
    assert len(connections) == 1 + CHILDREN // 2
    parent = next(pid for pid in connections if any(f"between0-pid{pid}" in r.path for r in server.records()))
    assert len(connections[parent]) <= 9


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_process_pools(server: Server, method: str) -> None:
    run_app(server, "pool", method, tls=True)
    check(server)
    data = [data for record in server.records() for data in record.data]
    for number in range(12):
        (published,) = (text for text in data if text.startswith(f"task{number}-published"))
        assert f"task{number}-0{published.partition('-published')[2]}" in data
