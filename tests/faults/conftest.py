"""Fixtures of the fault tests."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest
from attrs import frozen

from tests.faults.drive import Case, Seen, drive_all
from tests.faults.secrets import everything_logged, signatures


@pytest.fixture(scope="session", autouse=True)
def no_proxies_of_the_machine() -> None:
    """Forget proxies that the environment names: the servers are on this machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]


@frozen
class Driven:
    """What came of each case, what was logged meanwhile, and the signatures that were made."""

    seen: Mapping[Case, Seen]
    lines: list[str]
    signatures: set[str]


@pytest.fixture(scope="session")
def driven() -> Driven:
    """All cases, driven once for all tests."""
    with everything_logged() as lines, signatures() as made:
        return Driven(drive_all(), lines, made)


@pytest.fixture(scope="session")
def seen(driven: Driven) -> Mapping[Case, Seen]:
    """What came of each case."""
    return driven.seen
