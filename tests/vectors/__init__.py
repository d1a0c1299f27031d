"""The known answers and behaviours of the official libraries' own test suites."""

import pytest

# The runners hold the assertions: without this a failure would not show the values.
pytest.register_assert_rewrite(f"{__name__}.support")
for _kind in ("answers", "auth", "configuration", "encryption", "requests", "signing", "validation", "webhooks"):
    pytest.register_assert_rewrite(f"{__name__}.run_{_kind}")
