"""Request signing as an `httpx.Auth`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from urllib.parse import quote

import httpx

from pusher_channels._secret import Secret
from pusher_channels.signing import RESERVED_QUERY_KEYS, signed_pairs


class SignatureAuth(httpx.Auth):
    """Signs each request of an httpx client for the Pusher Channels HTTP API.

    It signs the path and the body exactly as they are sent. A request that is sent again is signed afresh. The
    signed URL stands on the request only while it is under way, so that nobody finds the signature there later.
    """

    requires_request_body = True

    def __init__(self, key: str, secret: str | Secret, *, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._secret = secret if isinstance(secret, Secret) else Secret(secret)
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request (called by httpx)."""
        unsigned = request.url
        pairs = [(name, value) for name, value in unsigned.params.multi_items() if name not in RESERVED_QUERY_KEYS]
        signed = signed_pairs(
            request.method,
            unsigned.raw_path.partition(b"?")[0].decode("ascii"),
            pairs,
            request.content,
            key=self._key,
            secret=self._secret,
            timestamp=int(self._clock()),
        )
        request.url = unsigned.copy_with(query=encode_query(signed))
        try:
            yield request
        finally:
            request.url = unsigned


def encode_query(pairs: list[tuple[str, str]]) -> bytes:
    """Escape everything but the unreserved characters: servers split what others leave raw."""
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs).encode("ascii")


class _RedactSignedUrls(logging.Filter):
    """Takes the signature out of httpx's own request log line."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_redacted, record.args))
        return True


def _redacted(value: object) -> object:
    if isinstance(value, httpx.URL) and b"auth_signature=" in value.query:
        return str(value.copy_with(query=None)) + "?[signed]"
    return value


_REDACT_SIGNED_URLS = _RedactSignedUrls()


def redact_httpx_log() -> None:
    """Keep signatures out of the "httpx" logger. Adding the same filter again changes nothing."""
    logging.getLogger("httpx").addFilter(_REDACT_SIGNED_URLS)
