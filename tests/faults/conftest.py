"""Fixtures of the fault tests."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from tests.faults.drive import Case, Seen, drive_all


@pytest.fixture(scope="session", autouse=True)
def no_proxies_of_the_machine() -> None:
    """Forget proxies that the environment names: the servers are on this machine."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            del os.environ[name]


@pytest.fixture(scope="session")
def seen() -> Mapping[Case, Seen]:
    """What came of each case, driven once for all tests."""
    return drive_all()
