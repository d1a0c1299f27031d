"""The soak in small: `python -m tests.publisher.soak` is the real one."""

from __future__ import annotations

from tests.publisher.soak import Report, fault_server, record_of, soak_tasks, soak_threads

EVENTS, RATE = 3000, 0.1


def check(report: Report) -> None:
    assert report.outcomes["accepted"] > EVENTS / 2
    assert report.outcomes["in doubt"]
    assert report.statistics.retried


def test_threads() -> None:
    with fault_server(1, RATE) as url:
        check(soak_threads(url, EVENTS, 8, lambda: record_of(url)))


async def test_tasks() -> None:
    with fault_server(2, RATE) as url:
        check(await soak_tasks(url, EVENTS, 50, lambda: record_of(url)))
