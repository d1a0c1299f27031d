"""Every Python snippet of the README runs, in order, against the local server."""

from __future__ import annotations

import hmac
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
from starlette.applications import Starlette

from pusher_channels.emulator import Emulator
from pusher_channels.integrations.opentelemetry import PusherInstrumentor

README = Path(__file__).parents[2] / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    with Emulator() as server:
        yield server


def run(code: str) -> dict[str, object]:
    namespace: dict[str, object] = {"__name__": "readme"}
    exec(compile(code, "README.md", "exec"), namespace)
    return namespace


@pytest.mark.parametrize("code", SNIPPETS, ids=[f"snippet-{number}" for number in range(1, len(SNIPPETS) + 1)])
def test_snippet(code: str, server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHER_URL", server.url)
    before = len(server.published)
    try:
        run(code)
    finally:
        PusherInstrumentor().uninstrument()
    if "PUSHER_URL" not in code and ".trigger(" in code and "with Emulator()" not in code:
        assert len(server.published) > before


def test_there_are_snippets_for_every_main_use() -> None:
    text = "\n".join(SNIPPETS)
    for use in ("trigger(", "trigger_batch(", "send_to_user(", "channels.list(", "channels.get(", "channels.users(",
                "terminate_connections(", "authorize_channel(", "authenticate_user_form(", ".webhook(",
                "encryption_master_key_base64=", "AsyncPusher", "Emulator()", "except APIError",
                "PusherInstrumentor()"):  # fmt: skip
        assert use in text


async def test_the_auth_endpoints_of_the_readme_answer(server: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHER_URL", server.url)
    (code,) = (snippet for snippet in SNIPPETS if "Starlette(" in snippet)
    app = cast("Starlette", run(code)["app"])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://app") as client:
        form = {"socket_id": "1.1", "channel_name": "presence-lobby"}
        answer = await client.post("/pusher/auth", data=form)
        assert answer.status_code == 200
        assert answer.json()["channel_data"] == '{"user_id":"user-7","user_info":{"name":"Ada"}}'
        refused = await client.post("/pusher/auth", data={**form, "channel_name": ':user::{"id":"1"}'})
        assert refused.status_code == 403
        for channel in ("private-admin", "private-encrypted-x"):  # there is no master key
            answer = await client.post("/pusher/auth", data={**form, "channel_name": channel})
            assert answer.status_code == 403
        for path in ("/pusher/auth", "/pusher/user-auth"):
            for body in (b"", b"foo=1.1", b"\xff"):
                assert (await client.post(path, content=body)).status_code == 403
        signin = await client.post("/pusher/user-auth", data={"socket_id": "1.1"})
        assert "watchlist" in signin.json()["user_data"]


def test_the_webhook_receiver_of_the_readme_works(
    server: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PUSHER_URL", server.url)
    (code,) = (snippet for snippet in SNIPPETS if "pusher.webhook(" in snippet)
    receive = run(code)["receive"]
    assert callable(receive)
    app = server.apps[0]
    body = (
        f'{{"time_ms":{int(time.time() * 1000)},"events":[{{"name":"channel_occupied","channel":"orders"}}]}}'.encode()
    )
    headers = {"X-Pusher-Key": app.key, "X-Pusher-Signature": hmac.digest(app.secret.encode(), body, "sha256").hex()}
    assert receive(headers, body) == 200
    assert "orders has its first subscriber" in capsys.readouterr().out
    assert receive(headers, body + b" ") == 401
