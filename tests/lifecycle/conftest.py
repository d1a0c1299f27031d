"""Fixtures of the lifecycle tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lifecycle.server import Server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("certificates")) as running:
        yield running


@pytest.fixture
def server(shared_server: Server) -> Server:
    """The server, with an empty record."""
    shared_server.forget()
    return shared_server


@pytest.fixture(scope="session")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that pauses before TLS begins, so that connecting takes a moment."""
    with Server(tmp_path_factory.mktemp("certificates"), pause=0.002) as running:
        yield running
