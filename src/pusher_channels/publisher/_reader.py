"""Reading one HTTP/1.1 answer out of the bytes of a connection. No I/O.

It takes less than a general client would, and what it does not know is a RemoteProtocolError, never a guess.
"""

from __future__ import annotations

import re

import httpx

from pusher_channels._answers import MAX_BODY, AnswerTooLargeError

_LONGEST_HEAD = 64 * 1024
_STATUS = re.compile(rb"HTTP/1\.([01]) ([2-5][0-9][0-9])(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,12}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")


class AnswerReader:
    """Takes the bytes of one answer as they come."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.content = b""
        """The body as it came, once the answer is complete."""
        self.keep_alive = False
        self._buffer = bytearray()
        self._length: int | None = None  # None: in chunks, or all up to the end of the connection
        self._chunked = False
        self._chunks = bytearray()

    def feed(self, data: bytes) -> bool:
        """Take bytes, and tell whether the answer is complete. No bytes are the end of the connection.

        Raises:
            httpx.RemoteProtocolError: This is not an answer that we understand, or it ended too early.
            AnswerTooLargeError: It is larger than we take.
        """
        self._buffer += data
        complete = bool(self.status or self._read_head()) and (
            self._read_chunks() if self._chunked else self._read_body(at_end=not data)
        )
        if complete and self._buffer:
            self.keep_alive = False  # there is more than one answer
        if not complete and not data:
            raise httpx.RemoteProtocolError("the server closed the connection before its answer was complete")
        return complete

    def _read_head(self) -> bool:
        head = self._take_to(b"\r\n\r\n", "the head of the answer is too long")
        if head is None:
            return False
        first, *lines = head.split(b"\r\n")
        status = _STATUS.fullmatch(first)
        headers = [_HEADER.fullmatch(line) for line in lines]
        self.headers = [(header[1].lower(), header[2]) for header in headers if header is not None]
        if status is None or None in headers:
            raise httpx.RemoteProtocolError("the head of the answer is not that of HTTP/1.1")
        self.status = int(status[2])
        lengths = {value for name, value in self.headers if name == b"content-length"}
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        self._chunked = codings == [b"chunked"]
        if len(lengths) > 1 or (codings and (lengths or not self._chunked)):
            raise httpx.RemoteProtocolError("the length of the answer is not clear")
        for length in lengths:
            if not _LENGTH.fullmatch(length):
                raise httpx.RemoteProtocolError("the length of the answer is not clear")
            self._length = _limited(int(length))
        if self.status in (204, 304):
            self._chunked, self._length = False, 0
        closes = any(name == b"connection" and b"close" in value.lower() for name, value in self.headers)
        self.keep_alive = status[1] == b"1" and not closes and (self._chunked or self._length is not None)
        return True

    def _read_body(self, *, at_end: bool) -> bool:
        if self._length is None:
            _limited(len(self._buffer))
        if not (at_end if self._length is None else len(self._buffer) >= self._length):
            return False
        self.content = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        return True

    def _read_chunks(self) -> bool:
        while True:
            if self._length is None:
                line = self._take_to(b"\r\n", "a chunk of the answer has no length")
                if line is None:
                    return False
                size = _CHUNK.fullmatch(line)
                if size is None:
                    raise httpx.RemoteProtocolError("a chunk of the answer has no length")
                self._length = int(size[1], 16)
                _limited(len(self._chunks) + self._length)
            if self._length == 0:
                while (line := self._take_to(b"\r\n", "the end of the answer is too long")) is not None:
                    if not line:
                        self.content = bytes(self._chunks)
                        return True
                return False
            if len(self._buffer) < self._length + 2:
                return False
            if not self._buffer.startswith(b"\r\n", self._length):
                raise httpx.RemoteProtocolError("a chunk of the answer has another length than it says")
            self._chunks += self._buffer[: self._length]
            del self._buffer[: self._length + 2]
            self._length = None

    def _take_to(self, end: bytes, complaint: str) -> bytes | None:
        """Take what stands before ``end`` out of the buffer."""
        position = self._buffer.find(end)
        if (position if position >= 0 else len(self._buffer)) > _LONGEST_HEAD:
            raise httpx.RemoteProtocolError(complaint)
        if position < 0:
            return None
        taken = bytes(self._buffer[:position])
        del self._buffer[: position + len(end)]
        return taken


def _limited(size: int) -> int:
    if size > MAX_BODY:
        raise AnswerTooLargeError
    return size
