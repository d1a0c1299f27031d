"""The command, as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import httpx
import pytest

from pusher_channels import cli
from pusher_channels._version import __version__
from pusher_channels.emulator import AppConfig, Emulator
from tests.emulator.signed_http import signed_query

COMMAND = [sys.executable, "-m", "pusher_channels.cli"]


@pytest.mark.parametrize("stop_signal", [signal.SIGINT, signal.SIGTERM])
def test_the_emulator_runs_until_it_is_stopped(stop_signal: signal.Signals) -> None:
    options = ["--port", "0", "--app-id", "app", "--key", "the-key", "--secret", "the-secret"]
    process = subprocess.Popen(
        [*COMMAND, "emulator", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout is not None
        seen = ""
        while "Ctrl-C" not in seen:
            line = process.stdout.readline()
            assert line, process.stderr and process.stderr.read()
            seen += line
        found = re.search(r"PUSHER_URL +(http://the-key:the-secret@127\.0\.0\.1:([0-9]+)/apps/app)\n", seen)
        assert found, seen
        app = AppConfig(app_id="app", key="the-key", secret="the-secret")
        query = signed_query("GET", "/apps/app/channels", {}, b"", app=app, changes={})
        response = httpx.get(
            f"http://127.0.0.1:{found[2]}/apps/app/channels", params=query, trust_env=False, timeout=20
        )
        assert response.json() == {"channels": {}}
        process.send_signal(stop_signal)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert err == ""
    assert re.search(r"\d\d:\d\d:\d\d GET /apps/app/channels 200\n", out), out
    assert out.endswith("stopped\n")


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, expected in (
        (["--version"], f"pusher-channels {__version__}"),
        (["--help"], "run a local Pusher Channels server"),
        (["emulator", "--help"], "--webhook-url"),
    ):
        with pytest.raises(SystemExit) as exit_info:
            cli.main(arguments)
        assert exit_info.value.code == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["other"], ["emulator", "--port", "x"], ["emulator", "--port", "65536"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        cli.main(arguments)
    assert exit_info.value.code == 2
    assert "usage: pusher-channels" in capsys.readouterr().err


def test_log_lines_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    cli._log("é \x1b[2J\n\ud800")  # pyright: ignore[reportPrivateUsage]
    assert capsys.readouterr().out[9:] == "é \\x1b[2J\\n\\ud800\n"


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with Emulator() as server:
        assert cli.main(["emulator", "--port", str(server.port)]) == 1
        assert f"cannot listen on 127.0.0.1 port {server.port}: " in capsys.readouterr().err
