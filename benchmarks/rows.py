"""The table: what is compared with what, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

Figure = Literal["cpu", "wall", "peak"]


@attrs.frozen
class Loop:
    """A contestant that does one operation many times, in a process of its own.

    Attributes:
        target: Where it is, as `module:name`.
        arguments: What it is given besides the sink.
        count: How many operations are measured; None for as many as fill the time of a measurement.
    """

    target: str
    arguments: Mapping[str, int] = attrs.field(factory=dict[str, int], hash=False)
    count: int | None = None


@attrs.frozen
class Program:
    """A contestant that is a whole process, from its start to its end.

    Attributes:
        target: The function that returns its Python code, as `module:name`.
    """

    target: str


@attrs.frozen
class Command:
    """A contestant that is a command: the runner knows how to make it."""

    name: Literal["generate", "go at once", "go one by one"]


Contestant = Loop | Program | Command


@attrs.frozen(kw_only=True)
class Line:
    """One line of the table: our figure, that of a peer, and what is asked of their ratio.

    Attributes:
        row: The number that the row has in docs/benchmarks.md. A row may have several lines; its worst decides.
        what: What is measured.
        peer: What it is measured against.
        ours: Our contestant.
        theirs: The peer's; None where the figure itself is asked for, in seconds.
        figure: CPU time, wall time or peak memory.
        higher_is_better: The ratio is theirs to ours (how many times as much we do), not ours to theirs.
        net_of: A contestant whose figure is taken off both.
        floor: What the ratio has to reach; None where only the goal names something.
        goal: What it should reach; None where nothing is asked, and the line is for information.
    """

    row: str
    what: str
    peer: str
    ours: Contestant
    theirs: Contestant | None
    figure: Figure = "cpu"
    higher_is_better: bool = False
    net_of: Contestant | None = None
    floor: float | None
    goal: float | None

    @property
    def compares_peers(self) -> bool:
        """Whether the other one is something that a user could take instead."""
        return self.theirs is not None and self.row not in ("7", "8")

    def contestants(self) -> list[Contestant]:
        """Return all that must be measured for this line."""
        return [each for each in (self.ours, self.theirs, self.net_of) if each is not None]


def _triggers() -> list[Line]:
    sync, asynchronous = Loop("benchmarks.triggers:sync_ours"), Loop("benchmarks.triggers:async_ours")
    return [
        Line(
            row="1", what="`trigger`, sync", peer="PyPI pusher", floor=0.55, goal=0.40,
            ours=sync, theirs=Loop("benchmarks.triggers:sync_official"),
        ),
        Line(
            row="1b", what="`trigger`, sync", peer="bare `httpx.Client.post`", floor=1.10, goal=1.00,
            ours=sync, theirs=Loop("benchmarks.triggers:sync_bare"),
        ),
        Line(
            row="2", what="`trigger`, async, 50 at once", peer="PyPI pusher on aiohttp", floor=0.33, goal=0.25,
            ours=asynchronous, theirs=Loop("benchmarks.triggers:async_official"),
        ),
        Line(
            row="2b", what="`trigger`, async, 50 at once", peer="the same transport, bare", floor=1.15, goal=1.05,
            ours=asynchronous, theirs=Loop("benchmarks.triggers:async_bare"),
        ),
        Line(
            row="2b", what="`trigger`, async, 50 at once", peer="aiohttp alone", floor=None, goal=None,
            ours=asynchronous, theirs=Loop("benchmarks.triggers:async_bare_aiohttp"),
        ),
    ]  # fmt: skip


def _publisher() -> list[Line]:
    sync, asynchronous = Loop("benchmarks.publishing:sync_publisher"), Loop("benchmarks.publishing:async_publisher")
    official = Loop("benchmarks.triggers:sync_official")
    return [
        Line(
            row="3", what="`Publisher`, events a CPU second", peer="PyPI pusher, `trigger` in a loop",
            ours=sync, theirs=official, higher_is_better=True, floor=12, goal=20,
        ),
        Line(
            row="3", what="`AsyncPublisher`, events a CPU second", peer="PyPI pusher, `trigger` in a loop",
            ours=asynchronous, theirs=official, higher_is_better=True, floor=12, goal=20,
        ),
        Line(
            row="3", what="`Publisher`, events a CPU second", peer="pusher-http-go, `Trigger` in a loop",
            ours=sync, theirs=Command("go one by one"), higher_is_better=True, floor=None, goal=1,
        ),
        Line(
            row="3", what="`Publisher`, events a CPU second", peer="pusher-http-go, `Trigger`, 50 at once",
            ours=sync, theirs=Command("go at once"), higher_is_better=True, floor=None, goal=1,
        ),
    ]  # fmt: skip


def _local(row: str, name: str, what: str, floor: float, goal: float) -> Line:
    ours, theirs = Loop(f"benchmarks.local:{name}_ours"), Loop(f"benchmarks.local:{name}_official")
    return Line(row=row, what=what, peer="PyPI pusher", ours=ours, theirs=theirs, floor=floor, goal=goal)


def _cold() -> list[Line]:
    nothing = Program("benchmarks.cold:nothing")
    authorize = Program("benchmarks.cold:authorize_ours"), Program("benchmarks.cold:authorize_official")
    trigger = Program("benchmarks.cold:trigger_ours"), Program("benchmarks.cold:trigger_official")
    return [
        Line(
            row="5", what="start and authorize, the whole process", peer="PyPI pusher", floor=0.7, goal=0.5,
            ours=authorize[0], theirs=authorize[1],
        ),
        Line(
            row="5", what="start and authorize, without the interpreter's start", peer="PyPI pusher",
            ours=authorize[0], theirs=authorize[1], net_of=nothing, floor=0.7, goal=0.5,
        ),
        Line(
            row="6", what="start and first trigger, the whole process", peer="PyPI pusher", floor=1.0, goal=0.8,
            ours=trigger[0], theirs=trigger[1],
        ),
        Line(
            row="6", what="start and first trigger, without the interpreter's start", peer="PyPI pusher",
            ours=trigger[0], theirs=trigger[1], net_of=nothing, floor=1.0, goal=0.8,
        ),
        Line(
            row="6", what="start and first trigger, peak memory", peer="PyPI pusher", floor=1.0, goal=0.8,
            ours=trigger[0], theirs=trigger[1], figure="peak",
        ),
    ]  # fmt: skip


def _answers() -> list[Line]:
    lines: list[Line] = []
    for counts, words in enumerate(("without counts", "with one count", "with two counts")):
        ours, theirs = (
            Loop(f"benchmarks.answers:{name}", {"channels": 10_000, "counts": counts})
            for name in ("list_typed", "list_parsed")
        )
        what = f"read 10,000 channels {words}"
        lines.append(Line(row="7", what=what, peer="`json.loads`", ours=ours, theirs=theirs, floor=3, goal=2))
    # The second is for information: `json.loads` verifies nothing.
    for name, words, floor, goal in (("webhook_typed", "type", 3, 2), ("webhook_whole", "verify and type", None, None)):
        ours, theirs = (Loop(f"benchmarks.answers:{name}", {"events": 1000}) for name in (name, "webhook_parsed"))
        what = f"{words} a webhook of 1,000 events"
        lines.append(Line(row="7", what=what, peer="`json.loads`", ours=ours, theirs=theirs, floor=floor, goal=goal))
    return lines


FLAT = 1.03
"""What counts as flat: as near to 1 as rounds of the same thing are to each other."""


def _growth(sizes: tuple[int, ...]) -> list[Line]:
    """Events in jobs of a size. The queue holds no more than the smallest job has, so that each fills it.

    Small jobs are repeated, so that no slow second of the machine is taken for the cost of the small.
    """
    target, arguments, first = "benchmarks.publishing:sync_publisher", {"max_queue": 1000}, sizes[0]
    many = min(100_000, sizes[-1])
    first_job, first_once = Loop(target, arguments | {"job": first}, count=many), Loop(target, arguments, count=first)
    lines: list[Line] = []
    for size in sizes[1:]:
        events, peer = f"{size:,} events through the publisher", f"{first:,} events"
        once = Loop(target, arguments, count=size)
        job = once if size >= many else Loop(target, arguments | {"job": size}, count=many)
        lines += [
            Line(
                row="8", what=f"cost of an event, {events}", peer=peer, floor=1.10, goal=FLAT,
                ours=job, theirs=first_job,
            ),
            Line(
                row="8", what=f"peak memory, {events}", peer=peer, floor=1.10, goal=FLAT,
                ours=once, theirs=first_once, figure="peak",
            ),
        ]  # fmt: skip
    return lines


def groups(*, quick: bool) -> list[list[Line]]:
    """Return all lines, those together whose contestants take turns."""
    private = _local("4", "private", "authorize a private channel", 1.0, 0.8)
    presence = _local("4", "presence", "authorize a presence channel", 1.0, 0.8)
    user = _local("4", "user", "authenticate a user", 1.0, 0.8)
    encrypt = _local("4", "encrypt", "encrypt an event", 1.0, 0.8)
    webhook = _local("4b", "webhook", "validate a webhook, type its 5 events", 1.5, 1.2)
    generate = Line(
        row="9", what="`make generate`, time on the clock", peer="", floor=5, goal=3,
        ours=Command("generate"), theirs=None, figure="wall",
    )  # fmt: skip
    generate_cpu = attrs.evolve(generate, what="`make generate`, CPU", figure="cpu", floor=None, goal=None)
    sizes = (1_000, 10_000, 100_000) if quick else (1_000, 10_000, 100_000, 1_000_000)
    local = [private, presence, user, encrypt, webhook]
    return [
        _triggers(),
        _publisher(),
        *([line] for line in local),
        _cold(),
        _answers(),
        _growth(sizes),
        [generate, generate_cpu],
    ]
