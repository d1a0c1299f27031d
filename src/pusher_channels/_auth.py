"""Request signing as an `httpx.Auth`."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar

import httpx

from pusher_channels._secret import Secret
from pusher_channels._signer import RequestSigner
from pusher_channels.errors import InvalidArgumentError
from pusher_channels.signing import RESERVED_QUERY_KEYS

SIGNATURE = "pusher_signature"
"""The extension of an httpx response that names the signature of its request."""


class SignatureAuth(httpx.Auth):
    """Signs each request of an httpx client for the Pusher Channels HTTP API.

    It signs the path and the body exactly as they are sent. A request that is sent again is signed afresh. The
    signed URL stands on the request only while it is under way, so that nobody finds the signature there later.
    """

    requires_request_body = True

    def __init__(self, key: str, secret: str | Secret, *, clock: Callable[[], float] = time.time) -> None:
        for argument, value in (("key", key), ("secret", secret)):
            if not isinstance(value, (str, Secret)) or not value:  # pyright: ignore[reportUnnecessaryIsInstance]
                raise InvalidArgumentError(argument, "must be a str that is not empty")
        self._signer = RequestSigner(key, secret if isinstance(secret, Secret) else Secret(secret), clock)
        for logger in _LOGGERS:
            logger.addFilter(_REDACT)  # adding the same filter again changes nothing

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Sign the request (called by httpx)."""
        unsigned = request.url
        pairs = [(name, value) for name, value in unsigned.params.multi_items() if name not in RESERVED_QUERY_KEYS]
        path = unsigned.raw_path.partition(b"?")[0].decode("ascii")
        signed = self._signer.sign(request.method, path, pairs, request.content)
        request.url = unsigned.copy_with(query=signed.query.encode("ascii"))
        _last_signature.set(signed.signature)
        try:
            with _unrecorded():
                response = yield request
            response.extensions[SIGNATURE] = signed.signature.encode()
        finally:
            request.url = unsigned


def _unrecorded() -> AbstractContextManager[None]:
    """Keep OpenTelemetry's instrumentations of HTTP clients from putting the signed URL into their spans.

    Where one of them is at work, this module of theirs is loaded.
    """
    utils = sys.modules.get("opentelemetry.instrumentation.utils")
    return nullcontext() if utils is None else getattr(utils, "suppress_http_instrumentation", nullcontext)()


_last_signature: ContextVar[str] = ContextVar("last_signature", default="")


class _Redact(logging.Filter):
    """Takes the signature out of what httpx and httpcore log of our request: its URL, and what the server repeats."""

    def filter(self, record: logging.LogRecord) -> bool:
        signature = _last_signature.get()
        if signature and signature in (message := record.getMessage()):
            record.msg, record.args = message.replace(signature, "[redacted]"), ()
        return True


_REDACT = _Redact()
_LOGGERS = [logging.getLogger(name) for name in ("httpx", "httpcore.http11", "httpcore.http2", "httpcore.proxy")]
