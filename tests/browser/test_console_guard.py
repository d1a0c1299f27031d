"""The console has no password: whom it answers, and whom it does not. No browser is needed for that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from pusher_channels.emulator import AppConfig, Emulator

EVENT = {"name": "order-paid", "channels": ["orders"], "data": "x"}


@pytest.fixture
def server() -> Iterator[Emulator]:
    with Emulator() as server:
        yield server


@pytest.fixture
def http(server: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST:{port}", "127.0.0.1:{port}", "[::1]:{port}"])
def test_names_of_this_machine(http: httpx.Client, server: Emulator, host: str) -> None:
    answer = http.get("/console", headers={"Host": host.format(port=server.port)})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "[::2]",
        "[",
        "",
    ],
)
def test_names_that_anybody_can_point_here(http: httpx.Client, server: Emulator, host: str) -> None:
    # DNS rebinding: the page of such a name has it as its origin too.
    name = host.format(port=server.port)
    headers = {"Host": name, "Origin": f"http://{name}"}
    assert http.get("/console", headers=headers).status_code == 403
    assert http.post("/console/apps/1/events", json=EVENT, headers=headers).status_code == 403
    assert server.published == ()


def test_the_host_that_the_emulator_was_given() -> None:
    with Emulator(host="localhost") as server, httpx.Client(trust_env=False) as http:
        assert http.get(f"http://127.0.0.1:{server.port}/console", headers={"Host": "localhost"}).status_code == 200
    # Listening everywhere: the address that the request came to is this machine's.
    with Emulator(host="0.0.0.0") as server, httpx.Client(trust_env=False) as http:
        url = f"http://127.0.0.2:{server.port}/console"
        assert http.get(url).status_code == 200
        assert http.get(url, headers={"Host": "127.0.0.3"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "", "http://[", "file://"])
def test_pages_of_others(http: httpx.Client, server: Emulator, origin: str) -> None:
    answer = http.post("/console/apps/1/events", json=EVENT, headers={"Origin": origin})
    assert answer.status_code == 403
    assert server.published == ()
    url = f"ws://127.0.0.1:{server.port}/console/live"
    with pytest.raises(InvalidStatus, match="403"):
        connect(url, additional_headers={"Origin": origin}, proxy=None)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "text/plain; application/json"],
)
def test_what_forms_can_send(http: httpx.Client, server: Emulator, content_type: str) -> None:
    body = json.dumps(EVENT)
    answer = http.post("/console/apps/1/events", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 403
    assert server.published == ()


def test_publishing(http: httpx.Client, server: Emulator) -> None:
    origin = {"Origin": f"http://127.0.0.1:{server.port}"}
    answer = http.post("/console/apps/1/events", json={**EVENT, "info": "subscription_count"}, headers=origin)
    assert (answer.status_code, answer.json()) == (200, {"channels": {"orders": {"subscription_count": 0}}})
    assert [event.name for event in server.published] == ["order-paid"]
    assert http.post("/console/apps/9/events", json=EVENT, headers=origin).status_code == 404
    answer = http.post("/console/apps/1/events", json={**EVENT, "name": "pusher:x"}, headers=origin)
    assert (answer.status_code, answer.text) == (400, "The 'pusher' namespace is reserved for internal usage\n")
    assert http.put("/console", headers=origin).status_code == 404


def test_a_disabled_app() -> None:
    with Emulator(apps=[AppConfig(enabled=False)]) as server, httpx.Client(trust_env=False) as http:
        answer = http.post(f"http://127.0.0.1:{server.port}/console/apps/1/events", json=EVENT)
        assert (answer.status_code, answer.text) == (403, "Application disabled\n")


def test_the_page_needs_nothing_else(http: httpx.Client) -> None:
    answer = http.get("/console")
    assert "http://" not in answer.text.replace("http://www.w3.org", "")
    assert "https://" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "emulator-secret" not in answer.text


def test_what_it_sends(server: Emulator, http: httpx.Client) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/console/live", proxy=None) as live:
        assert json.loads(live.recv()) == {"apps": [{"id": "1", "key": "emulator-key"}], "app": "1"}
        first = json.loads(live.recv())
        assert (first["entries"], first["deliveries"], first["state"]["connection_count"]) == ([], [], 0)
        for number in range(250):
            http.post("/console/apps/1/events", json={**EVENT, "name": f"event-{number}"})
        names: list[str] = []
        while "event-249" not in names:
            message = live.recv()
            assert server.apps[0].secret not in str(message)
            names += [entry["event"] for entry in json.loads(message)["entries"]]
    assert names == [f"event-{number}" for number in range(250)]
    with connect(f"ws://127.0.0.1:{server.port}/console/live", proxy=None) as live:
        live.recv()
        # Only the last are remembered.
        assert len(json.loads(live.recv())["entries"]) == 200
