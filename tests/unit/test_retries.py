"""When a call is tried again, after which wait, with which signature: the same for both clients."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from threading import get_ident
from typing import Any
from unittest.mock import Mock

import attrs
import httpx
import pytest

from pusher_channels import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AsyncPusher,
    Attempt,
    AuthenticationError,
    ConfigurationError,
    Pusher,
    RateLimitError,
    ServerError,
    StaleWebhookError,
    _transport,
)
from pusher_channels._http.answers import RawResponse
from pusher_channels._http.messages import Origin
from pusher_channels._retry import may_repeat, server_offset, wait_before
from tests.unit.support import APP_ID, KEY, SECRET

Script = list[int | tuple[int, dict[str, str]] | Exception]
KINDS = pytest.mark.parametrize("kind", [Pusher, AsyncPusher])
Client = Pusher | AsyncPusher


@attrs.define
class Server:
    """Answers by a script, whose last line goes on for ever, and notes what came and how long was slept."""

    script: Script
    refusal: bytes = b"no"
    urls: list[httpx.URL] = attrs.Factory(list[httpx.URL])
    slept: list[float] = attrs.Factory(list[float])
    attempts: list[Attempt] = attrs.Factory(list[Attempt])

    def __call__(self, request: httpx.Request) -> httpx.Response:
        line = self.script[min(len(self.urls), len(self.script) - 1)]
        self.urls.append(request.url)
        if isinstance(line, Exception):
            raise line
        status, headers = line if isinstance(line, tuple) else (line, {})
        return httpx.Response(status, headers=headers, content=b'{"channels":{}}' if status < 300 else self.refusal)

    def client(self, kind: type[Client], **options: Any) -> Client:
        options = {"on_response": self.attempts.append, **options}
        if kind is Pusher:
            return Pusher(APP_ID, KEY, SECRET, http_client=httpx.Client(transport=httpx.MockTransport(self)), **options)

        async def handle(request: httpx.Request) -> httpx.Response:
            return self(request)

        client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        return AsyncPusher(APP_ID, KEY, SECRET, http_client=client, **options)


async def settle(result: object) -> object:
    return await result if isinstance(result, Awaitable) else result  # pyright: ignore[reportUnknownVariableType]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Sleep no longer, and note how long it would have been. Threads that other tests left behind sleep on."""
    waits: list[float] = []
    me, sleep, asleep = get_ident(), time.sleep, asyncio.sleep

    def note(seconds: float) -> None:
        if get_ident() == me:
            waits.append(seconds)
        else:
            sleep(seconds)

    async def anote(seconds: float) -> None:
        if get_ident() == me:
            waits.append(seconds)
        else:
            await asleep(seconds)

    monkeypatch.setattr(time, "sleep", note)
    monkeypatch.setattr(asyncio, "sleep", anote)
    return waits


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> int:
    """Stop the clock, however long the test takes."""
    moment = int(time.time())
    monkeypatch.setattr(time, "time", lambda: moment)
    return moment


async def trigger(client: Client) -> object:
    return await settle(client.trigger("c", "e", "d"))


async def get(client: Client) -> object:
    return await settle(client.channels.list())


async def terminate(client: Client) -> object:
    return await settle(client.users.terminate_connections("u"))


async def raw_get(client: Client) -> object:
    return await settle(client.request("GET", "/channels"))


async def raw_put(client: Client) -> object:
    return await settle(client.request("PUT", "/channels"))


Call = Callable[[Client], Awaitable[object]]
SAFE: tuple[Call, ...] = (get, terminate, raw_get)
UNSAFE: tuple[Call, ...] = (trigger, raw_put)

AFTER = {"Retry-After": "1"}
NOT_TAKEN: Script = [
    *(429, (429, AFTER), (503, AFTER), (503, {"Retry-After": "soon"})),
    *(httpx.ConnectError("x"), httpx.ConnectTimeout("x"), httpx.PoolTimeout("x"), httpx.ProxyError("x")),
]
MAYBE_TAKEN: Script = [
    *(500, 501, 502, 503, 504, 520, httpx.ReadTimeout("x"), httpx.WriteTimeout("x"), httpx.ReadError("x")),
    *(httpx.WriteError("x"), httpx.RemoteProtocolError("x"), ConnectionResetError("x")),
]
NEVER: Script = [
    *(301, 400, 401, 403, 404, 408, 413, (400, AFTER)),
    *(httpx.UnsupportedProtocol("x"), httpx.DecodingError("x")),
]
TABLE = [
    *[(line, call, 3) for line in NOT_TAKEN for call in (*SAFE, *UNSAFE)],
    *[(line, call, 3) for line in MAYBE_TAKEN for call in SAFE],
    *[(line, call, 1) for line in MAYBE_TAKEN for call in UNSAFE],
    *[(line, call, 1) for line in NEVER for call in (*SAFE, *UNSAFE)],
]


@KINDS
@pytest.mark.usefixtures("slept")
async def test_what_is_repeated(kind: type[Client]) -> None:
    for line, call, attempts in TABLE:
        server = Server([line])
        with pytest.raises(APIError):
            await call(server.client(kind))
        assert len(server.urls) == attempts, (line, call)


@KINDS
@pytest.mark.usefixtures("slept")
@pytest.mark.parametrize("line", MAYBE_TAKEN, ids=repr)
async def test_retry_unsafe_repeats_publishing_like_a_query(kind: type[Client], line: Any) -> None:
    server = Server([line, 200])
    await trigger(server.client(kind, retry_unsafe=True))
    await trigger(server.client(kind).with_options(retry_unsafe=True))
    assert len(server.urls) == 3


@KINDS
@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (5, 6)])
async def test_max_retries(kind: type[Client], retries: int, attempts: int, slept: list[float]) -> None:
    server = Server([500])
    with pytest.raises(ServerError):
        await get(server.client(kind, max_retries=retries))
    with pytest.raises(ServerError):
        await get(server.client(kind).with_options(max_retries=retries))
    assert len(server.urls) == 2 * attempts
    assert [attempt.number for attempt in server.attempts] == [*range(1, attempts + 1)] * 2
    # Full jitter, under a ceiling that doubles.
    assert all(0 <= wait <= min(8, 0.25 * 2 ** (number % retries)) for number, wait in enumerate(slept))
    assert len(set(slept)) == len(slept)


@KINDS
async def test_each_attempt_is_signed_afresh(
    kind: type[Client], slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60 * len(slept))
    server = Server([500, 500, 200])
    await get(server.client(kind))
    stamps = [int(url.params["auth_timestamp"]) for url in server.urls]
    assert stamps == [int(now), int(now + 60), int(now + 120)]
    assert len({url.params["auth_signature"] for url in server.urls}) == 3


@KINDS
async def test_retry_after_is_honoured_within_the_deadline(kind: type[Client], slept: list[float]) -> None:
    server = Server([(503, {"Retry-After": "7"}), (429, {"Retry-After": "0"}), 200])
    await trigger(server.client(kind))
    assert slept == [7.0, 0.0]
    server = Server([(503, {"Retry-After": "30"}), 200])
    with pytest.raises(ServerError) as caught:
        await trigger(server.client(kind))
    assert caught.value.headers["retry-after"] == "30"
    assert len(server.urls) == 1
    await trigger(Server([(503, {"Retry-After": "600"}), 200]).client(kind, deadline=None))
    assert slept == [7.0, 0.0, 600.0]
    with pytest.raises(RateLimitError):
        await trigger(Server([(429, {"Retry-After": "999999"}), 200]).client(kind, deadline=None))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), (" 12 ", 12), ("9" * 24, math.inf), ("Fri, 31 Dec 9999 23:59:59 GMT", math.inf)],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert wait_before(0, RawResponse(503, {"retry-after": value}, b"")) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(100, 100), (-100, 0), (80_000, 80_000), (90_000, math.inf)])
def test_retry_after_a_date(ahead: int, seconds: float, now: int) -> None:
    moment = datetime.fromtimestamp(now + ahead, UTC)
    for value in (format_datetime(moment, usegmt=True), format_datetime(moment.replace(tzinfo=None))):
        assert wait_before(0, RawResponse(503, {"retry-after": value}, b"")) == seconds


@pytest.mark.parametrize("value", ["", "-1", "1.5", "soon", "٣", "Mon, 99 Foo 2020 99:99:99 GMT", "1e9", "\x00"])
def test_a_retry_after_that_says_nothing_is_jitter(value: str) -> None:
    waits = {wait_before(2, RawResponse(503, {"retry-after": value}, b"")) for _ in range(100)}
    assert len(waits) > 50
    assert min(waits) >= 0
    assert max(waits) <= 1


def test_the_wait_stays_a_number_after_any_number_of_retries() -> None:
    assert 0 <= wait_before(5000, None) <= 8


def test_503_with_any_retry_after_was_not_taken() -> None:
    assert may_repeat(RawResponse(503, {"retry-after": "nonsense"}, b""), repeatable=False)
    assert not may_repeat(RawResponse(503, {}, b""), repeatable=False)
    assert not may_repeat(RawResponse(500, {"retry-after": "1"}, b""), repeatable=False)


@KINDS
@pytest.mark.usefixtures("slept")
async def test_the_budget_keeps_many_calls_from_hammering_a_sick_server(kind: type[Client]) -> None:
    server = Server([500])
    client = server.client(kind)
    for view in (client, client.with_options(timeout=1.0)):  # one budget for all views
        for _ in range(100):
            with pytest.raises(ServerError):
                await get(view)
    assert len(server.urls) == 200 + 20
    server.script, server.urls = [200], []
    for _ in range(100):
        await get(client)
    server.script, server.urls = [500], []
    for _ in range(100):
        with pytest.raises(ServerError):
            await get(client)
    assert 109 <= len(server.urls) <= 110  # a tenth of the successes


def test_one_budget_and_one_clock_for_all_threads_and_views() -> None:
    client = Pusher(APP_ID, KEY, SECRET)
    assert client.with_options(timeout=1.0)._state.pool is client._state.pool  # pyright: ignore[reportPrivateUsage]


def expired(ahead: float) -> bytes:
    now = datetime.fromtimestamp(time.time(), UTC)
    given, own = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (now, now + timedelta(seconds=ahead)))
    return f"Timestamp expired: Given timestamp ({given}) not within 600s of server time ({own})\n".encode()


@KINDS
@pytest.mark.parametrize("ahead", [3600, -86_000])
async def test_the_clock_is_corrected_once_and_kept_if_that_helps(
    kind: type[Client], ahead: int, now: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server([401, 200], refusal=expired(ahead))
    client = server.client(kind)
    for _ in range(2):
        await trigger(client)
    assert [int(url.params["auth_timestamp"]) - now for url in server.urls] == [0, ahead, ahead]
    assert f"the server's clock is {ahead:+} s off the local one" in caplog.text
    assert [(record.name, record.levelno) for record in caplog.records if "clock" in record.message] == [
        ("pusher_channels", logging.WARNING)
    ]
    # Webhooks go by the local clock all the same.
    body = f'{{"time_ms":{(now + ahead) * 1000},"events":[]}}'.encode()
    with pytest.raises(StaleWebhookError):
        client.webhook(webhook_headers(body), body)


def webhook_headers(body: bytes) -> dict[str, str]:
    import hmac

    return {"X-Pusher-Key": KEY, "X-Pusher-Signature": hmac.digest(SECRET.encode(), body, "sha256").hex()}


@KINDS
async def test_a_correction_that_does_not_help_is_dropped(kind: type[Client], now: int) -> None:
    server = Server([401, 401, 200], refusal=expired(3600))
    client = server.client(kind)
    with pytest.raises(AuthenticationError):
        await trigger(client)
    await trigger(client)
    assert [int(url.params["auth_timestamp"]) - now for url in server.urls] == [0, 3600, 0]


@KINDS
@pytest.mark.usefixtures("slept")
async def test_a_corrected_call_has_all_its_retries(kind: type[Client], now: int) -> None:
    server = Server([401, 429, 429, 200], refusal=expired(3600))
    client = server.client(kind)
    await trigger(client)
    assert [attempt.number for attempt in server.attempts] == [1, 2, 3, 4]
    await trigger(client)
    assert int(server.urls[-1].params["auth_timestamp"]) == now + 3600


@pytest.mark.parametrize(
    ("url", "status", "make", "counts"),
    [
        ("https://api.example", 401, lambda: expired(3600), True),
        ("http://127.0.0.1:80", 401, lambda: expired(3600), True),
        ("http://[::1]", 401, lambda: expired(3600), True),
        ("http://localhost", 401, lambda: expired(3600), True),
        ("http://api.example", 401, lambda: expired(3600), False),
        ("http://127.example", 401, lambda: expired(3600), False),
        ("http://localhost.example", 401, lambda: expired(3600), False),
        ("https://api.example", 400, lambda: expired(3600), False),
        ("https://api.example", 401, lambda: expired(86_400), True),
        ("https://api.example", 401, lambda: expired(86_401), False),
        ("https://api.example", 401, lambda: expired(-86_401), False),
        ("https://api.example", 401, lambda: b"Timestamp expired", False),
        ("https://api.example", 401, lambda: b"Invalid signature", False),
        ("https://api.example", 401, lambda: expired(0).replace(b"-", b"/"), False),
        ("https://api.example", 401, lambda: b"x" * 10_000 + expired(3600), False),
    ],
)
@pytest.mark.usefixtures("now")
def test_which_answers_correct_the_clock(url: str, status: int, make: Callable[[], bytes], counts: bool) -> None:
    offset = server_offset(Origin.parse(url), RawResponse(status, {}, make()))
    assert (offset is not None) is counts


@KINDS
async def test_attempts_are_told_to_hooks_and_logs(
    kind: type[Client], slept: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG, "pusher_channels")
    moments = count(1000.0, 0.125)
    monkeypatch.setattr(_transport, "time", Mock(wraps=time, perf_counter=lambda: next(moments)))
    begun: list[Attempt] = []
    server = Server([503, httpx.ReadTimeout("too slow"), 200])
    await settle(server.client(kind, on_request=begun.append).channels.list(filter_by_prefix="presence-"))
    url = "https://api-mt1.pusher.com/apps/3/channels?filter_by_prefix=presence-"
    assert [(each.number, each.request.url, each.seconds, each.error) for each in begun] == [
        (number, url, None, None) for number in (1, 2, 3)
    ]
    assert {each.path_template for each in (*begun, *server.attempts)} == {"/apps/{app_id}/channels"}
    assert [each.status_code for each in server.attempts] == [503, None, 200]
    assert [type(each.error) for each in server.attempts] == [ServerError, APITimeoutError, type(None)]
    assert isinstance(server.attempts[1].error, APITimeoutError)
    assert isinstance(server.attempts[1].error.__cause__, httpx.ReadTimeout)
    assert [each.seconds for each in server.attempts] == [0.125] * 3
    lines = [record.getMessage() for record in caplog.records if record.name == "pusher_channels"]
    assert lines[0] == f"GET {url} -> 503 in 0.125 s (attempt 1)"
    assert lines[1] == f"GET https://api-mt1.pusher.com/apps/3/channels: 503: no; retry 1 of 2 in {slept[0]:.2f} s"
    assert lines[2] == f"GET {url} -> APITimeoutError in 0.125 s (attempt 2)"
    assert lines[3].endswith(f"too slow; retry 2 of 2 in {slept[1]:.2f} s")
    assert lines[4] == f"GET {url} -> 200 in 0.125 s (attempt 3)"
    assert len(lines) == 5


@KINDS
async def test_a_hook_that_fails_does_not_end_the_call(kind: type[Client], caplog: pytest.LogCaptureFixture) -> None:
    def fail(attempt: Attempt) -> None:
        raise ValueError("the hook's own")

    await trigger(Server([200]).client(kind, on_request=fail, on_response=fail))
    assert caplog.text.count("a hook failed") == 2
    assert "the hook's own" in caplog.text


async def hook(attempt: Attempt) -> None:
    """Hooks are called, not awaited."""


@KINDS
@pytest.mark.parametrize("bad", [3, "print", hook])
def test_what_is_no_hook_is_refused(kind: type[Client], bad: Any) -> None:
    for option in ("on_request", "on_response"):
        with pytest.raises(ConfigurationError, match=f"^{option}: "):
            kind(APP_ID, KEY, SECRET, **{option: bad})


@KINDS
@pytest.mark.usefixtures("slept")
async def test_the_deadline_ends_a_call_between_attempts(kind: type[Client], monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    server = Server([httpx.ConnectError("x")])
    monkeypatch.setattr(time, "monotonic", lambda: now + 3 * len(server.urls))
    with pytest.raises(APIConnectionError):
        await trigger(server.client(kind, deadline=5.0, max_retries=9))
    assert len(server.urls) == 2


@KINDS
async def test_an_attempt_never_gets_more_time_than_the_call_has_left(
    kind: type[Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    seen: list[dict[str, float]] = []
    server = Server([200])

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return server(request)

    async def anote(request: httpx.Request) -> httpx.Response:
        return note(request)

    client: Client
    if kind is Pusher:
        client = Pusher(APP_ID, KEY, SECRET, http_client=httpx.Client(transport=httpx.MockTransport(note)))
    else:
        given = httpx.AsyncClient(transport=httpx.MockTransport(anote))
        client = AsyncPusher(APP_ID, KEY, SECRET, http_client=given)
    await trigger(client)
    await trigger(client.with_options(timeout=50))
    await trigger(client.with_options(timeout=httpx.Timeout(1, connect=70, read=None)))
    await trigger(client.with_options(timeout=httpx.Timeout(1, read=None), deadline=math.inf))
    parts = [sorted(value for value in each.values() if value) for each in seen]
    assert [pytest.approx(each) for each in parts] == [[5, 5, 5, 5], [30, 30, 30, 30], [1, 1, 30, 30], [1, 1, 1]]
