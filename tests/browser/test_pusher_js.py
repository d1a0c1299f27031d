"""pusher-js in a real browser, authorized by our SDK, on our emulator."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from pusher_channels import Event, Pusher
from pusher_channels.emulator import Emulator
from tests.browser.site import make_site, serve
from tests.browser.webdriver import Browser

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
DATA = {"id": 7, "text": "grüße, 世界 🎉", "nested": {"list": [1, None, True]}}


@attrs.frozen
class Page:
    """The customer's page in the browser, and the customer's server."""

    browser: Browser
    pusher: Pusher
    server: Emulator

    def connect(self, name: str, who: str | None = None) -> None:
        options = {"key": self.server.apps[0].key, "port": self.server.port, "who": who}
        self.browser.run("connect(...arguments)", name, options)
        self.event(name, "state", "connected")

    def subscribe(self, name: str, channel: str, *events: str) -> Any:
        self.browser.run("subscribe(...arguments)", name, channel, *events)
        return self.event(name, channel, "pusher:subscription_succeeded")

    def event(self, name: str, source: str, event: str) -> Any:
        """Wait for the event, and return its data."""
        (entry, *_) = self.browser.wait("return find(...arguments)", name, source, event)
        return entry.get("data")

    def count(self, name: str, source: str, event: str) -> int:
        return len(self.browser.run("return find(...arguments)", name, source, event))


@pytest.fixture(scope="module", params=["plain", "with-encryption"])
def site(request: pytest.FixtureRequest) -> Iterator[tuple[Emulator, Pusher, str]]:
    with (
        Emulator() as server,
        Pusher.from_url(server.url, encryption_master_key_base64=MASTER_KEY) as pusher,
        serve(make_site(pusher, request.param)) as url,
    ):
        yield server, pusher, url


@pytest.fixture
def page(browser: Browser, site: tuple[Emulator, Pusher, str]) -> Iterator[Page]:
    server, pusher, url = site
    browser.open(url)
    yield Page(browser, pusher, server)
    assert browser.problems() == []
    browser.open("about:blank")


@pytest.mark.parametrize("channel", ["public", "private-room", "presence-room"])
def test_events(page: Page, channel: str) -> None:
    page.connect("ann")
    page.subscribe("ann", channel)
    page.pusher.trigger(channel, "price", DATA)
    page.pusher.trigger(channel, "text", "just text: ß")
    assert page.event("ann", channel, "price") == DATA
    assert page.event("ann", channel, "text") == "just text: ß"


def test_presence(page: Page) -> None:
    page.connect("ann")
    page.connect("bob")
    assert page.subscribe("ann", "presence-room")["me"] == {"id": "ann", "info": {"name": "ANN"}}
    assert page.subscribe("bob", "presence-room")["members"] == {"ann": {"name": "ANN"}, "bob": {"name": "BOB"}}
    assert page.event("ann", "presence-room", "pusher:member_added") == {"id": "bob", "info": {"name": "BOB"}}
    assert [user.id for user in page.pusher.channels.users("presence-room").users] == ["ann", "bob"]
    page.browser.run("clients.bob.disconnect()")
    assert page.event("ann", "presence-room", "pusher:member_removed")["id"] == "bob"


@pytest.mark.parametrize("site", ["with-encryption"], indirect=True)
@pytest.mark.parametrize("channel", ["private-encrypted-room", "private-encrypted-cache-room"])
def test_encrypted(page: Page, channel: str) -> None:
    page.connect("ann")
    page.subscribe("ann", channel)
    page.pusher.trigger(channel, "secret", DATA)
    assert page.event("ann", channel, "secret") == DATA
    assert "grüße" not in page.server.published[-1].data


@pytest.mark.parametrize("channel", ["cache-state", "private-cache-state", "presence-cache-state"])
def test_cache(page: Page, channel: str, site: tuple[Emulator, Pusher, str]) -> None:
    page.connect("ann")
    page.subscribe("ann", channel)
    page.event("ann", channel, "pusher:cache_miss")
    page.pusher.trigger(channel, "state", {"n": 1})
    page.pusher.trigger(channel, "state", DATA)
    page.connect("bob")
    page.subscribe("bob", channel)
    assert page.event("bob", channel, "state") == DATA
    assert page.count("bob", channel, "pusher:cache_miss") == 0


def test_signin(page: Page) -> None:
    for name, who in (("phone", "ann"), ("laptop", "ann"), ("other", "bob")):
        page.connect(name, who)
        page.browser.run("clients[arguments[0]].signin()", name)
        assert f'"id":"{who}"' in page.event(name, "state", "signed in")["user_data"].replace(" ", "")
    page.pusher.send_to_user("ann", "greeting", DATA)
    page.pusher.send_to_user("bob", "after", "x")
    assert page.event("phone", "user", "greeting") == page.event("laptop", "user", "greeting") == DATA
    page.event("other", "user", "after")
    assert page.count("other", "user", "greeting") == 0

    page.pusher.users.terminate_connections("ann")
    for name in ("phone", "laptop"):
        assert "4009" in page.event(name, "state", "error")
        page.event(name, "state", "disconnected")


def test_client_events(page: Page) -> None:
    for name in ("ann", "bob"):
        page.connect(name)
        for channel in ("private-chat", "presence-chat"):
            page.subscribe(name, channel, "client-said")
    for channel in ("private-chat", "presence-chat"):
        page.browser.run("clients.ann.channel(arguments[0]).trigger('client-said', arguments[1])", channel, DATA)
        assert page.event("bob", channel, "client-said") == DATA
    # Only a presence channel tells whose it is.
    assert [entry.get("data") for entry in page.browser.run("return find('bob', 'author', 'client-said')")] == [
        None,
        "ann",
    ]
    page.pusher.trigger_batch([Event(channel, "after", "x") for channel in ("private-chat", "presence-chat")])
    page.event("ann", "presence-chat", "after")
    assert page.count("ann", "private-chat", "client-said") == page.count("ann", "presence-chat", "client-said") == 0


def test_the_one_who_caused_an_event_can_be_left_out(page: Page) -> None:
    for name in ("ann", "bob"):
        page.connect(name)
        page.subscribe(name, "public")
    socket_id = page.browser.run("return clients.ann.connection.socket_id")
    page.pusher.trigger("public", "typed", "x", socket_id=socket_id)
    page.pusher.trigger("public", "after", "x")
    page.event("bob", "public", "typed")
    page.event("ann", "public", "after")
    assert page.count("ann", "public", "typed") == 0
