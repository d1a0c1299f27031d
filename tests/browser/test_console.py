"""The emulator's console, in a real browser."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pusher_channels import AuthenticationError, BadRequestError, Pusher
from pusher_channels.emulator import AppConfig, Emulator, WebhookEndpoint
from tests.browser.webdriver import PATIENCE, Browser
from tests.emulator.client import Client, open_client
from tests.peers.harness import Backend

SECOND = AppConfig(app_id="2", key="second-key")
HOSTILE = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
"""What must be shown as the text that it is."""


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as backend:
        yield backend


@pytest.fixture
def server(request: pytest.FixtureRequest, backend: Backend) -> Iterator[Emulator]:
    """One app, and those of the parameter."""
    webhooks = (WebhookEndpoint(f"{backend.url}/webhooks"),)
    with Emulator(apps=[AppConfig(webhooks=webhooks), *getattr(request, "param", ())]) as server:
        yield server


@pytest.fixture
def pusher(server: Emulator) -> Iterator[Pusher]:
    with Pusher.from_url(server.url) as pusher:
        yield pusher


@pytest.fixture
def console(browser: Browser, server: Emulator) -> Iterator[Browser]:
    browser.resize(1200, 800)
    browser.open(server.console_url)
    browser.wait("return document.getElementById('link').textContent === 'live'")
    yield browser
    assert browser.problems() == []
    browser.open("about:blank")


def text(console: Browser, element: str) -> str:
    return str(console.run("return document.getElementById(arguments[0]).innerText", element))


def wait_for(console: Browser, element: str, *parts: str) -> str:
    """Wait until the element shows all the texts."""
    shows: Callable[[str], bool] = lambda shown: all(part in shown for part in parts)  # noqa: E731
    return str(console.wait("return document.getElementById(arguments[0]).innerText", element, until=shows))


def fill(console: Browser, **values: str) -> None:
    for element, value in values.items():
        console.run(
            "const field = document.getElementById(arguments[0]); field.value = arguments[1];"
            "field.dispatchEvent(new Event('input', { bubbles: true }))",
            element,
            value,
        )


def click(console: Browser, selector: str) -> None:
    console.run("document.querySelector(arguments[0]).click()", selector)


async def join(client: Client, channel: str, user: dict[str, object] | None = None) -> None:
    """Subscribe without a look at the answer: the console is what this is about."""
    await client.send("pusher:subscribe", client.subscription(channel, user))


def test_a_published_event_is_shown(console: Browser, pusher: Pusher) -> None:
    pusher.trigger("orders", "order-paid", {"id": 7, "text": "grüße 🎉"})
    wait_for(console, "events", "api event", "orders", "order-paid", '{"id":7,"text":"grüße 🎉"}')
    click(console, "#events tr.entry")
    assert '"text": "grüße 🎉"' in text(console, "events")


def test_hostile_text_is_text(console: Browser, pusher: Pusher) -> None:
    pusher.trigger("orders", HOSTILE, HOSTILE)
    pusher.trigger("cache-orders", HOSTILE, HOSTILE)
    shown = wait_for(console, "events", "cache-orders")
    assert shown.count(HOSTILE) >= 4
    assert HOSTILE in wait_for(console, "channels", "cache-orders")
    click(console, "#events tr.entry")
    assert console.run("return document.querySelectorAll('#events img, #events script, #channels img').length") == 0
    assert console.run("return document.title") == "Pusher Channels emulator"


async def test_connections_channels_and_members(console: Browser, server: Emulator, pusher: Pusher) -> None:
    async with open_client(server) as ann, open_client(server) as bob:
        await ann.sign_in({"id": "user@1"})
        await join(ann, "presence-room", {"user_id": "ann"})
        await join(bob, "presence-room", {"user_id": "bob"})
        await join(bob, "private-cache-state")
        pusher.trigger("private-cache-state", "state", "the cached data")
        wait_for(console, "connections", ann.socket_id, "user@1", bob.socket_id)
        wait_for(console, "channels", "presence-room", "2 present", "ann", "bob", "cached state the cached data")
        wait_for(console, "events", "connected", "subscribed", "signed in", "occupied", "user ann")
        assert text(console, "connection-count") == "2"
    wait_for(console, "no-connections", "No client is connected", "emulator-key", f"wsPort: {server.port}")
    # What is cached outlives its subscribers.
    assert "private-cache-state" in text(console, "channels")
    wait_for(console, "events", "disconnected", "vacated")


def test_the_event_creator(console: Browser, server: Emulator) -> None:
    fill(console, channel="orders deliveries", event="order-paid", data='{"id": 7}')
    click(console, "#creator button")
    wait_for(console, "result", "Sent at")
    wait_for(console, "events", "orders", "deliveries", '{"id": 7}')
    sent = [(event.channel, event.name, event.data) for event in server.published]
    assert sent == [("orders", "order-paid", '{"id": 7}'), ("deliveries", "order-paid", '{"id": 7}')]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("channel", "not/a/channel", "400 Invalid channel name"),
        ("event", "pusher:mine", "400 The 'pusher' namespace is reserved"),
        ("data", "x" * 10_241, "413 The data content of this event exceeds the allowed maximum"),
    ],
)
def test_what_the_api_refuses_the_creator_refuses(
    console: Browser, server: Emulator, field: str, value: str, complaint: str
) -> None:
    fill(console, **{field: value})
    click(console, "#creator button")
    wait_for(console, "result", complaint)
    assert server.published == ()
    # The browser notes every answer that is an error.
    end = time.monotonic() + PATIENCE
    while not (problems := console.problems()):
        assert time.monotonic() < end
    assert all("Failed to load resource" in problem for problem in problems)


def test_filter_pause_and_clear(console: Browser, pusher: Pusher) -> None:
    pusher.trigger("orders", "order-paid", "first")
    pusher.trigger("deliveries", "delivered", "second")
    wait_for(console, "events", "first", "second")
    fill(console, filter="DELIVER")
    assert "first" not in text(console, "events")
    assert text(console, "event-count") == "1 of 2"
    fill(console, filter="", kind="error")
    assert text(console, "no-events") == "Nothing of this kind."
    fill(console, kind="")

    click(console, "#pause")
    pusher.trigger("orders", "order-paid", "third")
    wait_for(console, "event-count", "2, 1 waiting")
    assert "third" not in text(console, "events")
    click(console, "#pause")
    wait_for(console, "events", "third")

    click(console, "#clear")
    assert text(console, "events") == ""
    pusher.trigger("orders", "order-paid", "fourth")
    assert "third" not in wait_for(console, "events", "fourth")


async def test_webhooks(console: Browser, server: Emulator, backend: Backend) -> None:
    backend.answers["/webhooks"] = lambda _: (500, {})
    assert text(console, "no-webhooks") == "None sent yet."
    async with open_client(server) as client:
        await client.subscribe("orders")
        wait_for(console, "webhooks", "500, retrying", "channel_occupied", f"{backend.url}/webhooks")
        backend.answers["/webhooks"] = lambda _: (200, {})  # not before it was seen to fail
        shown = wait_for(console, "webhooks", "\t200\t")  # the port may have 200 in it
        tries = len(backend.log.all(lambda received: received.path == "/webhooks"))
    assert tries >= 2
    assert f"\t200\t{tries}\t" in shown
    click(console, "#webhooks tr.entry")
    wait_for(console, "webhooks", '"name": "channel_occupied"', '"channel": "orders"')


def test_refused_requests_are_shown(console: Browser, server: Emulator) -> None:
    url = server.url.replace(server.apps[0].secret, "wrong")
    with Pusher.from_url(url) as wrong, pytest.raises(AuthenticationError):
        wrong.trigger("orders", "order-paid", "x")
    wait_for(console, "events", "error", "POST /apps/1/events", "401 Invalid signature")


@pytest.mark.parametrize("server", [(SECOND,)], indirect=True)
def test_another_app(console: Browser, server: Emulator) -> None:
    fill(console, app="2")
    console.run("document.getElementById('app').dispatchEvent(new Event('change'))")
    wait_for(console, "key", "second-key")
    with Pusher.from_url(server.url_of(server.apps[1])) as second, Pusher.from_url(server.url) as first:
        first.trigger("orders", "of-the-first", "x")
        second.trigger("orders", "of-the-second", "x")
    assert "of-the-first" not in wait_for(console, "events", "of-the-second")


def test_it_comes_back_after_a_restart(browser: Browser) -> None:
    server = Emulator().start()
    port = server.port
    browser.open(f"http://localhost:{port}/console")
    browser.wait("return document.getElementById('link').textContent === 'live'")
    server.stop()
    wait_for(browser, "link", "not connected")
    with Emulator(port=port) as server, Pusher.from_url(server.url) as pusher:
        wait_for(browser, "link", "live")
        pusher.trigger("orders", "after-the-restart", "x")
        wait_for(browser, "events", "after-the-restart")
        browser.open("about:blank")  # else the page would notice that this one stops, too, and go on trying
    browser.problems()  # the connections that failed meanwhile


async def test_its_looks(console: Browser, server: Emulator, pusher: Pusher, tmp_path: Path, backend: Backend) -> None:
    """Nothing is cut off at 1200 x 800, in either colour scheme. SCREENSHOTS names a folder to keep the pictures in."""
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    backend.answers["/webhooks"] = lambda received: (503 if b"client_event" in received.body else 200, {})
    async with open_client(server) as ann, open_client(server) as bob, open_client(server) as carol:
        await ann.sign_in({"id": "ann"})
        await carol.sign_in({"id": "carol"})
        for client, name in ((ann, "ann"), (bob, "bob"), (carol, "carol")):
            await join(client, "presence-support", {"user_id": name, "user_info": {"name": name.title()}})
        await join(ann, "private-encrypted-messages")
        await join(bob, "cache-scores")
        await join(carol, "orders")
        wait_for(console, "channels", "3 present", "encrypted", "cache-scores", "orders")
        wait_for(console, "webhooks", "\t200\t")
        pusher.trigger("orders", "order-paid", {"id": 4711, "total": "12.50", "customer": "ann"})
        pusher.trigger("cache-scores", "score", {"home": 2, "away": 1})
        await ann.send("client-typing", {"text": "grüße …"}, channel="presence-support")
        pusher.send_to_user("ann", "greeting", {"message": "hello ann"})
        with pytest.raises(BadRequestError):
            pusher.request("POST", "/apps/1/events", body={"name": "pusher:x", "data": "x", "channels": ["orders"]})
        wait_for(console, "events", "pusher' namespace", "hello ann", "client-typing")
        wait_for(console, "webhooks", "\t200\t", "\t503, retrying\t")
        fill(console, channel="orders", event="order-shipped", data='{"id": 4711, "carrier": "bike"}')
        click(console, "#creator button")
        wait_for(console, "events", "order-shipped")
        click(console, "#events tr.entry")
        for scheme in ("light", "dark"):
            console.prefer(scheme)
            console.screenshot(folder / f"console-{scheme}.png")
            assert console.run("return document.documentElement.scrollWidth") == 1200
            assert console.run("return document.documentElement.scrollHeight") == 800
    console.prefer("light")
