"""Measures one contestant: `python -m benchmarks.worker benchmarks.local:private_ours '<settings>'` prints the figures.

The process is the contestant's own, so its CPU time and its memory are too.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.contestant import Contestant, Run
from benchmarks.sink import Sink

WARM_UP = 0.2
"""The part of the time of a measurement that the last run of the warm-up takes: as much again comes before it."""


def main() -> None:
    """Measure what the arguments name, and print it as JSON."""
    target, text = sys.argv[1:]
    settings: Any = json.loads(text)
    contestant = find(target)
    with contestant(Sink(**settings["sink"]), **settings["arguments"]) as run:
        print(json.dumps(measure(run, settings["seconds"], settings["count"])))


def find(target: str) -> Contestant:
    """Return the contestant that `module:name` names."""
    module, _, name = target.partition(":")
    found: Contestant = getattr(import_module(module), name)
    return found


def measure(run: Run, seconds: float, count: int | None) -> dict[str, float]:
    """Return what one operation costs: CPU and wall seconds, over so many of them or over so many seconds of CPU."""
    run(1)  # the first one imports and connects
    count = count or _count_for(run, seconds)
    wall, cpu = time.perf_counter(), time.process_time()
    run(count)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu / count, "wall": wall / count, "peak": peak_memory(), "count": count}


def _count_for(run: Run, seconds: float) -> int:
    """Warm up, and return how many operations take so many seconds."""
    warm = 1
    while True:
        begin = time.process_time()
        run(warm)
        spent = time.process_time() - begin
        if spent >= seconds * WARM_UP:
            return max(1, round(warm / spent * seconds))
        warm *= 2


def peak_memory() -> int:
    """Return the most bytes that this process ever held. (`ru_maxrss` would count what its parent held.)"""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
