"""The pairs of calls in docs/migrating.md: both are made, against the local server, and must come to the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.sync.client import connect

from pusher_channels import Event, Pusher
from pusher_channels.emulator import Emulator
from tests.peers.support import pypi

PAGE = (Path(__file__).parents[2] / "docs" / "migrating.md").read_text(encoding="utf-8")
PAIRS = re.findall(r"^\| `(pusher\..+)` \| `(pusher\..+)` \|$", PAGE, flags=re.MULTILINE)
TEXT_OF_JSON = ("channel_data", "user_data")


@pytest.fixture(scope="module")
def server() -> Iterator[Emulator]:
    """Serve one app, with one member in a presence channel and one subscriber in a public one."""
    with Emulator() as server, Pusher.from_url(server.url) as pusher, connect(server.websocket_url) as socket:
        socket_id = json.loads(json.loads(socket.recv())["data"])["socket_id"]
        member = pusher.authorize_channel(socket_id, "presence-lobby", {"user_id": "user-7"}).to_dict()
        for data in ({"channel": "presence-lobby", **member}, {"channel": "orders"}):
            socket.send(json.dumps({"event": "pusher:subscribe", "data": data}))
            assert json.loads(socket.recv())["event"] == "pusher_internal:subscription_succeeded"
        yield server


def test_there_are_pairs() -> None:
    assert len(PAIRS) == 9


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_pair(server: Emulator, old: str, new: str) -> None:
    server.clear()
    url = urlsplit(server.url)  # their own reading of URLs takes none with a port
    credentials = url.path.removeprefix("/apps/"), url.username, url.password
    theirs = pypi("pusher").Pusher(*credentials, host=url.hostname, port=url.port, ssl=False)
    with Pusher.from_url(server.url) as ours:
        results = [
            comparable(eval(old, {"pusher": theirs})),
            comparable(eval(new, {"pusher": ours, "Event": Event}).to_dict()),
        ]
    assert results[0] == results[1]
    published = [(event.channel, event.name, event.json()) for event in server.published]
    assert published[: len(published) // 2] == published[len(published) // 2 :]
    assert any(results) or published  # something was answered, or happened


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result with JSON for text of JSON: spaces make another text of it, and another signature."""
    if not any(name in result for name in TEXT_OF_JSON):
        return result
    return {name: json.loads(text) for name, text in result.items() if name in TEXT_OF_JSON} | {
        "auth": result["auth"].partition(":")[0]
    }
