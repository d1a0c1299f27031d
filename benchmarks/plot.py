"""The plot of docs/benchmarks.md: each line's ratio as a bar that begins at the peer, with floor and goal."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.report import Judged, Verdict

# Each of them reads well on white and on the near-black of a dark page.
_TEXT = "#6e7781"
_COLORS = {
    Verdict.GOAL: "#2da44e",
    Verdict.FLOOR: "#bf8700",
    Verdict.MISSED: "#cf222e",
    Verdict.NONE: "#8c959f",
}
_TICKS = {0.05: "1/20", 0.1: "1/10", 0.2: "1/5", 0.5: "1/2", 1.0: "1", 2.0: "2", 5.0: "5"}
_LEFT, _RIGHT = 0.025, 8.0
_LABELS = -1.1  # where the labels begin, in widths of the plot


def draw(judged: Sequence[Judged], target: Path) -> None:
    """Draw all lines that have a peer: what we cost, relative to it. The file is the same for the same figures."""
    matplotlib: Any = import_module("matplotlib")
    lines = [each for each in judged if each.ratio is not None and each.line.theirs is not None]
    # What a viewer has as fonts differs, so the text is drawn as shapes. Neither date nor version gets into the file.
    settings = {"svg.hashsalt": "benchmarks", "svg.fonttype": "path", "font.size": 9, "axes.axisbelow": True}
    metadata = {"Title": "What the SDK costs, relative to its peers", "Date": None, "Creator": None}
    with matplotlib.rc_context(settings):
        figure: Any = import_module("matplotlib.figure").Figure(figsize=(11, 1.2 + 0.28 * len(lines)))
        axes: Any = figure.add_axes((0.47, 0.02, 0.41, 0.86))
        places = _places(lines)
        for place, each in zip(places, lines, strict=True):
            _draw_line(axes, place, each)
        _frame(axes, places[-1] + 0.6)
        _legend(axes)
        figure.savefig(target, format="svg", transparent=True, bbox_inches="tight", metadata=metadata)


def _places(lines: Sequence[Judged]) -> list[float]:
    """Return how far down each line stands, with a gap before each row."""
    places: list[float] = []
    for number, each in enumerate(lines):
        gap = number > 0 and each.line.row != lines[number - 1].line.row
        places.append(0.0 if not places else places[-1] + (1.45 if gap else 1.0))
    return places


def _draw_line(axes: Any, place: float, judged: Judged) -> None:
    spread, line = judged.ratio, judged.line
    assert spread is not None
    ours = _cost(judged, spread.median)
    range_ = sorted((_cost(judged, spread.low), _cost(judged, spread.high)))
    color = _COLORS[judged.verdict]
    axes.plot((_LEFT, _RIGHT), (place, place), color=_TEXT, alpha=0.25, linewidth=0.5, zorder=0)
    axes.barh(place, ours - 1, left=1, height=0.64, color=color, linewidth=0, zorder=2)
    _with_halo(axes, range_, (place, place), linewidth=1.0)
    if line.floor is not None:
        floor = _cost(judged, line.floor)
        _with_halo(axes, (floor, floor), (place - 0.4, place + 0.4), linewidth=1.6)
    if line.goal is not None:
        _goal(axes, _cost(judged, line.goal), place)
    _text(axes, 1.02, place, _words(judged))
    _text(axes, _LABELS, place, line.row, weight="bold")
    _text(axes, _LABELS + 0.07, place, f"{line.what} : {line.peer}".replace("`", ""))


def _with_halo(axes: Any, across: Sequence[float], down: Sequence[float], *, linewidth: float) -> None:
    """Draw a line that is seen on a bar as well as beside it."""
    for color, width, layer in (("white", linewidth + 1.6, 3), ("#424a53", linewidth, 4)):
        axes.plot(across, down, color=color, linewidth=width, solid_capstyle="butt", zorder=layer)


def _goal(axes: Any, across: float, down: float) -> None:
    axes.plot(across, down, "D", markersize=5, color="white", markeredgecolor="#424a53", markeredgewidth=1.2, zorder=5)


def _frame(axes: Any, bottom: float) -> None:
    axes.set_xscale("log")
    axes.set_xlim(_LEFT, _RIGHT)
    axes.set_ylim(bottom, -0.6)
    axes.set_yticks([])
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.minorticks_off()
    axes.axvline(1, color=_TEXT, linewidth=1.2, zorder=1)
    axes.tick_params(colors=_TEXT, length=0)
    axes.xaxis.tick_top()
    for spine in axes.spines.values():
        spine.set_visible(False)


def _legend(axes: Any) -> None:
    """Say above the plot what colours and marks mean."""
    place = -2.2
    for number, verdict in enumerate((Verdict.GOAL, Verdict.FLOOR, Verdict.MISSED)):
        _text(axes, _LABELS + 0.07 + 0.2 * number, place, f"\u25a0 {verdict.value}", color=_COLORS[verdict])
    _text(axes, _LABELS + 0.67, place, "\u25c7 goal    | floor    \u2014 all rounds")
    _text(axes, 0.5, place, "what the SDK costs, relative to the peer", ha="center")


def _text(axes: Any, across: float, down: float, text: str, *, color: str = _TEXT, **style: str) -> None:
    """Write at a part of the width of the plot, and beside a line of it."""
    where = axes.get_yaxis_transform()
    axes.text(across, down, text, transform=where, va="center", color=color, clip_on=False, **style)


def _cost(judged: Judged, ratio: float) -> float:
    """Return a ratio as what we cost relative to the peer: further left is better in every line."""
    return 1 / ratio if judged.line.higher_is_better else ratio


def _words(judged: Judged) -> str:
    assert judged.ratio is not None
    return f"{judged.ratio.median:.1f} times as many" if judged.line.higher_is_better else f"{judged.ratio.median:.2f}"
