"""Fixtures for the tests of code that publishes: a local Pusher Channels server, and clients of it.

    def test_an_order_is_announced(pusher_server, pusher_client):
        announce(order, pusher_client)
        assert pusher_server.events(channel="orders")[0].json() == {"id": 1}

pytest loads this module at every start, so it imports nothing before a fixture is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pusher_channels import AsyncPusher, Pusher
    from pusher_channels.emulator import AppConfig, Emulator


@pytest.fixture
def pusher_apps() -> Sequence[AppConfig] | None:
    """Return the apps of `pusher_server`. Override it for settings of your own. None is one app, all switched on."""
    return None


@pytest.fixture
def pusher_server(pusher_apps: Sequence[AppConfig] | None) -> Iterator[Emulator]:
    """Run a Pusher Channels server for one test, on a free port."""
    from pusher_channels.emulator import Emulator

    with Emulator(apps=pusher_apps) as server:
        yield server


@pytest.fixture
def pusher_client(pusher_server: Emulator) -> Iterator[Pusher]:
    """Make a client of the first app of `pusher_server`."""
    from pusher_channels import Pusher

    with Pusher.from_url(pusher_server.url) as client:
        yield client


@pytest.fixture
def async_pusher_client(pusher_server: Emulator) -> AsyncPusher:
    """Make an asyncio client of the first app of `pusher_server`, for whichever event loop the test runs in."""
    from pusher_channels import AsyncPusher

    # Not closed here, where no event loop runs: its connections end with the one that they were made in.
    return AsyncPusher.from_url(pusher_server.url)
