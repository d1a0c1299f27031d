"""Which proxy is used for a server, and that an error names it."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator

import pytest

from pusher_channels import APIConnectionError, AsyncPusher, ConfigurationError, Pusher
from pusher_channels._http.environment import OtherProxy, proxy_for
from pusher_channels._http.messages import HttpProxy, Origin
from tests.unit.support import APP_ID, KEY, SECRET

HOSTED = Origin("https", "api-mt1.pusher.com", 443)
PROXY = HttpProxy(origin=Origin("http", "proxy.test", 3128), headers={})


@pytest.fixture(autouse=True)
def no_proxies_but_those_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128"}, PROXY),
        ({"https_proxy": "proxy.test:3128"}, PROXY),
        ({"ALL_PROXY": "http://proxy.test:3128/"}, PROXY),
        ({"HTTP_PROXY": "http://proxy.test:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "pusher.com"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "*"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "other.com"}, PROXY),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "api-mt1.pusher.com:443"}, None),
        ({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "api-mt1.pusher.com:8443"}, PROXY),
    ],
)
def test_the_environment(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], proxy: HttpProxy | None) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(HOSTED, None) == proxy


def test_credentials_are_sent_and_not_shown() -> None:
    proxy = proxy_for(HOSTED, "http://us%40er:p%3Ass@proxy.test")
    assert proxy == HttpProxy(
        origin=Origin("http", "proxy.test", 80), headers={"Proxy-Authorization": "Basic dXNAZXI6cDpzcw=="}
    )
    assert "Basic" not in repr(proxy)


@pytest.mark.parametrize("url", ["socks5://proxy.test", "https://proxy.test"])
def test_other_kinds_are_for_httpx(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(OtherProxy):
        proxy_for(HOSTED, url)
    monkeypatch.setenv("HTTPS_PROXY", url)
    with pytest.raises(OtherProxy):
        proxy_for(HOSTED, None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_is_not_reached_through_the_environments_proxy(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.test:3128")
    assert proxy_for(Origin("http", host, 80), None) is None
    assert proxy_for(Origin("http", "10.0.0.1", 80), None) == PROXY
    assert proxy_for(Origin("http", f"{host}.test", 80), None) == PROXY
    assert proxy_for(Origin("http", host, 80), "http://proxy.test:3128") == PROXY


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:  # bound, and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def test_an_error_names_the_proxy(closed_port: int) -> None:
    proxy = f"http://user:hidden@127.0.0.1:{closed_port}"
    begin = f"POST https://api-mt1.pusher.com/apps/{APP_ID}/events through the proxy http://127.0.0.1:{closed_port}: "
    with Pusher(APP_ID, KEY, SECRET, proxy=proxy, max_retries=0) as pusher, pytest.raises(APIConnectionError) as caught:
        pusher.trigger("a", "e", "d")
    assert str(caught.value).startswith(begin)
    async with AsyncPusher(APP_ID, KEY, SECRET, proxy=proxy, max_retries=0) as apusher:
        with pytest.raises(APIConnectionError) as caught:
            await apusher.trigger("a", "e", "d")
    assert str(caught.value).startswith(begin)
    assert "hidden" not in str(caught.value)


async def test_a_proxy_that_is_none_shows_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hunter2/x@proxy:3128")
    with Pusher(APP_ID, KEY, SECRET) as pusher, pytest.raises(ConfigurationError) as caught:
        pusher.trigger("a", "e", "d")
    async with AsyncPusher(APP_ID, KEY, SECRET) as apusher:
        with pytest.raises(ConfigurationError) as twin:
            await apusher.trigger("a", "e", "d")
    for error in (caught.value, twin.value):
        assert error.option == "proxy"
        assert error.__cause__ is error.__context__ is None
        shown = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert "hunter2" not in "".join(shown.format())


def test_a_proxy_of_another_kind_for_push_notifications_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy.test")
    monkeypatch.setenv("NO_PROXY", "pusher.com")
    pusher = Pusher(APP_ID, KEY, SECRET, push_notification_host="push.test")
    with pusher, pytest.raises(ConfigurationError) as caught:
        pusher.notify(["a"], fcm={})
    assert "for https://push.test alone" in str(caught.value)
