"""Reading answers: whole or in any pieces, and nothing that is not clear."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pusher_channels._answers import AnswerTooLargeError
from pusher_channels.publisher import _reader
from pusher_channels.publisher._reader import AnswerReader

GOOD = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 200, b"{}", True),
    "no reason": (b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, b"", True),
    "no space either": (b"HTTP/1.1 500\r\ncontent-length:3\r\n\r\nabc", 500, b"abc", True),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\n{\r\n3;x=y\r\n}\r\n\r\n0\r\n\r\n",
        200,
        b"{}\r\n",
        True,
    ),
    "trailer": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\nZ: 1\r\n\r\n", 200, b"", True),
    "closes": (b"HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, b"a", False),
    "nothing": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
    "same length twice": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 200, b"a", True),
}


@pytest.mark.parametrize("name", GOOD)
def test_answers_in_any_pieces(name: str) -> None:
    data, status, content, keep_alive = GOOD[name]
    for size in range(1, len(data) + 1):
        reader = AnswerReader()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        assert [reader.feed(piece) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        assert (reader.status, reader.content, reader.keep_alive) == (status, content, keep_alive)


def test_header_names_are_in_lower_case_and_values_bare() -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 503 Busy\r\nRetry-After: \t 7 \r\nX-Empty:\r\nContent-Length: 0\r\n\r\n")
    assert reader.headers == [(b"retry-after", b"7"), (b"x-empty", b""), (b"content-length", b"0")]


def test_an_answer_without_length_ends_with_the_connection() -> None:
    reader = AnswerReader()
    assert not reader.feed(b"HTTP/1.1 200 OK\r\n\r\n{")
    assert not reader.feed(b"}")
    assert reader.feed(b"")
    assert (reader.content, reader.keep_alive) == (b"{}", False)


def test_bytes_behind_the_answer_end_the_connection() -> None:
    reader = AnswerReader()
    assert reader.feed(GOOD["length"][0] + b"HTTP/1.1 200 OK\r\n")
    assert (reader.content, reader.keep_alive) == (b"{}", False)


@pytest.mark.parametrize("name", ["length", "chunks", "trailer"])
def test_an_answer_that_is_cut_off(name: str) -> None:
    data = GOOD[name][0]
    for end in range(len(data)):
        reader = AnswerReader()
        if end:
            assert not reader.feed(data[:end])
        with pytest.raises(httpx.RemoteProtocolError, match="closed the connection before"):
            reader.feed(b"")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nName : value\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nFolded: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNull: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"H" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 70_000,
    ],
)
def test_what_is_not_clear_is_refused(data: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        AnswerReader().feed(data)


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 11\r\n\r\n",
        b"\r\n" + b"x" * 11,
        b"Transfer-Encoding: chunked\r\n\r\nb\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n6\r\n" + b"x" * 6 + b"\r\n6\r\n",
    ],
)
def test_an_answer_that_is_too_large(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_reader, "MAX_BODY", 10)
    with pytest.raises(AnswerTooLargeError):
        AnswerReader().feed(b"HTTP/1.1 200 OK\r\n" + data)


@given(st.lists(st.binary(max_size=30), max_size=8), st.binary(max_size=60))
def test_hostile_bytes_raise_nothing_else(pieces: list[bytes], start: bytes) -> None:
    reader = AnswerReader()
    try:
        for piece in [b"HTTP/1.1 200 OK\r\n" + start, *pieces]:
            if reader.feed(piece):
                break
    except httpx.HTTPError:
        pass
