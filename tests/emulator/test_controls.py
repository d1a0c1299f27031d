"""Faults on demand and a wrong clock: what users test their own error handling with."""

from __future__ import annotations

import time

import httpx
import pytest

from pusher_channels import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    PermissionDeniedError,
    Pusher,
    RateLimitError,
    ServerError,
    StaleWebhookError,
)
from pusher_channels.emulator import AppConfig, Emulator, Fault, WebhookEndpoint
from tests.emulator.client import open_client
from tests.emulator.receiver import open_receiver
from tests.emulator.signed_http import Http, refusal


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.SERVER_ERROR, (500, "Internal server error")),
        (Fault.RATE_LIMITED, (429, "Too many requests")),
        (Fault.OVER_QUOTA, (403, "API call failed since (daily) message quota exceeded")),
    ],
)
def test_answers_that_refuse(server: Emulator, http: Http, fault: Fault, expected: tuple[int, str]) -> None:
    server.fail_next(fault, times=2)
    for _ in range(2):
        assert refusal(http.get("/channels")) == expected
    assert http.get("/channels").status_code == 200


def test_an_answer_that_asks_for_another_try(server: Emulator, http: Http) -> None:
    server.fail_next(Fault.UNAVAILABLE, delay=1.5)
    answer = http.get("/channels")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    server.fail_next(Fault.UNAVAILABLE, times=2, delay=0)
    with Pusher.from_url(server.url) as pusher:
        pusher.trigger("public", "e", "sent again, as it was not taken")
    assert len(server.events()) == 1


def test_a_reset_connection(server: Emulator, http: Http) -> None:
    server.fail_next(Fault.RESET)
    with pytest.raises(httpx.ReadError) as error:
        http.get("/channels")
    assert "reset" in str(error.value)
    assert http.get("/channels").status_code == 200


def test_an_answer_that_never_comes(server: Emulator) -> None:
    server.fail_next(Fault.HANG)
    url = f"http://{server.host}:{server.port}/apps/1/channels"
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(url, timeout=0.1, trust_env=False)
    assert httpx.get(url, trust_env=False).status_code == 400


def test_an_answer_that_comes_late(server: Emulator, http: Http) -> None:
    server.fail_next(Fault.SLOW, delay=0.2)
    start = time.monotonic()
    assert http.get("/channels").status_code == 200
    assert time.monotonic() - start >= 0.2


def test_faults_wait_for_their_path(server: Emulator, http: Http) -> None:
    server.fail_next(Fault.SERVER_ERROR, path="/events")
    server.fail_next(Fault.RATE_LIMITED)
    event = {"name": "e", "channel": "a", "data": ""}
    assert http.post("/batch_events", {"batch": [event]}).status_code == 429
    assert http.post("/batch_events", {"batch": [event]}).status_code == 200
    assert http.post("/events", event).status_code == 500
    assert http.post("/events", event).status_code == 200
    assert [published.channel for published in server.published] == ["a", "a"]


def test_faults_can_be_taken_back(server: Emulator, http: Http) -> None:
    server.fail_next(Fault.SERVER_ERROR)
    server.clear()
    assert http.get("/channels").status_code == 200


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.SLOW])
def test_a_fault_holds_up_no_stop(fault: Fault, caplog: pytest.LogCaptureFixture) -> None:
    with Emulator() as server, httpx.Client(timeout=0.05, trust_env=False) as client:
        server.fail_next(fault, delay=60.0)
        with pytest.raises(httpx.ReadTimeout):
            client.get(f"http://{server.host}:{server.port}/apps/1/channels")
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 30.0  # half of what the slow answer takes
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_clock_that_is_wrong(server: Emulator, http: Http) -> None:
    server.clock_offset = 700
    status, text = refusal(http.get("/channels"))
    assert (status, text.startswith("Timestamp expired")) == (401, True)
    server.clock_offset = 500
    assert http.get("/channels").status_code == 200
    server.clock_offset = -700
    assert refusal(http.get("/channels"))[0] == 401
    server.clear()
    assert server.clock_offset == 0.0
    assert http.get("/channels").status_code == 200


async def test_webhooks_of_a_wrong_clock() -> None:
    async with open_receiver() as receiver:
        with Emulator(webhook_url=receiver.url) as server, Pusher.from_url(server.url) as pusher:
            server.clock_offset = -1000
            async with open_client(server) as client:
                await client.subscribe("public")
                delivery = await receiver.next()
            with pytest.raises(StaleWebhookError):
                pusher.webhook(delivery.headers, delivery.body)


def test_what_the_sdk_makes_of_it(server: Emulator) -> None:
    expected = {
        Fault.SERVER_ERROR: ServerError,
        Fault.RATE_LIMITED: RateLimitError,
        Fault.OVER_QUOTA: PermissionDeniedError,
        Fault.UNAVAILABLE: ServerError,
        Fault.RESET: APIConnectionError,
    }
    with Pusher.from_url(server.url, timeout=20) as pusher:
        for fault, error in expected.items():
            server.fail_next(fault, times=10, delay=60)  # not worth waiting for
            with pytest.raises(error) as raised:
                pusher.trigger("public", "e", "")
            assert not isinstance(raised.value, APITimeoutError)
            server.clear()
        server.fail_next(Fault.HANG, times=10)
        with pytest.raises(APITimeoutError):
            pusher.with_options(timeout=0.2).trigger("public", "e", "")
        server.clear()
        server.clock_offset = 100_000  # more than the day that the SDK corrects
        with pytest.raises(AuthenticationError):
            pusher.trigger("public", "e", "")
        assert server.events() == ()
        server.clock_offset = 700
        pusher.trigger("public", "corrected", "")
    assert [event.name for event in server.events()] == ["corrected"]


def test_one_server_has_many_apps_and_their_webhooks() -> None:
    apps = [AppConfig(app_id=str(number), key=f"key-{number}", webhooks=(WebhookEndpoint("http://127.0.0.1:1/"),))
            for number in range(3)]  # fmt: skip
    with Emulator(apps=apps) as server:
        for app in apps:
            with Pusher.from_url(server.url_of(app)) as pusher:
                pusher.trigger("public", "e", app.app_id)
        assert [(event.app_id, event.data) for event in server.events()] == [("0", "0"), ("1", "1"), ("2", "2")]
