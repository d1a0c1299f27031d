"""What an attempt left at the server, as far as its end tells."""

from __future__ import annotations

import pytest

from pusher_channels import RawResponse
from pusher_channels._http.messages import Failure
from pusher_channels._retry import certainly_not_taken


@pytest.mark.parametrize(
    ("status", "headers", "certain"),
    [
        *((status, {}, True) for status in (301, 307, 400, 401, 403, 404, 408, 413, 429, 499)),
        *((status, {}, False) for status in (200, 202, 204, 500, 502, 503, 504, 520)),
        (503, {"retry-after": "1"}, True),
        (500, {"retry-after": "1"}, False),
    ],
)
def test_answers(status: int, headers: dict[str, str], certain: bool) -> None:
    assert certainly_not_taken(RawResponse(status, headers, b"")) == certain


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("lasting", [True, False])
def test_failures(taken: bool, lasting: bool) -> None:
    failure = Failure(cause=OSError(), timed_out=False, taken=taken, lasting=lasting)
    assert certainly_not_taken(failure) == (not taken)
