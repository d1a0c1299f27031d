"""Writing of requests: path, query and body, as they are sent and signed."""

from __future__ import annotations

import json

from .errors import InvalidArgumentError
from .lazy import forks_wait

__all__ = ["encode_json", "encode_path", "encode_query"]

# json.dumps would make a new encoder at every call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

CHANNEL_CHARACTERS = "@=,;:"
"""Characters that stand unescaped in a path, as the official libraries send and sign them."""


def encode_path(value: str | float, argument: str) -> str:
    """Escape one value for the path.

    HTTP clients collapse `.` and `..`, which would make the request one to another endpoint.
    """
    text = encode_query(value)
    if text.isascii() and text.isalnum():
        return text
    if text in ("", ".", ".."):
        raise InvalidArgumentError(argument, 'must not be empty, "." or ".."')
    with forks_wait():
        from urllib.parse import quote  # not needed by most programs

    return quote(text, safe=CHANNEL_CHARACTERS)


def encode_query(value: str | float) -> str:
    """Return a query value as text. It is escaped when it is sent."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def encode_json(value: object) -> bytes:
    """Return compact JSON in UTF-8, without escapes for what is not ASCII."""
    try:
        return _ENCODER.encode(value).encode()
    except ValueError:  # the models have checked all else
        raise InvalidArgumentError("body", "must not hold an int of thousands of digits") from None
