"""Makes docs/faults.md of what was seen. `python -m tests.faults.table` writes it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from tests.faults.drive import CALLS, CLIENTS, Case, Seen, drive_all
from tests.faults.faults import FAULTS, Fault

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

_INTRODUCTION = """\
# What comes of each fault

Made by `make faults` from what the tests in `tests/faults` saw; a test fails if this page is not what they see. Each
row was driven over real sockets, with `Pusher` and with `AsyncPusher`, which agree: {count} faults, {calls} calls.

- **outcome**: `ok`, or the class of the error that the call ends with. An error that is not about a status has its
  reason as `__cause__`, and none holds a secret.
- **attempts**: how often it was tried, with the default of at most two retries.
- **taken**: how often the server had read the request whole, so that it may have published the event. For a `trigger`
  it is never more than one, unless the server refused the first by 429, by 503 with Retry-After, or for the clock.

Calls that are meant to run into a limit of time have a short `timeout`; all others have ample time.
"""
_HEAD = "| fault | `trigger` | attempts | taken | `channels.get` | attempts | taken |\n|---|---|---|---|---|---|---|"


def render(seen: Mapping[Case, Seen]) -> str:
    """Return the page."""
    count = sum(map(len, FAULTS.values()))
    parts = [_INTRODUCTION.format(count=count, calls=len(seen))]
    for group, faults in FAULTS.items():
        rows = (" | ".join((fault.what, *(_cells(seen, group, fault, call) for call in CALLS))) for fault in faults)
        parts += [f"## {group}\n", _HEAD, *(f"| {row} |" for row in rows), ""]
    return "\n".join(parts).rstrip() + "\n"


def _cells(seen: Mapping[Case, Seen], group: str, fault: Fault, call: str) -> str:
    outcomes = {seen[Case(group, fault, client, call)].outcome for client in CLIENTS}
    shown = sorted((_code(outcome.result), str(outcome.attempts), str(outcome.seen)) for outcome in outcomes)
    return " | ".join(" / ".join(column) for column in zip(*shown, strict=True))


def _code(result: str) -> str:
    return result if result == "ok" else f"`{result}`"


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    PAGE.write_text(render(drive_all()), encoding="utf-8")
    print(os.path.relpath(PAGE))  # noqa: T201
