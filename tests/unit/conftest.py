"""Fixtures of the unit tests."""

from __future__ import annotations

import pytest

from pusher_channels import Pusher
from tests.unit.support import APP_ID, KEY, MASTER_KEY, SECRET, Recorder


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def pusher() -> Pusher:
    return Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY)
