"""Reading answers: parsed by httptools, whole, with a limit, and without what they repeat of the signature. No I/O."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping

import attrs
import httptools

MAX_BODY = 32 * 1024 * 1024
"""Bytes of a body, also after decompression. The largest real answers, lists of channels, are far below."""
_MAX_HEAD = 100 * 1024
_MAX_SIZE = 2 * MAX_BODY
"""Bytes of all of an answer: what frames its parts, and what may follow them, count as well."""


class BadAnswerError(Exception):
    """The answer is one that we do not take. It would be the same again."""


class BrokenAnswerError(ConnectionError):
    """The answer is not HTTP, or ended before it was complete."""


class Headers(Mapping[str, str]):
    """The headers of an answer: names in any case, the values of a repeated one joined by commas."""

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[str, str] = {}
        for raw_name, raw_value in pairs:
            name, value = raw_name.decode("latin-1").lower(), _text(raw_value)
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values})"


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


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


class Body:
    """Gathers an answer's body from its parts as they come.

    What the server repeats of the request's signature is left out, so that no error, log line or local variable, which
    error trackers show, has it.
    """

    def __init__(
        self,
        status_code: int,
        headers: Iterable[tuple[bytes, bytes]],
        signature: bytes,
        *,
        version: str | None,
        inflate: bool = True,
    ) -> None:
        self._status_code = status_code
        self._version = version
        self._signature = signature
        self._headers = Headers((name, self._redacted(value)) for name, value in headers)
        self._parts: list[bytes] = []
        self._size = 0
        self._refusal: BadAnswerError | None = None
        coding = self._headers.get("content-encoding", "").strip().lower() if inflate else ""
        # We ask for no compression. Some gateways compress all the same; several codings at once, which multiply, are a
        # bomb and nothing else.
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32) if coding in ("gzip", "x-gzip", "deflate") else None
        self._is_readable = self._inflate is not None or coding in ("", "identity")

    def add(self, part: bytes) -> bool:
        """Take a part, and tell whether it was good: if not, `answer` raises the reason.

        Raised here, its frames would show the part, which may hold the signature.
        """
        self._refusal = self._refusal or self._take(part)
        return self._refusal is None

    def _take(self, part: bytes) -> BadAnswerError | None:
        if self._inflate is not None:
            if self._inflate.eof:
                return BadAnswerError("the compressed body goes on behind its end")
            try:
                part = self._inflate.decompress(part, MAX_BODY + 1 - self._size)
            except zlib.error as error:
                damaged = BadAnswerError("the compressed body is damaged")
                damaged.__cause__ = error.with_traceback(None)
                return damaged
            if self._inflate.unused_data:
                return BadAnswerError("the compressed body goes on behind its end")
        self._parts.append(part)
        self._size += len(part)
        return BadAnswerError(f"the answer's body is larger than {MAX_BODY} bytes") if self._size > MAX_BODY else None

    def answer(self) -> RawResponse:
        """Return the answer, when all parts are there.

        Raises:
            BadAnswerError: The body is too large or has a coding that was not asked for, or its compression is damaged,
                cut off or goes on behind its end.
        """
        if self._refusal is not None:
            raise self._refusal
        if not self._is_readable:
            raise BadAnswerError("the answer has a content coding that was not asked for")
        if self._inflate is not None and self._parts and not self._inflate.eof:
            raise BadAnswerError("the compressed body is cut off")
        return RawResponse(self._status_code, self._headers, self._redacted(b"".join(self._parts)), self._version)

    def _redacted(self, content: bytes) -> bytes:
        return content.replace(self._signature, b"[redacted]") if self._signature else content


class AnswerParser:
    """Reads the answers of one connection, one after the other."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.done = True
        """Whether the answer is complete."""
        self.reusable = True
        """Whether another request may follow on the connection."""
        self._answer: RawResponse | None = None
        self._error: Exception | None = None

    def expect(self, signature: bytes, *, no_body: bool = False) -> None:
        """Prepare for the answer to a request; ``no_body`` says that it ends with its head."""
        self._signature = signature
        self._no_body = no_body
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_size = self._size = 0
        self._body: Body | None = None
        self._answer = self._error = None
        self.done = self.reusable = False

    @property
    def began(self) -> bool:
        """Whether anything of the answer has come."""
        return self._head_size > 0 or self._body is not None

    def feed(self, data: bytes) -> None:
        """Take what came; nothing means that the server has ended the connection.

        Raises:
            BrokenAnswerError: It is not the answer, or not all of it.
            BadAnswerError: The answer cannot be taken.
        """
        if not data:
            self._end()
            return
        self._size += len(data)
        if self._body is None:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if error.__context__ is not None:  # a signal's handler has raised in one of the methods that it calls
                raise error.__context__ from None
            self._refuse(BrokenAnswerError(f"the answer is not HTTP: {error}"))
        except httptools.HttpParserUpgrade:
            self._refuse(BrokenAnswerError("the answer is an upgrade that was not asked for"))
        del data  # error trackers show the locals of the frames that an error passes
        if self._body is None and self._head_size > _MAX_HEAD:
            self._refuse(BrokenAnswerError(f"the answer's head is larger than {_MAX_HEAD} bytes"))
        if self._size > _MAX_SIZE:
            self._refuse(BadAnswerError(f"the answer is larger than {_MAX_SIZE} bytes"))
        if self._error is not None:
            raise self._error

    def _refuse(self, error: Exception) -> None:
        self.reusable = False
        if self._error is None and not self.done:  # what follows a complete answer does not spoil it
            self._error = error

    def _end(self) -> None:
        self.reusable = False
        names = {name.lower() for name, _ in self._fields}
        if self._body is None or not names.isdisjoint((b"content-length", b"transfer-encoding")):
            raise BrokenAnswerError("the server closed the connection before its answer was complete")
        self._finish()
        if self._error is not None:
            raise self._error

    def result(self) -> RawResponse:
        """Return the complete answer."""
        assert self._answer is not None  # noqa: S101
        return self._answer

    def _finish(self) -> None:
        assert self._body is not None  # noqa: S101
        try:
            self._answer = self._body.answer()
            self.done = True
        except BadAnswerError as error:
            self._refuse(error)

    # httptools calls these. What they would raise is kept, or it would come wrapped.

    def on_message_begin(self) -> None:
        if self.done:
            self.reusable = False  # the server speaks unasked
        else:
            self._fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        status_code = self._parser.get_status_code()
        if status_code < 200 or self.done:  # an interim answer
            return
        version = f"HTTP/{self._parser.get_http_version()}"
        self._body = Body(status_code, self._fields, self._signature, version=version)
        if self._no_body:
            self._finish()

    def on_body(self, part: bytes) -> None:
        if self._body is None or self.done or self._error is not None:
            return
        if not self._body.add(part):
            self._finish()

    def on_message_complete(self) -> None:
        if self._body is not None and not self.done and self._error is None:
            self.reusable = self._parser.should_keep_alive()
            self._finish()
