"""The command behind `make bench`: `python -m benchmarks [--quick] [--rows 1 4b] [--rounds 5] [--out PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import util
from pathlib import Path

from benchmarks import report
from benchmarks.plot import draw
from benchmarks.report import Judged
from benchmarks.rows import Contestant, Line, groups
from benchmarks.runner import ROOT, Measurement, Runner, missing_for, running

_Results = dict[Contestant, list[Measurement]]
_PAGE = ROOT / "docs/benchmarks.md"


def main() -> int:
    """Measure and print the table; write the docs if all rows were measured in full. Return the exit status."""
    options = _parser().parse_args()
    writes_docs = not (options.quick or options.rows)
    if writes_docs and util.find_spec("matplotlib") is None:
        sys.stderr.write("matplotlib is missing, for the plot: make .venv/tools\n")
        return 1
    seconds: float = options.seconds or (0.25 if options.quick else 1.0)
    rounds: int = options.rounds or (3 if options.quick else 5)
    chosen = [
        [line for line in group if not options.rows or line.row in options.rows]
        for group in groups(quick=options.quick)
    ]
    with running(seconds) as runner:
        judged, results = measure(runner, chosen, rounds)
        server = runner.sink.server
    _show("")
    print(report.table(judged))
    print()
    for row, verdict in report.row_verdicts(judged).items():
        print(f"row {row}: {verdict.value}")
    figures = report.as_json(judged, results, rounds=rounds, seconds=seconds, server=server)
    text = json.dumps(figures, indent=1) + "\n"
    if options.out:
        options.out.write_text(text)
    if writes_docs:
        _PAGE.with_suffix(".json").write_text(text)
        draw(judged, _PAGE.with_suffix(".svg"))
        where = report.circumstances(rounds=rounds, seconds=seconds, server=server)
        parts = {"table": f"{report.table(judged)}\n\n{where}", "ahead": report.ahead(judged)}
        _PAGE.write_text(report.fill(_PAGE.read_text(), parts))
    return 0


def measure(runner: Runner, groups: list[list[Line]], rounds: int) -> tuple[list[Judged], _Results]:
    """Measure what can be measured here, and judge it."""
    judged: list[Judged] = []
    results: _Results = {}
    for group in groups:
        reasons = {line: missing_for(line) for line in group}
        results |= runner.take_turns([line for line in group if not reasons[line]], rounds, _show)
        for line, reason in reasons.items():
            judged.append(report.skip(line, reason) if reason else report.judge(line, results))
    return judged, results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the SDK beside its peers.")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds; the docs stay as they are")
    parser.add_argument("--rows", nargs="+", help="measure these rows only; the docs stay as they are")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default: 5, with --quick 3)")
    parser.add_argument("--seconds", type=float, help="how long each takes (default: 1, with --quick 0.25)")
    parser.add_argument("--out", type=Path, help="write the JSON here")
    return parser


def _show(text: str) -> None:
    """Show what is being done, on one line that the next one replaces."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
