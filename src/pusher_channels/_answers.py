"""What came back, read whole and with a limit: no server can fill our memory."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import attrs
import httpx

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a body, also after decompression. The largest real answers, lists of channels, are far below."""

SENT = "pusher_sent"
"""The extension of an httpx request that tells whether any of it was sent. Not every transport knows."""

SIGNATURE = "pusher_signature"
"""The extension of an httpx response that names the signature of its request."""


@attrs.frozen
class RawResponse:
    """An answer as it came, of a status in the 200s.

    Attributes:
        status_code: The HTTP status.
        headers: The headers, their names in any case.
        content: The body, decompressed.
        http_version: The version of HTTP, such as ``HTTP/1.1``, if it is known.
    """

    status_code: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=False)
    http_version: str | None = None


class AnswerTooLargeError(httpx.HTTPError):
    """The body is larger than we take."""

    def __init__(self) -> None:
        super().__init__(f"the answer's body is larger than {MAX_BODY} bytes")


def _version(response: httpx.Response) -> str | None:
    version: bytes | None = response.extensions.get("http_version")  # its property guesses where nothing is known
    return None if version is None else version.decode("ascii", "replace")


class _Body:
    """Gathers a body from its parts as they come.

    What the server repeats of the request's signature is left out, so that no error, log line or local variable, which
    error trackers show, has it.
    """

    def __init__(self, response: httpx.Response) -> None:
        self._signature: bytes = response.extensions.get(SIGNATURE, b"")
        self._status = response.status_code
        self._version = _version(response)
        self._headers = response.headers
        if self._signature and any(self._signature in value for _, value in self._headers.raw):
            self._headers = httpx.Headers([(name, self._redacted(value)) for name, value in self._headers.raw])
        self._parts: list[bytes] = []
        self._size = 0
        coding: str = self._headers.get("content-encoding", "").strip().lower()
        # We ask for no compression. Some gateways compress all the same; several codings at once, which multiply, are a
        # bomb and nothing else.
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if coding in ("gzip", "x-gzip", "deflate") else None
        if self._inflate is None and coding not in ("", "identity"):
            raise httpx.DecodingError("the answer has a content coding that was not asked for")

    def add(self, part: bytes) -> None:
        if self._inflate is not None:
            try:
                part = self._inflate.decompress(part, MAX_BODY + 1 - self._size)
            except zlib.error as error:
                raise httpx.DecodingError("the compressed body is damaged") from error
        self._parts.append(part)
        self._size += len(part)
        del part
        if self._size > MAX_BODY:
            raise AnswerTooLargeError

    def answer(self) -> RawResponse:
        if self._inflate is not None and self._parts and not self._inflate.eof:
            raise httpx.DecodingError("the compressed body is cut off")
        return RawResponse(self._status, self._headers, self._redacted(b"".join(self._parts)), self._version)

    def _redacted(self, content: bytes) -> bytes:
        return content.replace(self._signature, b"[redacted]") if self._signature else content


def read_answer(response: httpx.Response) -> RawResponse:
    """Read a streamed response to its end."""
    try:
        if response.is_stream_consumed:  # by a transport of the caller's own
            return RawResponse(response.status_code, response.headers, response.content, _version(response))
        body = _Body(response)
        for part in response.iter_raw():
            body.add(part)
            del part
        return body.answer()
    finally:
        response.close()


async def aread_answer(response: httpx.Response) -> RawResponse:
    """Do the same for the async client."""
    try:
        if response.is_stream_consumed:
            return RawResponse(response.status_code, response.headers, response.content, _version(response))
        body = _Body(response)
        async for part in response.aiter_raw():
            body.add(part)
            del part
        return body.answer()
    finally:
        await response.aclose()
