"""The queue itself: any mix of events, batches, outcomes, cancellations, flushes and time keeps its promises."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pusher_channels import APIConnectionError, BadRequestError, DeliveryUnknownError, PayloadTooLargeError, RequestInfo
from pusher_channels.publisher._core import Batch, Core, Delivery, Outcome
from pusher_channels.publisher._options import Options, WhenFull
from pusher_channels_rest.models import BatchEvent, ChannelAttributes, TriggerBatchResult

T = TypeVar("T")
MAX_BATCH, MAX_AGE = 4, 1.0
INFO = RequestInfo("POST", "http://server/apps/3/batch_events")


class Ticket:
    """Stands in for a future, and remembers what a test wants to know of the event."""

    def __init__(self, channel: str, number: int) -> None:
        self.channel = channel
        self.number = number
        self.cancelled = self.claimed = False
        self.outcomes: list[Outcome] = []

    def claim(self) -> bool:
        assert not self.claimed
        self.claimed = not self.cancelled
        return self.claimed


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def make_core(clock: Clock, freed: list[int], *, max_queue: int = 1000, split_refused: bool = True) -> Core[Ticket]:
    options = Options(
        max_queue=max_queue, when_full="wait", max_age=MAX_AGE, concurrency=1, split_refused=split_refused
    )
    return Core(
        options,
        MAX_BATCH,
        lock=nullcontext(),
        claim=Ticket.claim,
        resolve=lambda ticket, outcome: ticket.outcomes.append(outcome),
        freed=freed.append,
        clock=clock,
    )


def event(channel: str = "a", number: int = 0) -> BatchEvent:
    return BatchEvent(channel=channel, name="e", data=str(number))


def refusal(kind: type[BadRequestError | PayloadTooLargeError] = BadRequestError) -> Delivery:
    return Delivery(error=kind(400, "bad", {}, request=INFO))


class Machine(RuleBasedStateMachine):
    """Drives a core as threads would, and keeps a model beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.freed: list[int] = []
        self.core = make_core(self.clock, self.freed)
        self.tickets: list[Ticket] = []
        self.under_way: list[tuple[Batch[Ticket], list[Ticket], object]] = []
        self.sent: dict[str, list[int]] = {}

    @rule(channel=st.sampled_from("abcdef"), count=st.integers(1, 6))
    def publish(self, channel: str, count: int) -> None:
        for _ in range(count):
            ticket = Ticket(channel, len(self.tickets))
            self.tickets.append(ticket)
            self.core.add(event(channel, ticket.number), ticket, self.clock.now)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def flush(self) -> None:
        done = self.core.mark()
        assert done() == all(ticket.outcomes or self.dropped(ticket) for ticket in self.tickets)

    @precondition(lambda self: any(not ticket.claimed for ticket in self.tickets))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from([ticket for ticket in self.tickets if not ticket.claimed]))
        ticket.cancelled = True

    @rule()
    def send(self) -> None:
        wait = self.core.due_in(self.clock.now)
        batch = self.core.take(self.clock.now)
        if batch is None:
            return
        assert wait == 0.0
        tickets = [item.future for item in batch.items]
        assert 1 <= len(tickets) <= MAX_BATCH
        busy = {channel for other, _, _ in self.under_way for channel in other.channels}
        assert not busy & set(batch.channels)
        assert {ticket.channel for ticket in tickets} == set(batch.channels)
        for ticket in tickets:
            self.sent.setdefault(ticket.channel, []).append(ticket.number)
        steps = self.core.deliver(batch)
        assert next(steps) == batch.items
        self.under_way.append((batch, tickets, steps))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), how=st.sampled_from(["accepted", "failed", "unknown", "refused"]))
    def answer(self, data: st.DataObject, how: str) -> None:
        index = data.draw(st.integers(0, len(self.under_way) - 1))
        batch, tickets, steps = self.under_way.pop(index)
        error = APIConnectionError("broken", request=INFO)
        deliveries = {
            "accepted": Delivery(result=TriggerBatchResult()),
            "failed": Delivery(error=error),
            "unknown": Delivery(error=error, in_doubt=True),
            "refused": refusal(),
        }
        asked = self.finish(steps, deliveries[how])
        if how == "refused" and len(tickets) > 1:
            assert asked == [[item] for item in batch.items]
        else:
            assert asked == []
        kinds = {"accepted": ChannelAttributes, "failed": APIConnectionError, "unknown": DeliveryUnknownError}
        for ticket in tickets:
            assert len(ticket.outcomes) == 1
            if how in kinds:
                assert isinstance(ticket.outcomes[0], kinds[how])

    def finish(self, steps: object, delivery: Delivery) -> list[object]:
        """Answer what is asked: the second and every other single event is bad."""
        asked: list[object] = []
        try:
            while True:
                asked.append(steps.send(delivery))  # type: ignore[attr-defined]  # pyright: ignore
                delivery = Delivery() if len(asked) % 2 else refusal()
        except StopIteration:
            return asked

    def dropped(self, ticket: Ticket) -> bool:
        """Whether the core has seen that the event was cancelled: it looks when it takes a batch."""
        return ticket.cancelled and ticket.number in self.dropped_numbers()

    def dropped_numbers(self) -> set[int]:
        waiting = {item.future.number for lane in self.core._lanes.values() for item in lane.items}  # pyright: ignore[reportPrivateUsage]
        return {ticket.number for ticket in self.tickets if not ticket.claimed} - waiting

    @invariant()
    def each_channel_is_sent_in_order(self) -> None:
        for numbers in self.sent.values():
            assert numbers == sorted(numbers)

    @invariant()
    def the_books_are_right(self) -> None:
        books = self.core.statistics()
        in_flight = [ticket for _, tickets, _ in self.under_way for ticket in tickets]
        dropped = self.dropped_numbers()
        assert books.in_flight == len(in_flight)
        assert books.cancelled == len(dropped)
        assert books.queued == sum(1 for t in self.tickets if not t.claimed and t.number not in dropped)
        assert len(self.tickets) == (
            books.queued + books.in_flight + books.published + books.failed + books.unknown + books.cancelled
        )
        assert self.core.held == books.queued + books.in_flight
        assert sum(self.freed) == len(self.tickets) - self.core.held

    @invariant()
    def what_waits_alone_is_due_after_its_age(self) -> None:
        busy = {channel for batch, _, _ in self.under_way for channel in batch.channels}
        dropped = self.dropped_numbers()
        free = [
            ticket
            for ticket in self.tickets
            if not ticket.claimed and ticket.number not in dropped and ticket.channel not in busy
        ]
        wait = self.core.due_in(self.clock.now)
        assert (wait is None) == (not free)
        if len(free) >= MAX_BATCH:
            assert wait == 0.0
        elif wait is not None:
            assert wait <= MAX_AGE + 1e-9  # sums of floats

    def teardown(self) -> None:
        """In the end everything has exactly one outcome, and nothing is left behind."""
        self.core.hurried = True
        while True:
            for _, _, steps in self.under_way:
                self.finish(steps, Delivery())
            self.under_way.clear()
            batch = self.core.take(self.clock.now)
            if batch is None:
                break
            self.under_way.append((batch, [item.future for item in batch.items], steps := self.core.deliver(batch)))
            next(steps)
        assert self.core.held == self.core.sendable == 0
        assert not self.core._lanes  # pyright: ignore[reportPrivateUsage]
        for ticket in self.tickets:
            assert len(ticket.outcomes) == (1 if ticket.claimed else 0)
            assert ticket.claimed != ticket.cancelled


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def outcomes_of(delivery: Delivery, count: int = 3, *, split_refused: bool = False) -> list[Outcome]:
    core = make_core(Clock(), [], split_refused=split_refused)
    tickets = [Ticket("a", number) for number in range(count)]
    for ticket in tickets:
        core.add(event(), ticket, 0.0)
    core.hurried = True
    batch = core.take(0.0)
    assert batch is not None
    steps = core.deliver(batch)
    next(steps)
    with pytest.raises(StopIteration):
        steps.send(delivery)
    return [outcome for ticket in tickets for outcome in ticket.outcomes]


def test_each_event_gets_what_the_answer_says_of_it() -> None:
    two = TriggerBatchResult(batch=(ChannelAttributes(user_count=1), ChannelAttributes(user_count=2)))
    assert outcomes_of(Delivery(result=two)) == [
        ChannelAttributes(user_count=1),
        ChannelAttributes(user_count=2),
        ChannelAttributes(),
    ]
    assert outcomes_of(Delivery(result=two), 1) == [ChannelAttributes(user_count=1)]


def test_each_event_gets_an_error_object_of_its_own() -> None:
    error = BadRequestError(400, "bad", {"x": "y"}, request=INFO)
    error.__cause__ = cause = OSError("why")
    outcomes = outcomes_of(Delivery(error=error))
    assert len({id(outcome) for outcome in outcomes}) == 3
    for outcome in outcomes:
        assert isinstance(outcome, BadRequestError)
        assert (outcome.status_code, outcome.body, outcome.request, outcome.__cause__) == (400, "bad", INFO, cause)


def test_an_outcome_in_doubt_names_its_cause() -> None:
    error = APIConnectionError("reset", request=INFO)
    outcomes = outcomes_of(Delivery(error=error, in_doubt=True))
    assert len({id(outcome) for outcome in outcomes}) == 3
    for outcome in outcomes:
        assert isinstance(outcome, DeliveryUnknownError)
        assert outcome.__cause__ is error
        assert "reset" in str(outcome)


def test_a_refused_batch_stays_whole_if_told_so() -> None:
    assert [type(outcome) for outcome in outcomes_of(refusal(), split_refused=False)] == [BadRequestError] * 3


def test_a_small_queue_does_not_wait_for_a_batch_that_cannot_fill() -> None:
    core = make_core(Clock(), [], max_queue=2)
    assert core.add(event(), Ticket("a", 0), 0.0)
    assert core.due_in(0.0) == MAX_AGE
    assert core.add(event(), Ticket("a", 1), 0.0)
    assert core.due_in(0.0) == 0.0


def test_what_is_given_up_was_not_sent() -> None:
    freed: list[int] = []
    core = make_core(Clock(), freed)
    tickets = [Ticket(channel, number) for number, channel in enumerate("aaaaab")]
    for ticket in tickets:
        core.add(event(ticket.channel), ticket, 0.0)
    batch = core.take(0.0)
    assert batch is not None
    tickets[4].cancelled = True
    assert core.abandon() == [tickets[5]]
    books = core.statistics()
    assert (books.queued, books.in_flight, books.failed, books.cancelled) == (0, 4, 1, 1)
    steps = core.deliver(batch)
    next(steps)
    with pytest.raises(StopIteration):
        steps.send(Delivery())
    assert core.held == 0
    assert sum(freed) == 6


def test_one_busy_channel_does_not_hold_up_the_others() -> None:
    core = make_core(Clock(), [])
    for number in range(100):
        core.add(event("busy"), Ticket("busy", number), 0.0)
    first = core.take(0.0)
    assert first is not None
    assert core.take(0.0) is None
    for number in range(MAX_BATCH):
        core.add(event("other"), Ticket("other", number), 0.0)
    second = core.take(0.0)
    assert second is not None
    assert (first.channels, second.channels) == (["busy"], ["other"])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_queue", 0),
        ("max_queue", True),
        ("max_queue", 1.5),
        ("concurrency", 0),
        ("max_age", -1),
        ("max_age", float("inf")),
        ("max_age", float("nan")),
        ("max_age", True),
        ("max_age", "1"),
        ("when_full", "drop"),
        ("split_refused", 1),
    ],
)
def test_options_are_checked(option: str, value: object) -> None:
    when_full: WhenFull = "wait"
    good: dict[str, object] = {
        "max_queue": 1, "when_full": when_full, "max_age": 0, "concurrency": 1, "split_refused": True,
    }  # fmt: skip
    Options(**good)  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(ValueError, match=f"^{option}: must be") as info:
        Options(**{**good, option: value})  # type: ignore[arg-type]  # pyright: ignore
    assert type(info.value).__name__ == "ConfigurationError"
