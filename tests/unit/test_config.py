"""Construction: arguments, URL, environment."""

from __future__ import annotations

import pickle
import ssl
from enum import Enum
from inspect import isawaitable

import httpx
import pytest

from pusher_channels import AsyncPusher, ConfigurationError, Pusher, PusherError, Timeout
from tests.unit.support import APP_ID, KEY, SECRET, Recorder

BOTH = pytest.mark.parametrize("client", [Pusher, AsyncPusher])


def host_of(recorder: Recorder, **options: object) -> str:
    recorder.sync(**options).trigger("c", "e", "d")
    url = recorder.urls[-1]
    return f"{url.scheme}://{url.netloc.decode()}"


class Cluster(str, Enum):  # noqa: UP042  it formats itself as Cluster.EU
    EU = "eu"


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        ({}, "https://api-mt1.pusher.com"),
        ({"cluster": "eu"}, "https://api-eu.pusher.com"),
        ({"cluster": ""}, "https://api-mt1.pusher.com"),
        ({"cluster": None}, "https://api-mt1.pusher.com"),
        ({"cluster": "my-own-1"}, "https://api-my-own-1.pusher.com"),
        ({"cluster": Cluster.EU}, "https://api-eu.pusher.com"),
        ({"cluster": "eu", "host": "example.org"}, "https://example.org"),
        ({"host": "example.org:8443"}, "https://example.org:8443"),
        ({"host": "example.org", "port": 8443}, "https://example.org:8443"),
        ({"host": "127.0.0.1:6001", "ssl": False}, "http://127.0.0.1:6001"),
        ({"host": "[::1]", "port": 6001, "ssl": False}, "http://[::1]:6001"),
        ({"host": "[::1]:6001", "ssl": False}, "http://[::1]:6001"),
        ({"ssl": False}, "http://api-mt1.pusher.com"),
        ({"port": 8080, "ssl": False}, "http://api-mt1.pusher.com:8080"),
        ({"port": 443}, "https://api-mt1.pusher.com"),
    ],
)
def test_hosts(recorder: Recorder, options: dict[str, object], origin: str) -> None:
    assert host_of(recorder, **options) == origin


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cluster", "eu/../x"),
        ("cluster", "eu.evil"),
        ("cluster", "eu:1"),
        ("cluster", "eu@x"),
        ("cluster", "eu\n"),
        ("cluster", "-eu"),
        ("cluster", "ü"),
        ("cluster", 1),
        ("host", "https://example.org"),
        ("host", "example.org/path"),
        ("host", "user@example.org"),
        ("host", "example.org:"),
        ("host", "example.org:0"),
        ("host", "example.org:65536"),
        ("host", "example.org:x"),
        ("host", ""),
        ("host", "a b"),
        ("host", "a?b"),
        ("host", "a#b"),
        ("host", "a\\b"),
        ("host", ".."),
        ("host", 7),
        ("host", "xn--a"),
        ("host", "XN--a.example"),
        ("port", 0),
        ("port", 65536),
        ("port", "400"),
        ("port", True),
        ("ssl", 4),
        ("ssl", None),
        ("timeout", "1"),
        ("timeout", 0),
        ("timeout", -1),
        ("timeout", float("nan")),
        ("timeout", float("inf")),
        ("timeout", True),
        ("timeout", None),
        ("timeout", httpx.Timeout(None)),
        ("timeout", httpx.Timeout("5")),  # type: ignore[arg-type]  # pyright: ignore
        ("timeout", httpx.Timeout([5])),  # type: ignore[arg-type]  # pyright: ignore
        ("timeout", httpx.Timeout(5, read=0)),
        ("timeout", httpx.Timeout(5, read=-1)),
        ("timeout", httpx.Timeout(5, pool=1e9)),
        ("timeout", httpx.Timeout(5, connect=float("nan"))),
        ("push_notification_host", "https://x"),
        ("max_data_bytes", 0),
        ("max_data_bytes", "1"),
        ("max_batch_events", -1),
        ("max_batch_events", True),
        ("json_encoder", "json"),
        ("verify", "ca.pem"),
        ("http_client", object()),
        ("encryption_master_key_base64", 7),
    ],
)
@BOTH
def test_a_bad_option_is_refused_by_name(client: type[Pusher | AsyncPusher], option: str, value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client(APP_ID, KEY, SECRET, **{option: value})  # type: ignore[arg-type]  # pyright: ignore
    assert caught.value.option.startswith(option)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        ((3, KEY, SECRET), "app_id"),
        (("", KEY, SECRET), "app_id"),
        (("3/4", KEY, SECRET), "app_id"),
        (("..", KEY, SECRET), "app_id"),
        ((".", KEY, SECRET), "app_id"),
        (("a b", KEY, SECRET), "app_id"),
        (("3\n", KEY, SECRET), "app_id"),
        (("3", "", SECRET), "key"),
        (("3", None, SECRET), "key"),
        (("3", "key\n", SECRET), "key"),
        (("3", KEY, ""), "secret"),
        (("3", KEY, b"secret-as-bytes"), "secret"),
    ],
)
@BOTH
def test_bad_credentials_are_refused(
    client: type[Pusher | AsyncPusher], arguments: tuple[str, str, str], option: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client(*arguments)
    assert caught.value.option == option
    assert SECRET not in str(caught.value)
    assert "secret-as" not in str(caught.value)


@pytest.mark.parametrize("app_id", ["3", "my-app", "a.b_c~d", "00001"])
def test_app_ids_of_other_servers(recorder: Recorder, app_id: str) -> None:
    pusher = Pusher(app_id, KEY, SECRET, http_client=httpx.Client(transport=httpx.MockTransport(recorder)))
    pusher.trigger("c", "e", "d")
    assert recorder.urls[0].path == f"/apps/{app_id}/events"


def test_host_and_port_must_not_contradict() -> None:
    with pytest.raises(ConfigurationError, match="^port: "):
        Pusher(APP_ID, KEY, SECRET, host="h:1", port=2)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://k:s@api-eu.pusher.com/apps/3", "Pusher(app_id='3', host='api-eu.pusher.com')"),
        ("http://k:s@127.0.0.1:8000/apps/app-name", "Pusher(app_id='app-name', host='127.0.0.1:8000')"),
        ("https://k:s@[::1]:8000/apps/3/", "Pusher(app_id='3', host='[::1]:8000')"),
        ("https://k:s@HOST/apps/00001", "Pusher(app_id='00001', host='host')"),
    ],
)
def test_from_url(url: str, text: str) -> None:
    assert repr(Pusher.from_url(url)) == text


def test_from_url_takes_percent_escapes_and_the_scheme(recorder: Recorder) -> None:
    client = httpx.Client(transport=httpx.MockTransport(recorder))
    pusher = Pusher.from_url("http://k%C3%BC:s%40%2F%3Ax@h:81/apps/3", http_client=client)
    pusher.trigger("c", "e", "d")
    assert recorder.urls[0].params["auth_key"] == "kü"
    assert str(recorder.urls[0]).startswith("http://h:81/apps/3/events?")
    expected = Pusher("3", "kü", "s@/:x").authorize_channel("1.1", "private-x")
    assert pusher.authorize_channel("1.1", "private-x") == expected


def test_from_url_keywords_replace_what_the_url_says(recorder: Recorder) -> None:
    client = httpx.Client(transport=httpx.MockTransport(recorder))
    url = "https://k:s@h:81/apps/3"
    Pusher.from_url(url, host="other", ssl=False, http_client=client).trigger("c", "e", "d")
    Pusher.from_url(url, port=82, http_client=client).trigger("c", "e", "d")
    Pusher.from_url(url, cluster="eu", http_client=client).trigger("c", "e", "d")
    assert [f"{url.scheme}://{url.netloc.decode()}" for url in recorder.urls] == [
        "http://other",
        "https://h:82",
        "https://h:81",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "https://",
        "https://very-secret@h/apps/3",
        "https://:very-secret@h/apps/3",
        "https://key:@h/apps/3",
        "https://key:very-secret@/apps/3",
        "https://key:very-secret@h",
        "https://key:very-secret@h/apps",
        "https://key:very-secret@h/apps/",
        "https://key:very-secret@h/apps/3/4",
        "https://key:very-secret@h/apps/..",
        "https://key:very-secret@h/apps/%2E%2E",
        "https://key:very-secret@h/other/3",
        "https://key:very-secret@h:0/apps/3",
        "https://key:very-secret@h:99999/apps/3",
        "https://key:very-secret@h:x/apps/3",
        "https://key:very-secret@h/apps/3?x=1",
        "https://key:very-secret@h/apps/3#x",
        "https://key:very-secret%FF@h/apps/3",
        "https://key:very-secret@[::1/apps/3",
        "ftp://key:very-secret@h/apps/3",
        "telnet://key:very-secret@h/apps/3",
        "key:very-secret@h/apps/3",
        None,
        4,
        b"https://key:very-secret@h/apps/3",
    ],
)
@BOTH
def test_a_bad_url_is_refused_without_showing_it(client: type[Pusher | AsyncPusher], url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client.from_url(url)
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert "very-secret" not in shown
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUSHER_URL", "https://k:s@h/apps/3")
    monkeypatch.setenv("OTHER_URL", "https://k:s@h/apps/4")
    assert repr(Pusher.from_env()) == "Pusher(app_id='3', host='h')"
    assert repr(AsyncPusher.from_env("OTHER_URL", port=8)) == "AsyncPusher(app_id='4', host='h:8')"
    monkeypatch.setenv("PUSHER_URL", "https://k:very-secret@h")
    with pytest.raises(ConfigurationError, match="^PUSHER_URL: .*app id") as caught:
        Pusher.from_env()
    assert "very-secret" not in str(caught.value)
    monkeypatch.delenv("PUSHER_URL")
    with pytest.raises(ConfigurationError, match="^PUSHER_URL: is not set"):
        Pusher.from_env()
    monkeypatch.setenv("PUSHER_URL", "https://k:s@h/apps/3")
    with pytest.raises(ConfigurationError, match="^timeout: "):
        Pusher.from_env(timeout=-1)


def test_the_wrong_httpx_client_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^http_client: must be an httpx\.Client"):
        Pusher(APP_ID, KEY, SECRET, http_client=httpx.AsyncClient())  # type: ignore[arg-type]  # pyright: ignore
    with httpx.Client() as client:
        with pytest.raises(ConfigurationError, match=r"^http_client: must be an httpx\.AsyncClient"):
            AsyncPusher(APP_ID, KEY, SECRET, http_client=client)  # type: ignore[arg-type]  # pyright: ignore
        with pytest.raises(ConfigurationError, match=r"^http_client: .*proxy and verify"):
            Pusher(APP_ID, KEY, SECRET, http_client=client, proxy="http://p")
        with pytest.raises(ConfigurationError, match=r"^http_client: .*proxy and verify"):
            Pusher(APP_ID, KEY, SECRET, http_client=client, verify=ssl.create_default_context())


@pytest.mark.parametrize("proxy", ["http://a\x01:3128", "http://&é", "http://[v1.a]"])
@BOTH
async def test_a_proxy_that_httpx_cannot_use(client: type[Pusher | AsyncPusher], proxy: str) -> None:
    async def call() -> None:
        called = client(APP_ID, KEY, SECRET, host="127.0.0.1:1", proxy=proxy).channels.list()
        if isawaitable(called):
            await called

    with pytest.raises(ConfigurationError, match=r"^proxy: "):
        await call()


def test_good_options() -> None:
    Pusher(APP_ID, KEY, SECRET, timeout=1)
    Pusher(APP_ID, KEY, SECRET, timeout=Timeout(3.0, connect=1.0))
    Pusher(APP_ID, KEY, SECRET, verify=False)
    Pusher(APP_ID, KEY, SECRET, verify=ssl.create_default_context())
    Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=[])


def test_nothing_shows_the_secrets() -> None:
    master_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
    pusher = Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=master_key, proxy="http://u:proxy-password@p")
    shown = f"{pusher!r} {pusher} {vars(pusher)!r}"
    for secret in (SECRET, master_key, "proxy-password"):
        assert secret not in shown


def test_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ConfigurationError("host", "must be")))
    assert isinstance(error, PusherError)
    assert str(error) == "host: must be"
