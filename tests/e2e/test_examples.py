"""The examples that users copy do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from examples import demo, subscriber
from examples.starlette_backend import User, make_app
from pusher_channels import Pusher, TriggerResult, Webhook
from pusher_channels.emulator import Emulator
from tests.e2e.conftest import at_port
from tests.faults.network import closed_port

ROOT = Path(__file__).parents[2]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1", **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )


def test_the_demo() -> None:
    result = run("-m", "examples.demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    found = re.search(r"\n([0-9]+) of ([0-9]+) expectations met", result.stdout)
    assert found
    assert found[1] == found[2]
    assert result.stdout.count("✓") == int(found[1]) >= 30


async def test_the_demo_fails_when_something_does_not_arrive(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lose(self: Pusher, channels: object, event_name: str, data: object, **options: object) -> TriggerResult:
        monkeypatch.setattr(subscriber, "TIMEOUT", 0.2)  # from here on: what comes before must succeed
        return TriggerResult()

    monkeypatch.setattr(Pusher, "trigger", lose)
    report = demo.Report()
    async with demo.open_stage(report) as stage:
        await demo.public_channel(stage)
    assert (report.met, report.expected) == (0, 2)
    assert capsys.readouterr().out.count("TimeoutError") == 2


def test_publish() -> None:
    with Emulator() as server:
        result = run("examples/publish.py", PUSHER_URL=server.url)
        assert (result.returncode, result.stdout) == (0, "published\n")
        assert [(event.channel, event.data) for event in server.published] == [
            ("news", '{"title":"Hello from Python"}')
        ]
        url = server.url
    with closed_port() as port:
        result = run("examples/publish.py", PUSHER_URL=at_port(url, port))
    assert result.returncode == 1
    assert "not published" in result.stderr
    assert "emulator-secret" not in result.stderr


async def test_the_backend_refuses() -> None:
    received: list[Webhook] = []
    pusher = Pusher("1", "key", "secret", encryption_master_key_base64=demo.MASTER_KEY)
    users = {"ada": User("ada", "Ada")}
    app = make_app(pusher, lambda request: users.get(request.headers.get("x-user", "")), received.append)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://backend") as client:

        async def post(path: str, user: str = "ada", **form: str) -> int:
            response = await client.post(path, content=urlencode(form).encode(), headers={"x-user": user})
            return response.status_code

        for channel in ("private-a", "presence-a", "private-encrypted-a", "private-user-ada"):
            assert await post("/pusher/auth", socket_id="1.1", channel_name=channel) == 200
        for channel in ("private-user-ben", 'private-a:user::{"id":"1"}', "public", ""):
            assert await post("/pusher/auth", socket_id="1.1", channel_name=channel) == 403
        assert await post("/pusher/auth", socket_id="x", channel_name="private-a") == 403
        assert await post("/pusher/auth", user="", socket_id="1.1", channel_name="private-a") == 403
        assert await post("/pusher/auth") == 403
        assert await post("/pusher/user-auth", socket_id="1.1") == 200
        assert await post("/pusher/user-auth", user="", socket_id="1.1") == 403
        assert await post("/pusher/user-auth") == 403
        assert await post("/pusher/webhooks") == 401
    assert received == []
