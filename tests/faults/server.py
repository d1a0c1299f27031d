"""A server of raw sockets that does what no HTTP server would."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

GOOD = b'{"occupied":true}'
"""A body that is a success of every operation here."""


def response(status: str = "200 OK", body: bytes = GOOD, *headers: str) -> bytes:
    """Make a well-formed response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("utf-8") + body


class Peer:
    """One connection, seen from the server."""

    def __init__(self, server: FaultServer, sock: socket.socket, number: int) -> None:
        self.server = server
        self.sock = sock
        self.number = number
        """1 for the server's first connection."""
        self._buffer = b""

    def request(self) -> bytes | None:
        """Read a request whole, and count it: from here on the server may have taken it. None at the end."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._receive():
                return None
        head = self._buffer.partition(b"\r\n\r\n")[0]
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        end = len(head) + 4 + (int(length[1]) if length else 0)
        while len(self._buffer) < end:
            if not self._receive():
                return None
        request, self._buffer = self._buffer[:end], self._buffer[end:]
        if not request.startswith(b"CONNECT "):
            self.server.saw(request)
        return request

    def _receive(self) -> bool:
        data = self.sock.recv(65536)
        self._buffer += data
        return bool(data)

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.sock.sendall(data)

    def dribble(self, data: bytes, pause: float = 0.05) -> None:
        """Send a byte at a time."""
        for byte in data:
            self.sock.sendall(bytes([byte]))
            time.sleep(pause)

    def hang(self) -> None:
        """Say nothing until the client gives up."""
        while self._receive():
            pass

    def close(self) -> None:
        """Close in good order: end of data, not a reset for what was left unread."""
        self.sock.shutdown(socket.SHUT_WR)
        self.hang()

    def reset(self) -> None:
        """Break the connection: the client gets ECONNRESET."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Be a TLS server from here on."""
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self.server.keep(self.sock)


Behaviour = Callable[[Peer], None]


class FaultServer:
    """Runs a behaviour for each connection, each in a thread of its own, on a free port of the loopback interface."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._lock = Lock()
        self._threads: list[Thread] = []
        self._sockets: list[socket.socket] = []
        self._accepted: object = None
        self.requests: list[bytes] = []
        """The requests that were read whole since `forget`."""
        self.total = 0
        """The number of requests that were ever read whole."""
        self.connections = 0
        self.done = Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    def saw(self, request: bytes) -> None:
        with self._lock:
            self.requests.append(request)
            self.total += 1

    def keep(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.append(sock)

    def forget(self) -> None:
        """Start counting anew."""
        with self._lock:
            self.requests.clear()

    def settle(self) -> None:
        """Wait until the server has read all that was sent to it, and has ended each connection.

        For when the client has closed its connections, or the server does so itself: what a client has sent may still
        wait for a thread of the server to be scheduled.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as last:
            address = last.getsockname()
            ends = time.monotonic() + 20
            while self._accepted != address and time.monotonic() < ends:  # which comes after all those before
                time.sleep(0.001)
        for thread in list(self._threads):
            thread.join(20)

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return
            sock.settimeout(20)
            self.keep(sock)
            self.connections += 1
            thread = Thread(target=self._serve, args=(Peer(self, sock, self.connections),), daemon=True)
            self._threads.append(thread)
            thread.start()
            self._accepted = address

    def _serve(self, peer: Peer) -> None:
        with suppress(OSError, ValueError):  # the client, or the end of the test, closed the connection
            if self._tls is not None:
                peer.start_tls(self._tls)
            self._behaviour(peer)
        with suppress(OSError):
            peer.sock.close()

    def __enter__(self) -> Self:
        self._acceptor = Thread(target=self._accept, daemon=True)
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.done.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it, which close does not
        self._acceptor.join(5)
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        # Not before: a thread that is about to wait for a socket would wait for the one that gets its number next.
        for sock in (self._listener, *self._sockets):
            sock.close()
