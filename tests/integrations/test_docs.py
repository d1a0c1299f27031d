"""What docs/observability.md shows is what there is to see: its snippets run, and write what it says."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pusher_channels import Pusher
from pusher_channels.emulator import Emulator
from tests.faults.server import FaultServer, response
from tests.integrations.support import CLOSE, Script, attributes, ours, url_of

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
LOGS, HOOKS, OPENTELEMETRY = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
(LINES,) = re.findall(r"```text\n(.*?)```", PAGE, flags=re.DOTALL)


def run(code: str) -> subprocess.CompletedProcess[str]:
    with Emulator() as server:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PUSHER_URL": server.url},
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def without_numbers(text: str) -> list[str]:
    return [re.sub(r"[0-9]+", "N", line) for line in text.splitlines()]


def test_the_log_is_as_shown() -> None:
    written = run(LOGS).stderr
    assert without_numbers(written) == without_numbers(LINES)
    assert [re.findall(r"-> (\d+) .* \(attempt (\d+)\)", line) for line in written.splitlines()] == [
        re.findall(r"-> (\d+) .* \(attempt (\d+)\)", line) for line in LINES.splitlines()
    ]


def test_the_hook_is_called() -> None:
    assert re.fullmatch(r"/apps/\{app_id\}/events 1 200 [0-9.e-]+ None\n", run(HOOKS).stdout)


def test_the_example_exports_a_span() -> None:
    decoder, text = json.JSONDecoder(), run(OPENTELEMETRY).stdout
    child, end = decoder.raw_decode(text)
    parent, _ = decoder.raw_decode(text[end:].lstrip())
    assert (child["name"], parent["name"]) == ("POST /apps/{app_id}/events", "checkout")
    assert child["parent_id"] == parent["context"]["span_id"]


@pytest.mark.usefixtures("instrumented")
def test_every_attribute_is_told(exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: low)  # pyright: ignore
    with (
        FaultServer(Script(CLOSE, response("200 OK", b'{"channels":{}}'))) as server,
        Pusher.from_url(url_of(server)) as pusher,
    ):
        pusher.channels.list()
    set_by_us = {name for span in ours(exporter) for name in attributes(span)}
    assert set(re.findall(r"(?m)^\| `([a-z_.]+)` \|", PAGE)) == set_by_us
