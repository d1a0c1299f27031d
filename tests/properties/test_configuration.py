"""Whatever a client is made of: a ConfigurationError that shows no secret, or a client that works."""

from __future__ import annotations

import math
from typing import Any

import httpx
from hypothesis import given as for_all

from pusher_channels import ConfigurationError, Pusher
from tests.properties.making import PURE, Choices, made
from tests.properties.things import thing
from tests.unit.support import APP_ID, KEY, MASTER_KEY

SECRET = "a-marked-secret"
HOSTS = [
    *("api-eu.pusher.com", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:80", "localhost:", "a:0", "a:65536", "a:٣"),
    *("1.2.3", "a..b", "xn--a", "xn--bcher-kva.example", "-a", "_a", "a" * 64, "a/b", "a@b", "a?b", "a#b", "a\n", "é"),
    *("[", "[::1", "[v1.a]", "a%41", ":80", ""),
]


def answer(request: httpx.Request) -> httpx.Response:
    """Take the place of the network: see that the limits of time are some."""
    for seconds in request.extensions["timeout"].values():
        assert seconds is None or 0 < seconds <= 86_400
    return httpx.Response(200, content=b"{}")


HTTP = httpx.Client(transport=httpx.MockTransport(answer))


def check_client(pusher: Pusher) -> None:
    """Check that a client can be used."""
    assert pusher.authorize_channel("1.1", "private-a").auth
    pusher.trigger("a", "e", "d")


def check_error(error: BaseException) -> None:
    """Check that neither an error nor what led to it has the secret."""
    found: BaseException | None = error
    while found is not None:
        assert not any(secret in f"{found!r} {found}" for secret in (SECRET, MASTER_KEY[8:32]))
        found = found.__cause__ or found.__context__


# A URL


BITS = [
    *("", "ftp", "HTTP", "http", "//", "/", ":", "@", "#", "?", "[", "]", ":99999", ":0", "/apps/", "..", "%ff"),
    *HOSTS,
]


def make_url(choices: Choices) -> str:
    secret = choices.pick([SECRET, f"%41{SECRET}%ff", SECRET.replace("-", "%2D"), SECRET + choices.text()])
    parts = ["https", "://", KEY, ":", secret, "@", choices.pick(HOSTS[:4]), "/apps/", APP_ID]
    for _ in range(choices.number(4)):
        at = choices.number(len(parts))
        bit = choices.pick([*BITS, choices.text()])
        parts[at] = choices.pick([parts[at] + bit, bit, bit + parts[at]])
    return "".join(parts)


@PURE
@for_all(url=made(make_url))
def test_urls_of_any_kind(url: str) -> None:
    try:
        pusher = Pusher.from_url(url, http_client=HTTP)
    except ConfigurationError as error:
        assert error.option in ("url", "app_id", "key", "secret", "host", "port")
        check_error(error)
        return
    check_client(pusher)


# Options


NAMES = [
    *("cluster", "host", "port", "ssl", "push_notification_host", "timeout", "deadline", "max_retries", "retry_unsafe"),
    *("encryption_master_key_base64", "json_encoder", "max_data_bytes", "max_batch_events", "proxy", "verify"),
    *("http_client", "on_request", "on_response", "app_id", "key", "headers"),
]
USED = {"timeout", "deadline", "host", "cluster", "port", "app_id", "key", "headers"}
NUMBERS: list[Any] = [
    *(0, -1, 1, 0.5, 1e-300, 1e300, 10**400, math.nan, math.inf, -math.inf, True, "5", 86_400, 86_401, 2**31),
]
CLUSTERS = ["eu", "", "a-b", "-a", "a-", "é", "a.b", "a/b", "a" * 300]
SCHEMES = ["http", "https", "socks5", "ftp", "", "HTTP"]
HEADERS = ["X-A", "x-a", "Host", "content-length", "X A", "", "é", "X:", "X\r\nY"]


def make_option(choices: Choices, name: str) -> Any:
    """Make a value that an option may have, or nearly."""
    text = choices.text()
    match name:
        case "host" | "push_notification_host":
            return choices.pick([*HOSTS, text])
        case "cluster":
            return choices.pick([*CLUSTERS, text])
        case "headers":
            return {choices.pick(HEADERS): choices.pick(["a", "", "é", "a\r\nb", text])}
        case "encryption_master_key_base64":
            at = choices.number(len(MASTER_KEY))
            key = MASTER_KEY[:at] + text + MASTER_KEY[at + choices.number(3) :]
            return choices.pick([MASTER_KEY, [MASTER_KEY, key], (key, MASTER_KEY), {MASTER_KEY}, key, key])
        case "proxy":
            user = choices.pick(["", "user:pass@", text])
            url = f"{choices.pick(SCHEMES)}://{user}{choices.pick(HOSTS)}{choices.text()}"
            return choices.pick([url, url, or_none(httpx.URL, url), or_none(httpx.Proxy, url)])
        case "timeout":
            parts: Any = [choices.pick([None, 1, *NUMBERS, "a"]) for _ in range(4)]
            timeout = httpx.Timeout(connect=parts[0], read=parts[1], write=parts[2], pool=parts[3])
            return choices.pick([*NUMBERS, timeout, timeout, timeout, timeout])
        case _:
            return choices.pick([*NUMBERS, None, text])


def or_none(kind: Any, value: str) -> Any:
    try:
        return kind(value)
    except (ValueError, httpx.InvalidURL):
        return None


def make_options(choices: Choices) -> dict[str, Any]:
    names = [choices.pick(NAMES) for _ in range(choices.number(4))]
    return {name: thing(choices) if choices.once_in(8) else make_option(choices, name) for name in names}


def make_pusher(**options: Any) -> Pusher:
    """Make a client, which one type checker or the other would not do with options of any kind."""
    make: Any = Pusher
    headers = options.pop("headers", None)
    pusher: Pusher = make(**options)
    return pusher.with_options(headers=headers)


@PURE
@for_all(options=made(make_options, 60))
def test_options_of_any_kind(options: dict[str, Any]) -> None:
    own_client = options.keys() & {"proxy", "verify", "http_client"}
    client = {} if own_client else {"http_client": HTTP}
    try:
        pusher = make_pusher(**{"app_id": APP_ID, "key": KEY, "secret": SECRET, **client, **options})
    except ConfigurationError as error:
        assert error.option.partition("[")[0] in options
        check_error(error)
        return
    assert not any(secret in repr(pusher) for secret in (SECRET, MASTER_KEY))
    if not own_client and options.keys() & USED:
        check_client(pusher)
