from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pusher_channels import AsyncPusher, Pusher
from pusher_channels.emulator import AppConfig, Emulator
from tests.emulator.settling import Client

MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def at_port(url: str, port: int) -> str:
    """Return the URL with another port."""
    before, colon, after = url.rpartition(":")
    return f"{before}{colon}{port}/{after.partition('/')[2]}"


@asynccontextmanager
async def open_pusher(kind: type[Client], url: str) -> AsyncGenerator[Client]:
    """Make a client of this kind, which is closed in the end."""
    if kind is Pusher:
        with Pusher.from_url(url, encryption_master_key_base64=MASTER_KEY) as pusher:
            yield pusher
    else:
        async with AsyncPusher.from_url(url, encryption_master_key_base64=MASTER_KEY) as async_pusher:
            yield async_pusher


@pytest.fixture
async def server() -> AsyncIterator[Emulator]:
    async with Emulator(apps=[AppConfig(subscription_counts=False)]) as running:
        yield running


@pytest.fixture(params=[Pusher, AsyncPusher])
async def pusher(server: Emulator, request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Both clients, one after the other."""
    kind: type[Client] = request.param
    async with open_pusher(kind, server.url) as client:
        yield client
