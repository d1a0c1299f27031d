"""The faults, and what each must lead to. docs/faults.md is made of this list and of what was seen."""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate

from attrs import field, frozen

from pusher_channels._http.answers import MAX_BODY
from tests.faults.server import GOOD, Behaviour, Peer, response


@frozen
class Outcome:
    """What came of one call."""

    result: str
    """``ok``, or the class of the error."""
    attempts: int
    seen: int
    """How often the server read the request whole, so that it may have taken it."""


@frozen(kw_only=True)
class Fault:
    """One way to fail, with the outcome of ``trigger`` (a POST) and of ``channels.get`` (a GET)."""

    what: str = field(kw_only=False)
    post: Outcome = field(kw_only=False)
    get: Outcome = field(kw_only=False)
    serve: Behaviour = lambda peer: peer.hang()
    host: str = "127.0.0.1"
    """A name of the machine's own here, or one of those in `tests.faults.network`."""
    port: str = "open"
    """``open``: the server's; ``closed``: one that refuses; ``silent``: one that answers no SYN."""
    tls: str | None = None
    """Speak https: the server's certificate is this one of `Certificates`, or it has none (``no``)."""
    proxy: str | None = None
    """The server is a proxy, in front of a target of this scheme."""
    warm: str | None = None
    """Make a successful call before: its connection is then ``kept`` by the server, or ``closed``."""
    slow: bool = False
    """The call is meant to run into its time limit: give it a short one."""


def forever(answer: bytes) -> Behaviour:
    """Answer every request the same."""

    def serve(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(answer)

    return serve


def status(line: str, body: bytes = b"no\n", *headers: str) -> Behaviour:
    """Answer every request with this status."""
    return forever(response(line, body, *headers))


def first(answer: bytes) -> Behaviour:
    """Answer the first request with this, all others well."""

    def serve(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(answer if peer.server.total == 1 else response())

    return serve


def amid_request(end: Callable[[Peer], None]) -> Behaviour:
    """Read the beginning of the request only."""

    def serve(peer: Peer) -> None:
        if peer.sock.recv(20):
            end(peer)

    return serve


def send(data: bytes, end: Callable[[Peer], None] = Peer.close) -> Behaviour:
    """Read the request, send some bytes, and end it in some way."""

    def serve(peer: Peer) -> None:
        if peer.request() is not None:
            peer.send(data)
            end(peer)

    return serve


def dribble(data: bytes) -> Behaviour:
    """Read the request, and send a byte now and then."""

    def serve(peer: Peer) -> None:
        if peer.request() is not None:
            peer.dribble(data)

    return serve


def second_breaks(end: Callable[[Peer], None]) -> Behaviour:
    """Break the connection when the second request is there; answer all others well."""

    def serve(peer: Peer) -> None:
        while peer.request() is not None:
            if peer.server.total == 2:
                return end(peer)
            peer.send(response())
        return None

    return serve


def one_each(peer: Peer) -> None:
    """Answer one request a connection and close it then, without saying so in the answer."""
    if peer.request() is not None:
        peer.send(response())


def connect(answer: bytes, end: Callable[[Peer], None] = Peer.close) -> Behaviour:
    """Be a proxy that answers CONNECT with this."""
    return send(answer, end)


def wrong_clock(seconds: float) -> Behaviour:
    """Answer as a server whose clock is that far ahead."""

    def serve(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            found = re.search(rb"auth_timestamp=(\d+)", request)
            given, own = int(found[1]) if found else 0, time.time() + seconds
            peer.send(response() if abs(given - own) < 600 else expired(given, own))

    return serve


def expired(given: float, own: float) -> bytes:
    """Refuse a request for its timestamp, as the real server does."""
    stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment)) for moment in (given, own)]
    text = "Timestamp expired: Given timestamp ({}) not within 600s of server time ({})\n".format(*stamps)
    return response("401 Unauthorized", text.encode())


def always_expired(peer: Peer) -> None:
    """Refuse whatever timestamp comes."""
    while peer.request() is not None:
        peer.send(expired(0, time.time()))


def huge(peer: Peer) -> None:
    """Answer with more than the client takes."""
    if peer.request() is not None:
        part = b" " * (1 << 20)
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(MAX_BODY // len(part) + 2):
            peer.send(b"%x\r\n%b\r\n" % (len(part), part))
        peer.send(b"0\r\n\r\n")


def bomb(layers: int) -> bytes:
    """Return a small body that is larger than the limit when it is unpacked."""
    pack = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    block = b" " * (1 << 20)
    packed = b"".join([*(pack.compress(block) for _ in range(MAX_BODY // len(block) + 1)), pack.flush()])
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    return packed


OK = "ok"
CONNECTION, TIMEOUT, DECODE = "APIConnectionError", "APITimeoutError", "ResponseDecodeError"

NEVER_SENT = (Outcome(CONNECTION, 3, 0), Outcome(CONNECTION, 3, 0))
HOPELESS_CONNECT = (Outcome(CONNECTION, 1, 0), Outcome(CONNECTION, 1, 0))
NO_CONNECTION_IN_TIME = (Outcome(TIMEOUT, 3, 0), Outcome(TIMEOUT, 3, 0))
NOT_READ = (Outcome(CONNECTION, 1, 0), Outcome(CONNECTION, 3, 0))
MAYBE_TAKEN = (Outcome(CONNECTION, 1, 1), Outcome(CONNECTION, 3, 3))
NO_ANSWER_IN_TIME = (Outcome(TIMEOUT, 1, 1), Outcome(TIMEOUT, 3, 3))
NO_USE_IN_REPEATING = (Outcome(CONNECTION, 1, 1), Outcome(CONNECTION, 1, 1))
UNREADABLE = (Outcome(DECODE, 1, 1), Outcome(DECODE, 1, 1))
FINE = (Outcome(OK, 1, 1), Outcome(OK, 1, 1))
FINE_AT_SECOND = (Outcome(OK, 2, 2), Outcome(OK, 2, 2))


def once(error: str) -> tuple[Outcome, Outcome]:
    """Both calls fail at once with the same error."""
    return Outcome(error, 1, 1), Outcome(error, 1, 1)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SIZED = HEAD + b"Content-Length: 17\r\n\r\n"

FAULTS: dict[str, list[Fault]] = {
    "The name and the connection": [
        Fault("the host name does not exist", *NEVER_SENT, host="unknown.test"),
        Fault("the name server does not answer", *NO_CONNECTION_IN_TIME, host="slow.test", slow=True),
        Fault("the connection is refused", *NEVER_SENT, port="closed"),
        Fault("no answer to the connection attempt", *NO_CONNECTION_IN_TIME, port="silent", slow=True),
        Fault("the first of two addresses refuses", *FINE, host="first-refuses.test", serve=forever(response())),
        Fault("the first of two addresses does not answer", *FINE, host="first-silent.test", serve=forever(response())),
    ],
    "TLS": [
        Fault("the certificate is of an unknown authority", *HOPELESS_CONNECT, tls="other_authority"),
        Fault("the certificate has expired", *HOPELESS_CONNECT, tls="expired"),
        Fault("the certificate is for another host", *HOPELESS_CONNECT, tls="other_name"),
        Fault(
            "the server does not speak TLS",
            *NEVER_SENT,
            tls="no",
            serve=amid_request(lambda peer: peer.send(b"HTTP/1.1 400 No\r\n\r\n")),
        ),
        Fault("closed in the handshake", *NEVER_SENT, tls="no", serve=amid_request(Peer.close)),
        Fault("reset in the handshake", *NEVER_SENT, tls="no", serve=amid_request(Peer.reset)),
        Fault("no answer to the handshake", *NO_CONNECTION_IN_TIME, tls="no", slow=True),
        Fault(
            "the connection ends in the body, without TLS's own end",
            *MAYBE_TAKEN,
            tls="good",
            serve=send(SIZED + GOOD[:9]),
        ),
    ],
    "Proxies": [
        Fault("the proxy refuses the connection", *NEVER_SENT, port="closed", proxy="https"),
        Fault(
            "the proxy answers CONNECT with 407",
            *NEVER_SENT,
            proxy="https",
            serve=connect(response("407 Proxy Authentication Required", b"")),
        ),
        Fault(
            "the proxy answers CONNECT with 502", *NEVER_SENT, proxy="https", serve=connect(response("502 Bad Gateway"))
        ),
        Fault("the proxy resets at CONNECT", *NEVER_SENT, proxy="https", serve=send(b"", Peer.reset)),
        Fault("the proxy closes at CONNECT", *NEVER_SENT, proxy="https", serve=send(b"")),
        Fault("the proxy does not answer CONNECT", *NO_CONNECTION_IN_TIME, proxy="https", slow=True),
        Fault(
            "a plain http proxy answers 502 by itself",
            Outcome("ServerError", 1, 1),
            Outcome("ServerError", 3, 3),
            proxy="http",
            serve=status("502 Bad Gateway"),
        ),
    ],
    "Before the response": [
        Fault("reset in the middle of the request", *NOT_READ, serve=amid_request(Peer.reset)),
        Fault("closed in the middle of the request", *NOT_READ, serve=amid_request(Peer.close)),
        Fault("closed after the request", *MAYBE_TAKEN, serve=send(b"")),
        Fault("reset after the request", *MAYBE_TAKEN, serve=send(b"", Peer.reset)),
        Fault("no answer to the request", *NO_ANSWER_IN_TIME, serve=send(b"", Peer.hang), slow=True),
        Fault("a kept-alive connection was closed while it was idle", *FINE, serve=one_each, warm="closed"),
        Fault(
            "a kept-alive connection closes as the next request comes",
            Outcome(CONNECTION, 1, 1),
            Outcome(OK, 2, 2),
            serve=second_breaks(Peer.close),
            warm="kept",
        ),
        Fault(
            "a kept-alive connection is reset as the next request comes",
            Outcome(CONNECTION, 1, 1),
            Outcome(OK, 2, 2),
            serve=second_breaks(Peer.reset),
            warm="kept",
        ),
    ],
    "The response's head": [
        Fault("not HTTP", *MAYBE_TAKEN, serve=send(b"SSH-2.0-dropbear\r\n\r\n")),
        Fault("closed in the head", *MAYBE_TAKEN, serve=send(HEAD)),
        Fault("reset in the head", *MAYBE_TAKEN, serve=send(HEAD, Peer.reset)),
        Fault("silence in the head", *NO_ANSWER_IN_TIME, serve=send(HEAD, Peer.hang), slow=True),
        Fault("the head comes a byte at a time", *NO_ANSWER_IN_TIME, serve=dribble(HEAD + b"X: y\r\n" * 99), slow=True),
        Fault(
            "interim responses without end",
            *NO_ANSWER_IN_TIME,
            serve=dribble(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 99),
            slow=True,
        ),
        Fault("a header of 50 KiB", *FINE, serve=forever(response("200 OK", GOOD, "X: " + "y" * 50_000))),
        Fault("a head of 1 MiB", *MAYBE_TAKEN, serve=send(HEAD + b"X: " + b"y" * (1 << 20))),
        Fault(
            "two different lengths",
            *MAYBE_TAKEN,
            serve=send(HEAD + b"Content-Length: 2\r\n" + b"Content-Length: 17\r\n\r\n" + GOOD),
        ),
        Fault("a length that is no number", *MAYBE_TAKEN, serve=send(HEAD + b"Content-Length: -1\r\n\r\n" + GOOD)),
    ],
    "The body": [
        Fault("closed in the body", *MAYBE_TAKEN, serve=send(SIZED + GOOD[:9])),
        Fault("reset in the body", *MAYBE_TAKEN, serve=send(SIZED + GOOD[:9], Peer.reset)),
        Fault("silence in the body", *NO_ANSWER_IN_TIME, serve=send(SIZED + GOOD[:9], Peer.hang), slow=True),
        Fault(
            "the body comes a byte at a time",
            *NO_ANSWER_IN_TIME,
            serve=dribble(HEAD + b"Content-Length: 999\r\n\r\n" + b" " * 999),
            slow=True,
        ),
        Fault(
            "a chunk size that is no number",
            *MAYBE_TAKEN,
            serve=send(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
        ),
        Fault(
            "closed between two chunks",
            *MAYBE_TAKEN,
            serve=send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"),
        ),
        Fault("a body above 32 MiB", *NO_USE_IN_REPEATING, serve=huge),
        Fault(
            "a gzip bomb", *NO_USE_IN_REPEATING, serve=forever(response("200 OK", bomb(1), "Content-Encoding: gzip"))
        ),
        Fault(
            "a gzip bomb in gzip",
            *NO_USE_IN_REPEATING,
            serve=forever(response("200 OK", bomb(2), "Content-Encoding: gzip, gzip")),
        ),
        Fault(
            "gzip that is none", *NO_USE_IN_REPEATING, serve=forever(response("200 OK", GOOD, "Content-Encoding: gzip"))
        ),
        Fault(
            "gzip that is cut off",
            *NO_USE_IN_REPEATING,
            serve=forever(response("200 OK", gzip.compress(GOOD)[:-9], "Content-Encoding: gzip")),
        ),
        Fault(
            "gzip, which was not asked for",
            *FINE,
            serve=forever(response("200 OK", gzip.compress(GOOD), "Content-Encoding: gzip")),
        ),
    ],
    "A success that is none": [
        Fault("an empty body", FINE[0], UNREADABLE[1], serve=status("200 OK", b"")),
        Fault("204 without a body", FINE[0], UNREADABLE[1], serve=forever(b"HTTP/1.1 204 No Content\r\n\r\n")),
        Fault("HTML", *UNREADABLE, serve=status("200 OK", b"<html>hello</html>", "Content-Type: text/html")),
        Fault("not UTF-8", *UNREADABLE, serve=status("200 OK", b'{"occupied":"\xff"}')),
        Fault("JSON of another shape", *UNREADABLE, serve=status("200 OK", b'"x"')),
        Fault("JSON that is nested 100,000 deep", *UNREADABLE, serve=status("200 OK", b"[" * 100_000)),
        Fault(
            "good JSON under a wrong content type and charset",
            *FINE,
            serve=status("200 OK", GOOD, "Content-Type: text/html; charset=zlib"),
        ),
    ],
    "Statuses": [
        Fault(
            "301 to another host",
            *once("APIStatusError"),
            serve=status("301 Moved", b"", "Location: http://127.0.0.1:1/x"),
        ),
        Fault(
            "307 to another host",
            *once("APIStatusError"),
            serve=status("307 Moved", b"", "Location: //elsewhere.test/x"),
        ),
        Fault(
            "307 to what is no URL", *once("APIStatusError"), serve=status("307 Moved", b"", "Location: http://x:y/")
        ),
        Fault("400", *once("BadRequestError"), serve=status("400 Bad Request")),
        Fault("401", *once("AuthenticationError"), serve=status("401 Unauthorized", b"Invalid signature")),
        Fault("401, the server's clock is an hour ahead", *FINE_AT_SECOND, serve=wrong_clock(3600)),
        Fault("401, the server's clock is two days ahead", *once("AuthenticationError"), serve=wrong_clock(48 * 3600)),
        Fault(
            "401 about the clock, whatever the client does",
            Outcome("AuthenticationError", 2, 2),
            Outcome("AuthenticationError", 2, 2),
            serve=always_expired,
        ),
        Fault("403", *once("PermissionDeniedError"), serve=status("403 Forbidden")),
        Fault("404", *once("NotFoundError"), serve=status("404 Not Found")),
        Fault("413", *once("PayloadTooLargeError"), serve=status("413 Content Too Large")),
        Fault(
            "429",
            Outcome("RateLimitError", 3, 3),
            Outcome("RateLimitError", 3, 3),
            serve=status("429 Too Many Requests"),
        ),
        Fault(
            "429 once, with Retry-After",
            *FINE_AT_SECOND,
            serve=first(response("429 Too Many Requests", b"", "Retry-After: 0")),
        ),
        Fault(
            "429 with a Retry-After beyond the deadline",
            *once("RateLimitError"),
            serve=status("429 Too Many Requests", b"", "Retry-After: 600"),
        ),
        Fault(
            "500", Outcome("ServerError", 1, 1), Outcome("ServerError", 3, 3), serve=status("500 Internal Server Error")
        ),
        Fault(
            "500 once",
            Outcome("ServerError", 1, 1),
            Outcome(OK, 2, 2),
            serve=first(response("500 Internal Server Error", b"")),
        ),
        Fault(
            "502, an HTML page",
            Outcome("ServerError", 1, 1),
            Outcome("ServerError", 3, 3),
            serve=status("502 Bad Gateway", b"<html>", "Content-Type: text/html"),
        ),
        Fault(
            "503", Outcome("ServerError", 1, 1), Outcome("ServerError", 3, 3), serve=status("503 Service Unavailable")
        ),
        Fault(
            "503 once, with Retry-After as seconds",
            *FINE_AT_SECOND,
            serve=first(response("503 Service Unavailable", b"", "Retry-After: 0")),
        ),
        Fault(
            "503 once, with Retry-After as a date",
            *FINE_AT_SECOND,
            serve=first(response("503 Service Unavailable", b"", f"Retry-After: {formatdate(usegmt=True)}")),
        ),
        Fault(
            "503 with a Retry-After of the year 9999",
            *once("ServerError"),
            serve=status("503 Service Unavailable", b"", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
        ),
        Fault(
            "500 with headers that are not ASCII",
            Outcome("ServerError", 1, 1),
            Outcome("ServerError", 3, 3),
            serve=status("500 No", b"", "X-By: Zoë"),
        ),
        Fault(
            "403 with a charset that fails",
            *once("PermissionDeniedError"),
            serve=status("403 Forbidden", b"no", "Content-Type: text/plain; charset=hex"),
        ),
        Fault(
            "101",
            *MAYBE_TAKEN,
            serve=send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        ),
        Fault("a status below 100", *MAYBE_TAKEN, serve=send(b"HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n")),
    ],
}
