"""The parser of answers: what has no end in sight is refused, and what is refused shows nothing of itself."""

from __future__ import annotations

import gzip

import pytest

from pusher_channels._http import answers
from pusher_channels._http.answers import AnswerParser, BadAnswerError
from tests.faults.secrets import leaks

SIGNATURE = b"5" * 64


def parse(*parts: bytes) -> bytes:
    parser = AnswerParser()
    parser.expect(SIGNATURE)
    for part in parts:
        parser.feed(part)
    return parser.result().content


def compressed(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_a_compressed_body_is_read() -> None:
    assert parse(compressed(gzip.compress(b'{"a":1}'))) == b'{"a":1}'


@pytest.mark.parametrize(
    "more", [b"x", gzip.compress(b"{}", mtime=0), b"\0" * 100_000], ids=["a byte", "gzip", "nothing"]
)
def test_what_follows_a_compressed_body_is_refused(more: bytes) -> None:
    whole = compressed(gzip.compress(b"{}") + more)
    for parts in ((whole,), (whole[: -len(more)], more), tuple(whole[at : at + 7] for at in range(0, 200, 7))):
        with pytest.raises(BadAnswerError, match="goes on behind its end"):
            parse(*parts)


def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_MAX_SIZE", 10_000)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    trailers = [b"Trailer-%d: xxxxxxxx\r\n" % number for number in range(1000)]
    with pytest.raises(BadAnswerError, match="the answer is larger than 10000 bytes"):
        parse(head, *trailers)


def test_a_damaged_body_shows_nothing_of_itself() -> None:
    with pytest.raises(BadAnswerError) as caught:
        parse(compressed(b"echo of " + SIGNATURE))
    assert leaks(caught.value, [SIGNATURE.decode()]) == []
