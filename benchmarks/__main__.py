"""The command behind `make bench`: `python -m benchmarks [--quick] [--rows 1 4b] [--out PATH]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.report import Judged, as_json, judge, row_verdicts, skip, table
from benchmarks.rows import Contestant, groups
from benchmarks.runner import ROOT, Measurement, missing_for, running

DOCS = ROOT / "docs"


def main() -> None:
    """Measure, print the table, and write the docs if all was measured in full."""
    options = _parser().parse_args()
    seconds = 0.25 if options.quick else 1.0
    rounds: int = options.rounds or (3 if options.quick else 5)
    judged: list[Judged] = []
    results: dict[Contestant, list[Measurement]] = {}
    with running(seconds) as runner:
        for group in groups(quick=options.quick):
            lines = [line for line in group if not options.rows or line.row in options.rows]
            reasons = {line: missing_for(line) for line in lines}
            results |= runner.take_turns([line for line in lines if not reasons[line]], rounds, _show)
            for line in lines:
                reason = reasons[line]
                judged.append(skip(line, reason) if reason else judge(line, results))
        server = runner.sink.server
    _show("")
    print(table(judged))
    print()
    for row, verdict in row_verdicts(judged).items():
        print(f"row {row}: {verdict.value}")
    text = json.dumps(as_json(judged, results, rounds=rounds, seconds=seconds, server=server), indent=1) + "\n"
    if options.out:
        options.out.write_text(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the SDK beside its peers.")
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds; the docs stay as they are")
    parser.add_argument("--rows", nargs="+", help="measure these rows only; the docs stay as they are")
    parser.add_argument("--rounds", type=int, help="how often each is measured (default: 5, with --quick 3)")
    parser.add_argument("--out", type=Path, help="write the JSON here")
    return parser


def _show(text: str) -> None:
    """Show what is being done, on one line that the next one replaces."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
