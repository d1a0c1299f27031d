"""The browser is started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.webdriver import Browser, open_browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser
