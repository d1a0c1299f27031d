"""From measurements to verdicts, and from these to JSON and to a table."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from enum import Enum
from importlib import metadata
from pathlib import Path

import attrs

from benchmarks import go_peer
from benchmarks.rows import Contestant, Line
from benchmarks.runner import Measurement, name_of

Results = Mapping[Contestant, Sequence[Measurement]]


class Verdict(Enum):
    """What became of a line, the best first."""

    NONE = "for information"
    GOAL = "goal met"
    FLOOR = "floor met"
    MISSED = "missed"
    SKIPPED = "skipped"


@attrs.frozen
class Spread:
    """The median of some rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.median(values), min(values), max(values))


@attrs.frozen
class Judged:
    """A line with what was measured.

    Attributes:
        line: The line of the table.
        verdict: The verdict on the median of its ratios.
        ratio: The ratios of the rounds; a line without a peer has the figure itself here. None if it was skipped.
        ours: Our figures, in seconds or bytes.
        theirs: The peer's.
        skipped: Why there are none.
    """

    line: Line
    verdict: Verdict
    ratio: Spread | None = None
    ours: Spread | None = None
    theirs: Spread | None = None
    skipped: str | None = None


def judge(line: Line, results: Results) -> Judged:
    """Return the verdict on a line: by the median of the ratios of the rounds, not the ratio of the medians."""
    ours = _figures(line, line.ours, results)
    theirs = None if line.theirs is None else _figures(line, line.theirs, results)
    if theirs is None:
        ratios = ours
    elif line.higher_is_better:
        ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
    else:
        ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    ratio = Spread.of(ratios)
    return Judged(line, _verdict(line, ratio.median), ratio, Spread.of(ours), Spread.of(theirs) if theirs else None)


def skip(line: Line, reason: str) -> Judged:
    """Return the line as one that could not be measured."""
    return Judged(line, Verdict.SKIPPED, skipped=reason)


def _figures(line: Line, contestant: Contestant, results: Results) -> list[float]:
    figures = [float(getattr(each, line.figure)) for each in results[contestant]]
    if line.net_of is None:
        return figures
    rest = [float(getattr(each, line.figure)) for each in results[line.net_of]]
    return [figure - other for figure, other in zip(figures, rest, strict=True)]


def _verdict(line: Line, ratio: float) -> Verdict:
    if line.goal is None:
        return Verdict.NONE
    if reaches(line, ratio, line.goal):
        return Verdict.GOAL
    if line.floor is None or reaches(line, ratio, line.floor):
        return Verdict.FLOOR
    return Verdict.MISSED


def reaches(line: Line, ratio: float, asked: float) -> bool:
    """Tell whether a ratio is at least as good as what is asked."""
    return ratio >= asked if line.higher_is_better else ratio <= asked


def row_verdicts(judged: Sequence[Judged]) -> dict[str, Verdict]:
    """Return the verdict on each row: the worst of its lines that were measured and of which something is asked."""
    order = [Verdict.SKIPPED, Verdict.NONE, Verdict.GOAL, Verdict.FLOOR, Verdict.MISSED]
    verdicts: dict[str, Verdict] = {}
    for each in judged:
        row = each.line.row
        verdicts[row] = max(verdicts.get(row, Verdict.SKIPPED), each.verdict, key=order.index)
    return verdicts


# As a table


def table(judged: Sequence[Judged]) -> str:
    """Return the lines as a table in Markdown."""
    head = ["row", "what", "ours", "peer", "theirs", "ratio (lowest to highest)", "floor", "goal", "verdict"]
    rows = [head, ["---"] * len(head), *(_cells(each) for each in judged)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(judged: Judged) -> list[str]:
    line = judged.line
    start = [line.row, line.what]
    asked = [_asked(line, line.floor), _asked(line, line.goal)]
    if judged.skipped is not None:
        return [*start, "", line.peer, "", "", *asked, f"skipped: {judged.skipped}"]
    assert judged.ours is not None
    assert judged.ratio is not None
    theirs = "" if judged.theirs is None else _amount(line, judged.theirs.median)
    ratio = judged.ratio
    spread = f"**{ratio.median:.2f}** ({ratio.low:.2f} to {ratio.high:.2f})"
    verdict = "" if judged.verdict is Verdict.NONE else judged.verdict.value
    return [*start, _amount(line, judged.ours.median), line.peer, theirs, spread, *asked, verdict]


def ahead(judged: Sequence[Judged]) -> str:
    """Return a list in Markdown of the lines in which the peer costs less."""
    lines = [each for each in judged if each.ratio is not None and _peer_is_ahead(each)]
    items = [f"- row {each.line.row}, {each.line.what}: {each.line.peer} ({_ratio(each)})" for each in lines]
    return "\n".join(items) or "Nowhere."


def _peer_is_ahead(judged: Judged) -> bool:
    line = judged.line
    return line.compares_peers and judged.ratio is not None and not reaches(line, judged.ratio.median, 1)


def _ratio(judged: Judged) -> str:
    assert judged.ratio is not None
    return f"{judged.ratio.median:.2f}"


def circumstances(*, rounds: int, seconds: float, server: str) -> str:
    """Return a sentence on how and where it was measured."""
    host, found = machine(), versions(server)
    python, nginx = found.pop("python"), found.pop("server")
    packages = ", ".join(f"{name} {version}" for name, version in found.items())
    return (
        f"{rounds} rounds, about {seconds:g} s of CPU a measurement; {python}; {host['system']}, {host['cores']} cores "
        f"of {host['processor']}, {host['memory_gib']} GiB; {nginx}; {packages}."
    )


def _asked(line: Line, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:g}" if line.higher_is_better or line.theirs is None else f"{value:.2f}"


def _amount(line: Line, value: float) -> str:
    if line.figure == "peak":
        return f"{value / 2**20:.1f} MiB"
    if line.higher_is_better:
        return f"{1 / value:,.0f}"
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.1f} ms" if value >= 0.0095 else f"{value * 1e6:.1f} us"


def fill(page: str, parts: Mapping[str, str]) -> str:
    """Return the page with what stands between `<!-- name -->` and `<!-- end of name -->` replaced by the parts."""
    for name, part in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        head, found, rest = page.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"the page has no place for {name}")
        page = f"{head}{begin}{part}\n{end}{tail}"
    return page


# As JSON


def as_json(judged: Sequence[Judged], results: Results, *, rounds: int, seconds: float, server: str) -> object:
    """Return everything that was measured, with the machine and the versions, but without names and paths."""
    verdicts = row_verdicts(judged)
    return {
        "machine": machine(),
        "versions": versions(server),
        "rounds": rounds,
        "seconds_a_measurement": seconds,
        "rows": {row: verdict.value for row, verdict in verdicts.items()},
        "lines": [_line_as_json(each) for each in judged],
        "measurements": {
            name_of(contestant): [attrs.asdict(each) for each in measurements]
            for contestant, measurements in results.items()
        },
    }


def _line_as_json(judged: Judged) -> object:
    line = judged.line
    return {
        "row": line.row,
        "what": line.what,
        "peer": line.peer,
        "figure": line.figure,
        "higher_is_better": line.higher_is_better,
        "floor": line.floor,
        "goal": line.goal,
        "verdict": judged.verdict.value,
        "skipped": judged.skipped,
        "ratio": judged.ratio and attrs.asdict(judged.ratio),
        "ours": judged.ours and attrs.asdict(judged.ours),
        "theirs": judged.theirs and attrs.asdict(judged.theirs),
        "contestants": {
            role: name_of(each)
            for role, each in (("ours", line.ours), ("theirs", line.theirs), ("net_of", line.net_of))
            if each is not None
        },
    }


def machine() -> dict[str, object]:
    """Describe the machine, without its name."""
    models = [text for text in _proc("cpuinfo") if text.startswith("model name")]
    total = next((int(text.split()[1]) for text in _proc("meminfo") if text.startswith("MemTotal")), 0)
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": models[0].partition(":")[2].strip() if models else "unknown",
        "cores": os.cpu_count(),
        "memory_gib": round(total / 2**20),
    }


def _proc(name: str) -> list[str]:
    path = Path("/proc") / name
    return path.read_text().splitlines() if path.exists() else []


PACKAGES = ("pusher-channels-sdk", "httpx", "httpcore", "aiohttp", "attrs", "pynacl", "pusher", "requests", "urllib3")


def versions(server: str) -> dict[str, str]:
    """Return the versions of what takes part."""
    found = {"python": f"{platform.python_implementation()} {platform.python_version()}", "server": server}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if go_peer.missing() is None:
        found["pusher-http-go"] = go_peer.version()
    return found
