from __future__ import annotations

from collections.abc import Iterator

import pytest

from pusher_channels.emulator import AppConfig, Emulator
from tests.emulator.signed_http import Http


@pytest.fixture
def server() -> Iterator[Emulator]:
    """One app. Subscription counts are off, which would otherwise come between the frames that a test waits for."""
    with Emulator(apps=[AppConfig(subscription_counts=False)]) as running:
        yield running


@pytest.fixture
def http(server: Emulator) -> Iterator[Http]:
    client = Http(server)
    yield client
    client.close()
