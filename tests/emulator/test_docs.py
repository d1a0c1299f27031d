"""Every Python snippet of the emulator's documentation runs, those with tests under pytest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from pusher_channels.emulator import AppConfig, Fault
from tests.emulator.test_pytest_plugin import run_pytest

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=[f"snippet-{number}" for number in range(1, len(SNIPPETS) + 1)])
def test_snippet(code: str, tmp_path: Path) -> None:
    file = tmp_path / "test_snippet.py"
    file.write_text(code, encoding="utf-8")
    if "def test_" in code:
        done = run_pytest(tmp_path, "-q")
    else:
        done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_setting_and_fault_is_told() -> None:
    settings = {attribute.name for attribute in attrs.fields(AppConfig)} - {"app_id", "key", "secret"}
    told = set(re.findall(r"`(\w+)`", PAGE.replace("`, `", "` `")))
    assert settings - told - {"max_queued_frames"} == set()
    assert {fault.name for fault in Fault} <= told
