"""What an attempt left at the server, as far as its end tells."""

from __future__ import annotations

import httpx
import pytest

from pusher_channels import RawResponse
from pusher_channels._answers import AnswerTooLargeError
from pusher_channels._retry import certainly_not_taken


@pytest.mark.parametrize(
    ("status", "headers", "certain"),
    [
        *((status, {}, True) for status in (301, 307, 400, 401, 403, 404, 408, 413, 429, 499)),
        *((status, {}, False) for status in (200, 202, 204, 500, 502, 503, 504, 520)),
        (503, {"Retry-After": "1"}, True),
        (500, {"Retry-After": "1"}, False),
    ],
)
def test_answers(status: int, headers: dict[str, str], certain: bool) -> None:
    assert certainly_not_taken(RawResponse(status, httpx.Headers(headers), b"")) == certain


@pytest.mark.parametrize(
    ("error", "certain"),
    [
        (httpx.ConnectError("x"), True),
        (httpx.ConnectTimeout("x"), True),
        (httpx.PoolTimeout("x"), True),
        (httpx.ProxyError("x"), True),
        (httpx.UnsupportedProtocol("x"), True),
        (httpx.WriteError("x"), False),
        (httpx.WriteTimeout("x"), False),
        (httpx.ReadError("x"), False),
        (httpx.ReadTimeout("x"), False),
        (httpx.RemoteProtocolError("x"), False),
        (httpx.DecodingError("x"), False),
        (AnswerTooLargeError(), False),
        (TimeoutError(), False),
        (OSError(), False),
        (ValueError(), False),
        (RuntimeError(), False),
    ],
)
def test_errors(error: Exception, certain: bool) -> None:
    assert certainly_not_taken(error) == certain
