"""Every webhook that the emulator sends, against the API description and through the SDK."""

from __future__ import annotations

import pytest
from openapi_core.exceptions import OpenAPIError

from pusher_channels import Pusher, UnknownEvent
from pusher_channels.emulator import AppConfig, Emulator, WebhookEndpoint
from tests.contract.spec import check_webhook, webhook_event_names
from tests.emulator.client import open_client
from tests.emulator.receiver import open_receiver


async def test_every_kind_of_webhook_event() -> None:
    missing = webhook_event_names()
    async with open_receiver() as receiver:
        app = AppConfig(webhooks=(WebhookEndpoint(receiver.url),), webhook_delay=0.05, webhook_batch_delay=0.05)
        with Emulator(apps=[app]) as server, Pusher.from_url(server.url) as pusher:
            async with open_client(server) as client:
                await client.subscribe("presence-cache-room", {"user_id": 1})
                await client.expect("pusher:cache_miss", "presence-cache-room")
                await client.send("client-hello", {"é": 1}, channel="presence-cache-room")
                await client.subscribe("private-encrypted-room")
                await client.expect("pusher_internal:subscription_count", "private-encrypted-room")
                await client.send("client-hello", "not encrypted", channel="private-encrypted-room")
                await client.expect_nothing()
            while missing:
                delivery = await receiver.next()
                check_webhook(delivery.headers, delivery.body)
                events = pusher.webhook(delivery.headers, delivery.body).events
                assert [event.name for event in events] == [event["name"] for event in delivery.events]
                assert not any(isinstance(event, UnknownEvent) for event in events)
                missing -= {event.name for event in events}


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-pusher-key": ""}, b'{"time_ms":1}'),
        ({"x-pusher-signature": "ABC"}, b'{"time_ms":1}'),
        ({}, b"{}"),
        ({}, b'{"time_ms":1,"events":[{"name":"channel_occupied"}]}'),
        ({}, b'{"time_ms":1,"events":[{"name":"other"}]}'),
    ],
)
def test_the_check_finds_what_is_wrong(headers: dict[str, str], body: bytes) -> None:
    good = {"content-type": "application/json", "x-pusher-key": "key", "x-pusher-signature": "0" * 64}
    check_webhook(good, b'{"time_ms":1,"events":[{"name":"channel_occupied","channel":"public"}]}')
    with pytest.raises(OpenAPIError):
        check_webhook({**good, **headers}, body)
