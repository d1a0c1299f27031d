"""A signal's handler may raise in any line of the thread that publishes, and may use the publisher itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from pusher_channels import ChannelAttributes, DeliveryUnknownError, Pusher
from pusher_channels.errors import PusherError
from tests.publisher.faults import FaultServer
from tests.publisher.twins import KINDS, open_twin

INTERRUPTIONS = 100
PATIENCE = 60.0
"""Seconds, for a machine that is slow."""


class Stop(BaseException):
    """What a handler raises, as that of Ctrl-C does."""


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        running.keep_requests = False
        yield running


@pytest.fixture(autouse=True)
def the_handler_is_put_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


# What is raised while Python collects an object, it drops.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupted_publisher_is_as_good_as_before(server: FaultServer) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Stop

    signal.signal(signal.SIGALRM, stop)
    rounds = interrupted = 0
    ends = time.monotonic() + PATIENCE
    with Pusher.from_url(server.url) as pusher:
        while interrupted < INTERRUPTIONS:
            assert time.monotonic() < ends
            rounds += 1
            publisher = pusher.publisher()
            first = publisher.publish("a", "e", "first")
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.001 + rounds % 97 * 1e-5)
                for number in range(500):
                    publisher.publish(f"c{number % 7}", "e", "d")
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Stop:
                interrupted += 1
            last = publisher.publish("a", "e", "last")
            publisher.flush(timeout=10)
            publisher.close(timeout=10)
            assert type(first.result(0)) is type(last.result(0)) is ChannelAttributes


@pytest.mark.parametrize("call", ["publish", "statistics", "flush"])
def test_a_handler_may_use_the_publisher(server: FaultServer, call: str) -> None:
    handled = 0
    with Pusher.from_url(server.url) as pusher, pusher.publisher(max_queue=100_000) as publisher:

        def use(number: int, frame: FrameType | None) -> None:
            nonlocal handled
            handled += 1
            if call == "publish":
                publisher.publish("log", "tick", str(handled))
            elif call == "statistics":
                assert publisher.statistics.queued >= 0
            else:
                publisher.flush(timeout=10)
            if handled < INTERRUPTIONS:  # else it could be called once more, while the publisher is closing
                signal.setitimer(signal.ITIMER_REAL, 0.0037)

        signal.signal(signal.SIGALRM, use)
        signal.setitimer(signal.ITIMER_REAL, 0.0037)
        ends = time.monotonic() + PATIENCE
        while handled < INTERRUPTIONS:
            assert time.monotonic() < ends
            publisher.publish("c", "e", "d")


@KINDS
async def test_a_hook_that_ends_its_thread_or_task_takes_no_other_event_with_it(kind: str, server: FaultServer) -> None:
    ended: list[object] = []

    def hook(attempt: object) -> None:
        if not ended:
            ended.append(attempt)
            raise pytest.fail.Exception("a BaseException, as SystemExit is")

    async with open_twin(kind, server.url, client={"on_response": hook}, concurrency=1) as twin:
        first = await twin.publish("a", "e", "1")
        await twin.flush()
        second = await twin.publish("a", "e", "2")
        await twin.flush()
        outcomes = await twin.outcomes(first, second)
    assert isinstance(outcomes[0], DeliveryUnknownError)
    assert isinstance(outcomes[0].__cause__, PusherError)
    assert type(outcomes[1]) is ChannelAttributes
    assert server.all_taken == ["1", "2"]
