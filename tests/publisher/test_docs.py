"""Every Python snippet of docs/publisher.md runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pusher_channels.emulator import Emulator

TEXT = (Path(__file__).parents[2] / "docs" / "publisher.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=[f"snippet-{number}" for number in range(1, len(SNIPPETS) + 1)])
def test_snippet(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator() as server:
        monkeypatch.setenv("PUSHER_URL", server.url)
        exec(compile(code, "publisher.md", "exec"), {"__name__": "snippet"})
        assert server.published
