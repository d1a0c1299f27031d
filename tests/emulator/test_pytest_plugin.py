"""The pytest plugin, as a user's own test run has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEAVY = ("attr", "httpx", "nacl", "starlette", "uvicorn", "websockets", "asyncio")

TESTS = """
import asyncio

import pytest
from pusher_channels import Pusher
from pusher_channels.emulator import AppConfig

PORTS = set()


@pytest.mark.parametrize("number", [1, 2])
def test_each_test_has_a_server_of_its_own(pusher_server, pusher_client, number):
    assert pusher_server.events() == ()
    pusher_client.trigger("x", "my-event", {"number": number})
    assert pusher_server.events(channel="x")[0].data == '{"number":%d}' % number
    assert pusher_server.events(channel="x")[0].json() == {"number": number}
    assert pusher_server.events(channel="y") == ()


@pytest.mark.filterwarnings("error")
def test_the_asyncio_client(pusher_server, async_pusher_client):
    for number in range(2):  # each time in another event loop
        asyncio.run(async_pusher_client.trigger("x", "my-event", {"number": number}))
    assert [event.json() for event in pusher_server.events()] == [{"number": 0}, {"number": 1}]


class TestWithAppsOfItsOwn:
    @pytest.fixture
    def pusher_apps(self):
        return [AppConfig(max_messages=0), AppConfig(app_id="2", key="two")]

    def test_apps(self, pusher_server, pusher_client):
        with pytest.raises(Exception, match="quota"):
            pusher_client.trigger("x", "my-event", "")
        with Pusher.from_url(pusher_server.url_of(pusher_server.apps[1])) as other:
            other.trigger("x", "my-event", "")
        assert [event.app_id for event in pusher_server.events()] == ["2"]
"""


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without what is installed beside it, so that the plugin is there once, whether this package is installed or not.
    options = ["-p", "pusher_channels.pytest_plugin", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=folder,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(TESTS, encoding="utf-8")
    done = run_pytest(tmp_path, "-q")
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_they_are_listed_with_what_they_are(tmp_path: Path) -> None:
    listing = run_pytest(tmp_path, "--fixtures").stdout
    assert "Run a Pusher Channels server for one test, on a free port." in listing
    assert "Make a client of the first app" in listing


def test_unused_it_loads_nothing() -> None:
    code = (
        "import pytest, sys, json; before = set(sys.modules); import pusher_channels.pytest_plugin;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    loaded = json.loads(done.stdout)
    assert not {name.partition(".")[0] for name in loaded}.intersection(HEAVY)
    ours = {name for name in loaded if name.startswith("pusher_channels")}
    assert ours == {
        "pusher_channels",
        "pusher_channels._version",
        "pusher_channels.pytest_plugin",
        "pusher_channels_rest",
        "pusher_channels_rest.lazy",
    }


def test_installing_the_package_installs_the_plugin() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"pusher_channels": "pusher_channels.pytest_plugin"}
