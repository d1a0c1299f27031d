# pyright: reportDeprecated=false
# (the deprecated operations are part of the contract)
"""Every request that the SDK makes, and every answer of the emulator, against the API description."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from pusher_channels import AsyncPusher, Event, Pusher
from pusher_channels.emulator import AppConfig, Emulator
from tests.contract.spec import Exchange, check_exchange, operations
from tests.emulator.client import open_client
from tests.emulator.settling import Client, settle
from tests.emulator.signed_http import Http

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
COUNTS = ("user_count", "subscription_count")
Call = Callable[[Client], object]

# For each operation the calls that make it: with and without everything that is optional. A new operation of the
# description fails `test_every_operation_is_called` until it stands here.
CALLS: dict[str, list[Call]] = {
    "events/trigger": [
        lambda client: client.trigger("public", "my-event", {"some": "data"}),
        lambda client: client.trigger(["public", "presence-room"], "my-event", "é", socket_id="1.1", info=COUNTS),
        lambda client: client.trigger("private-encrypted-a", "my-event", "secret"),
        lambda client: client.send_to_user("12345", "my-event", None),
        lambda client: client.events.trigger(name="my-event", data="", channels=["public"]),
        lambda client: client.events.trigger(name="my-event", data="", channel="public", info="user_count"),
        lambda client: client.request("POST", "/events", body={"name": "e", "data": "", "channels": ["a"]}),
    ],
    "events/trigger_batch": [
        lambda client: client.trigger_batch([Event("public", "my-event", {})]),
        lambda client: client.trigger_batch(
            [Event("private-encrypted-a", "e", "x"), Event("presence-room", "e", "x", socket_id="1.1", info=COUNTS)]
        ),
    ],
    "channels/list": [
        lambda client: client.channels.list(),
        lambda client: client.channels.list(filter_by_prefix="presence-", info=["user_count"]),
        lambda client: client.request("GET", "/channels"),
    ],
    "channels/get": [
        lambda client: client.channels.get("public"),
        lambda client: client.channels.get("foo-bar_1234@=,.;"),
        lambda client: client.channels.get("presence-room", info=COUNTS),
        lambda client: client.channels.get("cache-empty", info=["cache", "subscription_count"]),
        lambda client: client.channels.get("cache-full", info="cache"),
    ],
    "channels/users": [
        lambda client: client.channels.users("presence-room"),
        lambda client: client.channels.users("presence-empty"),
    ],
    "channels/stats": [
        lambda client: client.channels.stats("presence-room"),
        lambda client: client.channels.stats("empty"),
    ],
    "channels/trigger_event": [
        lambda client: client.channels.trigger_event("public", name="my-event", body='{"some":"data"}'),
        lambda client: client.channels.trigger_event("public", name="my-event", body="é", socket_id="1.1"),
    ],
    "users/terminate_connections": [lambda client: client.users.terminate_connections("12345")],
    "push_notifications/publish": [
        lambda client: client.notify(["donuts"], apns={"aps": {}}),
        lambda client: client.notify(["a", "b"], gcm={}, fcm={"a": [1]}, webhook_url="https://example.org/"),
        lambda client: client.push_notifications.publish(interests=["donuts"], fcm={}),
    ],
}


class Recorder(httpx.HTTPTransport):
    """Keeps what goes over the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.read()
        self.exchanges.append(Exchange.of(request, response))
        return response


class AsyncRecorder(httpx.AsyncHTTPTransport):
    """The same for the async client."""

    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await response.aread()
        self.exchanges.append(Exchange.of(request, response))
        return response


@pytest.fixture
async def server() -> AsyncIterator[Emulator]:
    """An app in which every kind of answer has something to tell."""
    with Emulator() as running:
        http = Http(running)
        http.trigger("cache-full", data="cached")
        http.close()
        async with open_client(running) as one, open_client(running) as two:
            await one.subscribe("presence-room", {"user_id": 1})
            await two.subscribe("presence-room", {"user_id": "two"})
            await two.subscribe("public")
            yield running


def test_every_operation_is_called() -> None:
    assert set(CALLS) == set(operations())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("operation_id", sorted(CALLS))
@pytest.mark.parametrize("kind", [Pusher, AsyncPusher])
async def test_requests_and_answers(server: Emulator, operation_id: str, kind: type[Client]) -> None:
    recorder, async_recorder = Recorder(), AsyncRecorder()
    client: Client
    with httpx.Client(transport=recorder) as http_client:
        async with httpx.AsyncClient(transport=async_recorder) as async_http_client:
            if kind is Pusher:
                client = Pusher.from_url(server.url, encryption_master_key_base64=KEY, http_client=http_client)
            else:
                client = AsyncPusher.from_url(
                    server.url, encryption_master_key_base64=KEY, http_client=async_http_client
                )
            for call in CALLS[operation_id]:
                await settle(call(client))
    exchanges = recorder.exchanges + async_recorder.exchanges
    assert [check_exchange(exchange).id for exchange in exchanges] == [operation_id] * len(CALLS[operation_id])


@pytest.mark.parametrize("operation_id", sorted(operations()))
def test_the_examples_of_the_description(server: Emulator, operation_id: str) -> None:
    operation = operations()[operation_id]
    app = AppConfig(app_id=operation.path_examples["app_id"])
    path = "/" + re.sub(r"\{(\w+)\}", lambda match: operation.path_examples[match[1]], operation.path)
    with Emulator(apps=[app]) as running:
        http = Http(running)
        for example in operation.body_examples or (None,):
            content = example.encode() if operation.has_raw_body and isinstance(example, str) else None
            body = None if content is not None else example
            query = operation.query_examples
            response = http.call(operation.method.upper(), path, body, query=query, content=content)
            assert response.is_success, response.text
            assert check_exchange(Exchange.of(response.request, response)).id == operation_id
        http.close()


@pytest.mark.parametrize("operation_id", sorted(operations()))
def test_refusals_of_each_operation(operation_id: str) -> None:
    operation = operations()[operation_id]
    path = "/" + re.sub(r"\{(\w+)\}", lambda match: operation.path_examples[match[1]], operation.path)
    active = AppConfig(app_id=operation.path_examples["app_id"])
    disabled = AppConfig(app_id="other", key="disabled-key", enabled=False)
    refused: dict[int, dict[str, str | None]] = {
        400: {"auth_key": "unknown"},
        401: {"auth_signature": "wrong"},
        403: {"auth_key": disabled.key},
    }
    with Emulator(apps=[active, disabled]) as running:
        http = Http(running)
        for status, signing in refused.items():
            target = path if status != 403 else path.replace("/apps/3", "/apps/other")
            response = http.call(operation.method.upper(), target, {}, signing=signing)
            assert response.status_code == status, response.text
            assert check_exchange(Exchange.of(response.request, response)).id == operation_id
        http.close()
