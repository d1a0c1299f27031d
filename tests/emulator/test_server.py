"""The emulator as a thing to hold: starting, stopping, many at once, and what it says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import sys
import threading
import time

import pytest

from pusher_channels import Pusher, emulator
from pusher_channels.emulator import AppConfig, Emulator, WebhookEndpoint
from tests.emulator.client import open_client
from tests.emulator.signed_http import Http


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_it_listens_from_start_to_stop() -> None:
    server = Emulator()
    assert server.port == 0
    with server as entered:
        assert entered is server
        assert server.host == "127.0.0.1"
        assert listens(server.port)
        port = server.port
        assert server.url == f"http://emulator-key:emulator-secret@127.0.0.1:{port}/apps/1"
        assert server.websocket_url == f"ws://127.0.0.1:{port}/app/emulator-key?protocol=7"
    assert not listens(port)


def test_a_connection_that_has_only_just_come_is_closed_when_it_stops() -> None:
    for _ in range(20):
        with Emulator() as server:
            client = socket.create_connection(("127.0.0.1", server.port))
        with client, contextlib.suppress(ConnectionResetError):
            client.settimeout(10)
            assert client.recv(1) == b""
    gc.collect()  # which reports what was left open


async def test_it_works_inside_a_running_loop() -> None:
    async with Emulator() as server, open_client(server) as client:
        await client.subscribe("public")


def test_it_can_start_again_and_forgets() -> None:
    server = Emulator()
    for _ in range(2):
        with server:
            http = Http(server)
            before = server.published
            http.trigger("public")
            http.close()
            with pytest.raises(RuntimeError, match="running already"):
                server.start()
        server.stop()
        assert (len(before), len(server.published)) == (0, 1)


def test_many_at_once_on_ports_of_their_own() -> None:
    servers = [Emulator().start() for _ in range(10)]
    assert len({server.port for server in servers}) == 10
    for server in servers:
        server.stop()


def test_a_port_in_use() -> None:
    with Emulator() as server, pytest.raises(OSError, match="in use"):
        Emulator(port=server.port).start()


def test_it_starts_and_stops_quickly_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    best = 9.0
    for _ in range(50):  # once is enough, on a busy machine
        start = time.perf_counter()
        with Emulator():
            best = min(best, time.perf_counter() - start)
        assert set(threading.enumerate()) <= before
        if best < 0.2:
            break
    assert best < 0.2


async def test_stopping_says_goodbye() -> None:
    server = Emulator().start()
    async with open_client(server) as client:
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert await client.expect_close() == (4200, "The emulator is stopping")
        await stopping
    gc.collect()


@pytest.mark.parametrize("clients", [1, 30])
async def test_stopping_is_quiet(clients: int, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        server = Emulator(apps=[AppConfig(subscription_counts=False)]).start()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(clients):
                client = await stack.enter_async_context(open_client(server))
                await client.subscribe("public")
            await asyncio.to_thread(server.stop)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    gc.collect()


async def test_stopping_does_not_wait_for_clients_that_do_not_answer() -> None:
    best = 9.0
    for _ in range(5):
        server = Emulator().start()
        async with open_client(server):
            start = time.perf_counter()
            server.stop()  # this loop, and so the client, stands still meanwhile
            best = min(best, time.perf_counter() - start)
        if best < 2.0:  # once is enough, on a busy machine
            break
    assert best < 2.0
    gc.collect()


def test_apps_must_be_told_apart() -> None:
    for apps in ([], [AppConfig(), AppConfig(app_id="2")], [AppConfig(), AppConfig(key="2")]):
        with pytest.raises(ValueError, match="apps:"):
            Emulator(apps=apps)


def test_webhook_url_is_for_the_app_of_the_arguments() -> None:
    with pytest.raises(ValueError, match="webhook_url:"):
        Emulator(webhook_url="http://127.0.0.1:1/", apps=[AppConfig()])


def test_any_credentials_stand_in_the_url() -> None:
    app = AppConfig(key="a/b", secret="c:d@é")
    with Emulator(apps=[app]) as server, Pusher.from_url(server.url) as pusher:
        assert pusher.channels.list().channels == {}


def test_no_repr_shows_the_secret() -> None:
    app = AppConfig(secret="not-to-be-seen", webhooks=(WebhookEndpoint("http://127.0.0.1:1/"),))
    with Emulator(apps=[app]) as server:
        assert "not-to-be-seen" not in repr(server) + repr(app) + repr(server.apps)


def test_the_log_has_a_line_for_each_request_and_event() -> None:
    lines: list[str] = []
    with Emulator(log=lines.append) as server:
        http = Http(server)
        http.trigger("public")
        http.get("/channels/x/users")
        http.close()
    assert lines[0] == "POST /apps/1/events 200 my-event on public"
    assert lines[1] == "GET /apps/1/channels/x/users 400 Users can only be retrieved for presence channels"


def test_settings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="url"):
        WebhookEndpoint("foo")
    with pytest.raises(ValueError, match="events: must be some of cache_miss, channel_occupied, "):
        WebhookEndpoint("http://127.0.0.1:1/", {"channel_ocupied"})
    with pytest.raises(ValueError, match="events: "):
        WebhookEndpoint("http://127.0.0.1:1/", "cache_miss")
    with pytest.raises(TypeError, match="webhooks: must be WebhookEndpoints"):
        AppConfig(webhooks=("http://127.0.0.1:1/",))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    endpoint = WebhookEndpoint("http://127.0.0.1:1/", ["cache_miss"])
    assert endpoint.wants("cache_miss")
    assert not endpoint.wants("member_added")
    assert AppConfig(webhooks=[endpoint]).webhooks == (endpoint,)


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "pusher_channels.emulator.server", raising=False)
    with pytest.raises(ImportError, match=r"uvicorn.*pip install 'pusher-channels-sdk\[emulator\]'"):
        vars(emulator)["__getattr__"]("Emulator")
