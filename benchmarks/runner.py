"""Runs the contestants, each in a process of its own, in turns."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module, util
from pathlib import Path

import attrs

from benchmarks import go_peer
from benchmarks.rows import Command, Contestant, Line, Loop, Program
from benchmarks.sink import Sink, serving

ROOT = Path(__file__).parents[1]


@attrs.frozen(kw_only=True)
class Measurement:
    """What a contestant cost in one round.

    Attributes:
        cpu: CPU seconds an operation, of all its threads.
        wall: Seconds an operation.
        peak: The most bytes that the process held.
        count: How many operations were measured.
    """

    cpu: float
    wall: float
    peak: int
    count: int


@attrs.define
class Runner:
    """Measures contestants against one running sink."""

    sink: Sink
    folder: Path
    seconds: float
    _go: Path | None = None

    def take_turns(
        self, lines: Sequence[Line], rounds: int, progress: Callable[[str], None]
    ) -> dict[Contestant, list[Measurement]]:
        """Measure each contestant of the lines once a round: A B C, A B C, so that a slow moment hits all alike."""
        contestants = dict.fromkeys(each for line in lines for each in line.contestants())
        results: dict[Contestant, list[Measurement]] = {each: [] for each in contestants}
        for each in contestants:
            if isinstance(each, Program):
                self._run_program(each)  # once for nothing, so that the compiled files are there
        for number in range(rounds):
            for each, measurements in results.items():
                progress(f"round {number + 1} of {rounds}: {name_of(each)}")
                measurements.append(self.measure(each))
        return results

    def measure(self, contestant: Contestant) -> Measurement:
        """Measure a contestant once."""
        match contestant:
            case Loop():
                return self._measure_loop(contestant)
            case Program():
                return self._measure_program(contestant)
            case Command("generate"):
                return self._measure_generator()
            case Command():
                return self._measure_go(1 if contestant.name == "go one by one" else 50)

    def _measure_loop(self, loop: Loop) -> Measurement:
        settings = {
            "sink": attrs.asdict(self.sink),
            "arguments": loop.arguments,
            "seconds": self.seconds,
            "count": loop.count,
        }
        text, _ = self._run([sys.executable, "-m", "benchmarks.worker", loop.target, json.dumps(settings)])
        return Measurement(**json.loads(text))

    def _measure_program(self, program: Program) -> Measurement:
        runs: list[Measurement] = []
        while sum(run.cpu for run in runs) < self.seconds:
            runs.append(self._run_program(program))
        count = len(runs)
        return Measurement(
            cpu=sum(run.cpu for run in runs) / count,
            wall=sum(run.wall for run in runs) / count,
            peak=max(run.peak for run in runs),
            count=count,
        )

    def _run_program(self, program: Program) -> Measurement:
        module, _, name = program.target.partition(":")
        code: str = getattr(import_module(module), name)(self.sink)
        text, cost = self._run([sys.executable, "-c", code])
        return attrs.evolve(cost, peak=int(text) * 1024)

    def _measure_generator(self) -> Measurement:
        out = self.folder / "pusher_channels_rest"
        _, cost = self._run(
            [sys.executable, "-m", "generator", "--out", str(out), "--docs", str(self.folder / "api.md")]
        )
        return cost

    def _measure_go(self, at_once: int) -> Measurement:
        if self._go is None:
            self._go = go_peer.build(self.folder / "go")
        arguments = go_peer.arguments(self.sink.https_port, at_once, self.seconds)
        text, _ = self._run([str(self._go), *arguments])
        return Measurement(**json.loads(text))

    def _run(self, command: list[str]) -> tuple[str, Measurement]:
        """Run a command to its end, and return its output with what the whole process cost.

        Raises:
            SystemExit: It failed.
        """
        # A proxy, or where there is none, costs each client something: nothing is said about proxies here. Nor are the
        # settings of somebody's Python: one that writes no compiled files would compile the SDK at each start.
        ignored = re.compile(r".*_proxy|PYTHON.*", re.IGNORECASE)
        environment = {name: value for name, value in os.environ.items() if not ignored.fullmatch(name)}
        environment |= {"SSL_CERT_FILE": self.sink.trusted, "PYTHONHASHSEED": "0"}
        before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - wall
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run.returncode:
            raise SystemExit(f"{run.stderr}\nfailed: {' '.join(command[:4])[:200]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return run.stdout, Measurement(cpu=cpu, wall=wall, peak=0, count=1)


@contextmanager
def running(seconds: float) -> Generator[Runner]:
    """Give a runner whose measurements take about so many seconds of CPU."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "sink").mkdir()
        with serving(folder / "sink") as sink:
            yield Runner(sink, folder, seconds)


def name_of(contestant: Contestant) -> str:
    """Return a name that is different for each contestant."""
    match contestant:
        case Loop():
            details = {**contestant.arguments, **({"count": contestant.count} if contestant.count else {})}
            text = ", ".join(f"{name}={value}" for name, value in details.items())
            target = contestant.target.removeprefix("benchmarks.")
            return f"{target}({text})" if text else target
        case Program():
            return contestant.target.removeprefix("benchmarks.")
        case Command():
            return contestant.name


def missing_for(line: Line) -> str | None:
    """Say why a line cannot be measured here, or None."""
    for contestant in line.contestants():
        if isinstance(contestant, Command) and contestant.name.startswith("go "):
            return go_peer.missing()
        if isinstance(contestant, (Loop, Program)) and contestant.target.endswith("_official"):
            return None if util.find_spec("pusher") else "the PyPI library is not installed: pip install pusher"
    return None
