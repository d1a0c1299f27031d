"""Kept connections over sockets, for threads.

Everything that an attempt does ends within its time: the look-up of the name, each of a name's addresses, TLS, and the
answer of a server that sends a byte now and then.
"""

from __future__ import annotations

import atexit
import codecs
import os
import select
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from pusher_channels._http.answers import AnswerParser, BadAnswerError, RawResponse
from pusher_channels._http.messages import (
    Failure,
    HttpProxy,
    Origin,
    Outgoing,
    Signed,
    TimeLimit,
    connect_message,
    failure_of,
    sign,
)
from pusher_channels._signer import RequestSigner
from pusher_channels_rest.lazy import forks_wait

KEEP_SECONDS = 15.0
"""How long an idle connection is kept: less than servers and load balancers keep it."""
_READ_SIZE = 64 * 1024
_WRITE_SIZE = 16 * 1024

codecs.lookup("idna")  # Python would load it for the first connection, for which forks do not wait


class Connections:
    """The connections of one client to the servers that it talks to: as many as there are threads in a call.

    No limit and no lock: an exception that a signal's handler raises could leave either of them taken for good.
    """

    def __init__(
        self, context_for_tls: Callable[[], ssl.SSLContext], proxy_for: Callable[[Origin], HttpProxy | None]
    ) -> None:
        self._context_for_tls = context_for_tls
        self._proxy_for = proxy_for
        self._idle: dict[Origin, deque[_Connection]] = {}
        self._pid = os.getpid()
        self._closed = False
        _all.add(self)

    def send(self, request: Outgoing, signer: RequestSigner, limit: TimeLimit) -> RawResponse | Failure:
        """Make one attempt."""
        origin, proxy = request.origin, self._proxy_for(request.origin)
        signed = sign(request, signer, proxy)
        connection: _Connection | None = None
        try:
            connection = self._take(origin) or _Connection(self._connect(origin, proxy, limit))
            try:
                return connection.exchange(signed, limit, no_body=request.method == "HEAD")
            finally:
                # Also when a signal's handler raises in the middle: half an answer must not become someone else's.
                self._give_back(origin, connection)
        except (OSError, BadAnswerError, ValueError) as error:
            return failure_of(error, taken=connection is not None, proxy=None if proxy is None else proxy.origin)

    def close(self) -> None:
        """Close what is idle, now, and all else when its call ends."""
        self._closed = True
        self.close_idle()

    def close_idle(self) -> None:
        """Close what is idle."""
        if self._pid != os.getpid():
            return  # they are the parent's
        for idle in list(self._idle.values()):
            with suppress(IndexError):
                while True:
                    idle.pop().close()

    def __del__(self) -> None:
        self.close_idle()

    def _take(self, origin: Origin) -> _Connection | None:
        """Return the connection that was used last: the others grow old."""
        idle = self._idle.get(origin)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # another thread was faster
                return None
            if not connection.is_stale():
                return connection
            connection.close()
        return None

    def _give_back(self, origin: Origin, connection: _Connection) -> None:
        if not connection.reusable:
            connection.close()
            return
        idle = self._idle.get(origin) or self._idle.setdefault(origin, deque())
        connection.idle_since = time.monotonic()
        idle.append(connection)
        if self._closed:
            self.close_idle()
            return
        with suppress(IndexError):  # another thread may have taken the last one
            if idle[0].is_old():  # one at a time is enough: each call looks here
                idle.popleft().close()

    def _connect(self, origin: Origin, proxy: HttpProxy | None, limit: TimeLimit) -> socket.socket:
        sock = _open(origin if proxy is None else proxy.origin, limit)
        try:
            if not origin.needs_tls:
                return sock
            if proxy is not None:
                _Connection(sock).open_tunnel(origin, proxy, limit)
            with forks_wait():  # OpenSSL takes locks that the whole process shares
                context = self._context_for_tls()
                sock.settimeout(limit.left("connect"))
                return context.wrap_socket(sock, server_hostname=origin.host)
        except BaseException:
            sock.close()
            raise


_all = weakref.WeakSet[Connections]()


@atexit.register
def _at_exit() -> None:
    # They stay usable: what else runs at exit may have something to send, as a publisher does.
    for connections in list(_all):
        connections.close_idle()


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parser = AnswerParser()
        self.idle_since = 0.0
        self.reusable = False

    def exchange(self, signed: Signed, limit: TimeLimit, *, no_body: bool = False) -> RawResponse:
        """Send a request and read its answer."""
        self.reusable = False
        sock, parser = self._sock, self._parser
        parser.expect(signed.signature, no_body=no_body)
        broken = self._write(signed.message, limit)
        try:
            while not parser.done:
                sock.settimeout(limit.left("read"))
                parser.feed(sock.recv(_READ_SIZE))
        except OSError as error:
            # A server that refuses a request before it has read all of it may have said so; if not, this is the reason.
            raise error if broken is None else broken from None
        self.reusable = parser.reusable and broken is None
        return parser.result()

    def open_tunnel(self, origin: Origin, proxy: HttpProxy, limit: TimeLimit) -> None:
        """Ask the proxy at the other end for a connection to ``origin``."""
        answer = self.exchange(Signed(connect_message(origin, proxy.headers), b""), limit, no_body=True)
        refuse_tunnel(answer)

    def is_stale(self) -> bool:
        """Tell whether it has been idle too long, or the server has closed it or spoken unasked."""
        return self.is_old() or is_readable(self._sock)

    def is_old(self) -> bool:
        return time.monotonic() - self.idle_since > KEEP_SECONDS

    def close(self) -> None:
        self._sock.close()

    def _write(self, message: memoryview, limit: TimeLimit) -> OSError | None:
        # In parts: a TLS socket gives each part that the system takes the same time again.
        for start in range(0, len(message), _WRITE_SIZE):
            self._sock.settimeout(limit.left("write"))
            try:
                self._sock.sendall(message[start : start + _WRITE_SIZE])
            except TimeoutError:
                raise
            except OSError as error:
                return error
        return None


def refuse_tunnel(answer: RawResponse) -> None:
    """Raise unless the proxy has opened the tunnel."""
    if not 200 <= answer.status_code <= 299:
        raise ConnectionError(f"the proxy refused the connection with {answer.status_code}")


def is_readable(sock: socket.socket) -> bool:
    """Tell whether the other side has sent something, or ended the connection."""
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _open(origin: Origin, limit: TimeLimit) -> socket.socket:
    limit_of_all = limit.left("connect")
    ends = None if limit_of_all is None else time.monotonic() + limit_of_all
    addresses = _look_up(origin, limit_of_all)
    while True:
        address = addresses.pop(0)
        # Each address gets its share of the time that is left, so that a dead one does not use it all up.
        share = None if ends is None else max(0.001, ends - time.monotonic()) / (len(addresses) + 1)
        try:
            sock = socket.create_connection((address, origin.port), share)
        except OSError:
            if not addresses:
                raise
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock


def family_of(host: str) -> socket.AddressFamily | None:
    """Return the family of an address; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            socket.inet_pton(family, host)
            return family
    return None


def resolve(origin: Origin) -> list[tuple[int, tuple[Any, ...]]]:
    """Ask the system for a host's addresses, each with its family, however long that takes."""
    with forks_wait():  # it has locks, too
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


def _look_up(origin: Origin, seconds: float | None) -> list[str]:
    """Return a host's addresses. The system's resolver knows no limit, so a thread asks it, and may be left behind."""
    if family_of(origin.host) is not None:
        return [origin.host]
    answers = SimpleQueue[list[str] | Exception]()

    def ask() -> None:
        try:
            answers.put([str(address[0]) for _, address in resolve(origin)])
        except Exception as error:  # OSError, or UnicodeError for an empty or too long part of the name
            answers.put(error)

    try:
        threading.Thread(target=ask, name="pusher-channels-resolver", daemon=True).start()
    except RuntimeError:
        ask()  # the interpreter is exiting, or the system has no more threads
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError("the host name was not resolved in time") from None
    if isinstance(answer, Exception):
        raise answer
    return answer
