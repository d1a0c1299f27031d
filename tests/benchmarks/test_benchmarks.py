"""The harness of `make bench` on tiny rounds: it measures, judges, and writes. What it measures is asserted nowhere."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from benchmarks import instructions, report
from benchmarks.__main__ import measure
from benchmarks.plot import draw
from benchmarks.report import Judged, Verdict, judge, row_verdicts, skip
from benchmarks.rows import Command, Line, Loop, Program, groups
from benchmarks.runner import Measurement, Runner, running
from benchmarks.sink import Sink, nginx_path
from benchmarks.worker import find

NO_SINK = Sink(http_port=0, https_port=0, ca="", trusted="", pusher_trusted="", server="nothing")
ALL = [line for quick in (False, True) for group in groups(quick=quick) for line in group]
LINE = Line(
    row="1",
    what="`something`",
    peer="somebody",
    ours=Loop("ours"),
    theirs=Loop("theirs"),
    floor=1.0,
    goal=0.5,
)
LOCAL = [group[0] for group in groups(quick=True) if group[0].what.startswith(("authorize a private", "validate a"))]
"""Two lines that need no server."""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Judged], report.Results]:
    runner = Runner(NO_SINK, tmp_path_factory.mktemp("bench"), seconds=0.002)
    return measure(runner, [LOCAL], rounds=2)


def test_rounds_are_measured_in_processes_and_judged(measured: tuple[list[Judged], report.Results]) -> None:
    judged, results = measured
    assert [each.line for each in judged] == LOCAL
    assert len(results) == 4
    for measurements in results.values():
        assert [each.cpu > 0 and each.wall > 0 and each.count >= 1 for each in measurements] == [True, True]
        assert all(each.peak > 2**20 for each in measurements)
    for each in judged:
        assert each.ratio is not None
        assert 0 < each.ratio.low <= each.ratio.median <= each.ratio.high
        assert each.verdict in (Verdict.GOAL, Verdict.FLOOR, Verdict.MISSED)


def test_the_table_has_a_line_for_each(measured: tuple[list[Judged], report.Results]) -> None:
    judged, _ = measured
    head, _, *rows = report.table([*judged, skip(LINE, "somebody is away")]).splitlines()
    assert head.startswith("| row | what | ours | peer |")
    assert [row.split("|")[1].strip() for row in rows] == ["4", "4b", "1"]
    assert "skipped: somebody is away" in rows[2]
    assert len({row.count("|") for row in [head, *rows]}) == 1


def test_the_json_has_everything_but_names_and_paths(measured: tuple[list[Judged], report.Results]) -> None:
    judged, results = measured
    text = json.dumps(report.as_json(judged, results, rounds=2, seconds=0.002, server="nginx"))
    content = json.loads(text)
    assert set(content["rows"]) == {"4", "4b"}
    for line in content["lines"]:
        for name in line["contestants"].values():
            assert len(content["measurements"][name]) == 2
    assert {"python", "httpx", "pusher", "server"} <= set(content["versions"])
    assert platform.node() not in text
    assert str(Path.cwd()) not in text


def test_the_plot_is_the_same_for_the_same_figures(
    measured: tuple[list[Judged], report.Results], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="only `make .venv/tools` installs it")
    judged, _ = measured
    for name in ("a.svg", "b.svg"):
        draw([*judged, skip(LINE, "away")], tmp_path / name)
    plot = (tmp_path / "a.svg").read_bytes()
    assert plot == (tmp_path / "b.svg").read_bytes()
    assert plot.startswith(b"<?xml")
    assert b"<dc:date>" not in plot


# Verdicts


def results_of(ours: list[float], theirs: list[float], nothing: list[float] | None = None) -> report.Results:
    figures = {Loop("ours"): ours, Loop("theirs"): theirs, Loop("nothing"): nothing or []}
    return {
        contestant: [Measurement(cpu=value, wall=0, peak=0, count=1) for value in values]
        for contestant, values in figures.items()
    }


@pytest.mark.parametrize(
    ("line", "ours", "verdict"),
    [
        (LINE, 0.5, Verdict.GOAL),
        (LINE, 1.0, Verdict.FLOOR),
        (LINE, 1.1, Verdict.MISSED),
        (attrs.evolve(LINE, higher_is_better=True, floor=2.0, goal=4.0), 0.25, Verdict.GOAL),
        (attrs.evolve(LINE, higher_is_better=True, floor=2.0, goal=4.0), 0.5, Verdict.FLOOR),
        (attrs.evolve(LINE, higher_is_better=True, floor=2.0, goal=4.0), 0.6, Verdict.MISSED),
        (attrs.evolve(LINE, floor=None), 7.0, Verdict.FLOOR),
        (attrs.evolve(LINE, floor=None, goal=None), 7.0, Verdict.NONE),
        (attrs.evolve(LINE, theirs=None, floor=5.0, goal=3.0), 4.0, Verdict.FLOOR),
    ],
)
def test_verdict(line: Line, ours: float, verdict: Verdict) -> None:
    assert judge(line, results_of([ours], [1.0])).verdict is verdict


def test_the_ratio_is_the_median_of_the_ratios_of_the_rounds() -> None:
    judged = judge(LINE, results_of([1.0, 4.0, 30.0], [2.0, 4.0, 10.0]))
    assert judged.ratio == report.Spread(median=1.0, low=0.5, high=3.0)
    assert judged.ours == report.Spread(median=4.0, low=1.0, high=30.0)


def test_what_both_need_is_taken_off_both() -> None:
    line = attrs.evolve(LINE, net_of=Loop("nothing"))
    judged = judge(line, results_of([3.0, 3.0], [5.0, 5.0], [1.0, 2.0]))
    assert judged.ratio is not None
    assert (judged.ratio.low, judged.ratio.high) == (1 / 3, 2 / 4)


def test_the_worst_line_decides_about_its_row() -> None:
    def line(row: str, verdict: Verdict) -> Judged:
        return Judged(attrs.evolve(LINE, row=row), verdict)

    lines = [line("1", Verdict.GOAL), line("1", Verdict.MISSED), line("1", Verdict.SKIPPED), line("2", Verdict.SKIPPED)]
    assert row_verdicts([*lines, line("3", Verdict.FLOOR), line("3", Verdict.NONE)]) == {
        "1": Verdict.MISSED,
        "2": Verdict.SKIPPED,
        "3": Verdict.FLOOR,
    }


def test_a_peer_is_ahead_where_it_costs_less() -> None:
    behind = judge(LINE, results_of([3.0], [2.0]))
    times = judge(attrs.evolve(LINE, higher_is_better=True), results_of([2.0], [3.0]))
    assert report.ahead([behind, times]) == "- row 1, `something`: somebody (1.50)"
    assert report.ahead([times]) == "Nowhere."


# The table of rows, and the page


def test_every_contestant_is_there() -> None:
    for line in ALL:
        for contestant in line.contestants():
            if not isinstance(contestant, Command):
                assert callable(find(contestant.target))


def test_every_row_of_the_page_is_measured() -> None:
    assert list(dict.fromkeys(line.row for line in ALL)) == [
        "1",
        "1b",
        "2",
        "2b",
        "3",
        "4",
        "4b",
        "5",
        "6",
        "7",
        "8",
        "9",
    ]


def test_the_page_has_its_places() -> None:
    page = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")
    filled = report.fill(page, {"table": "THE TABLE", "ahead": "AHEAD"})
    assert "<!-- table -->\nTHE TABLE\n<!-- end of table -->" in filled
    assert report.fill(filled, {"table": "A", "ahead": "B"}) == report.fill(page, {"table": "A", "ahead": "B"})
    with pytest.raises(ValueError, match="no place for other"):
        report.fill(page, {"other": ""})


# What needs more than Python


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    if nginx_path() is None or shutil.which("openssl") is None:
        pytest.skip("nginx or openssl is missing: apt-get install nginx-light openssl")
    with running(0.002) as runner:
        yield runner


@pytest.mark.parametrize(
    "contestant",
    [
        Loop("benchmarks.triggers:sync_ours"),
        Loop("benchmarks.triggers:sync_official"),
        Loop("benchmarks.triggers:sync_bare"),
        Loop("benchmarks.triggers:async_ours"),
        Loop("benchmarks.publishing:sync_publisher", {"max_queue": 10, "job": 20}, count=50),
        Program("benchmarks.cold:trigger_ours"),
        Program("benchmarks.cold:trigger_official"),
    ],
    ids=str,
)
def test_the_sink_takes_what_is_sent(runner: Runner, contestant: Loop | Program) -> None:
    measured = runner.measure(contestant)  # a contestant fails if anything but a success comes back
    assert measured.cpu > 0
    assert measured.peak > 2**20


# Instructions


def test_a_little_more_than_recorded_is_allowed() -> None:
    assert instructions.allowed(1030, 1000)
    assert not instructions.allowed(1031, 1000)
    assert instructions.allowed(5, None)


def test_other_versions_are_named() -> None:
    text = instructions.difference({"python": "3.11", "attrs": "1"}, {"python": "3.12", "attrs": "1"})
    assert "python: 3.11 recorded, 3.12 here" in text
    assert "attrs" not in text


@pytest.mark.parametrize("name", list(instructions.OPERATIONS))
def test_every_counted_operation_is_recorded_and_there(name: str) -> None:
    assert name in json.loads(instructions.FILE.read_text(encoding="utf-8"))["instructions"]
    with find(instructions.OPERATIONS[name])(None) as run:
        run(2)
