"""A server that fails as it is told, and keeps a record of every event that it took.

It runs on a thread of its own, or as a process (``python -m tests.publisher.faults``), so that a soak need not share
its interpreter with it. It checks no signatures: the emulator does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import ssl
import struct
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Self, cast, get_args

if TYPE_CHECKING:
    from types import TracebackType

Fault = Literal[
    "none",
    "500",  # and took nothing
    "500 taken",
    "503 with retry-after",
    "429",
    "400",
    "413",
    "reset before",  # the answer; nothing was taken
    "reset taken",  # before the answer, and all was taken
    "reset in the answer",
    "reset after the answer",
    "hang",
    "hang taken",
    "refused",  # reset, and no new connection for a moment
    "garbage",  # no HTTP, but it took them
    "404 in chunks",
    "401 for the clock",
    "idle",  # answers, and closes the connection in good order
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
# Those of the soak. After the others nobody would go on.
EVERY_WAY: tuple[Fault, ...] = tuple(fault for fault in FAULTS if fault[:3] not in ("non", "400", "413", "404", "401"))
_TAKEN = (
    "none",
    "500 taken",
    "reset taken",
    "reset in the answer",
    "reset after the answer",
    "hang taken",
    "garbage",
    "idle",
)

Event = dict[str, str]
Plan = Callable[[Sequence[Event]], Fault]
CLOSED_FOR = 0.03
SERVER_CLOCK = "2031-01-01T00:00:00Z"
APP = "3"


def seeded(seed: int, rate: float, ways: Sequence[Fault] = EVERY_WAY) -> Plan:
    """Return a plan that lets this share of the requests fail."""
    random_ = random.Random(seed)
    return lambda events: random_.choice(ways) if random_.random() < rate else "none"


def in_turn(*faults: Fault) -> Plan:
    """Return a plan that has one fault for each request, and none afterwards."""
    left = list(faults)
    return lambda events: left.pop(0) if left else "none"


def failing_if(fault: Fault, is_bad: Callable[[Event], bool]) -> Plan:
    """Return a plan that lets each request with such an event fail."""
    return lambda events: fault if any(is_bad(event) for event in events) else "none"


class FaultServer:
    """The server on a thread. ``with FaultServer(plan) as server: Pusher.from_url(server.url)``."""

    def __init__(self, plan: Plan = lambda events: "none", *, context: ssl.SSLContext | None = None) -> None:
        self.plan = plan
        self._context = context
        self.taken: dict[str, list[str]] = defaultdict(list)
        """The data of the events that were taken, by channel, in order."""
        self.requests: list[list[Event]] = []
        self.heads: list[str] = []
        self.keep_requests = True
        self.held = threading.Event()  # set while it answers; clear it to make all requests wait
        self.held.set()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fault-server", daemon=True)
        self._started = threading.Event()
        self._stop: asyncio.Event | None = None
        self._held_port: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self.connections = set[_Connection]()

    @property
    def url(self) -> str:
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://key:secret@127.0.0.1:{self.port}/apps/{APP}"

    @property
    def all_taken(self) -> list[str]:
        return [data for events in self.taken.values() for data in events]

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.held.set()
        if self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def answer(self) -> None:
        """Let the requests go on that `held` stopped."""
        self.held.set()
        for connection in tuple(self.connections):
            self._loop.call_soon_threadsafe(connection.go_on)

    def cut_off(self) -> None:
        """Reset all connections."""
        for connection in tuple(self.connections):
            self._loop.call_soon_threadsafe(connection.reset)

    def refuse(self) -> None:
        """Accept no connection for a moment."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._loop.call_later(CLOSED_FOR, lambda: self._loop.create_task(self._listen()))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self.serve())
        self._loop.close()

    async def serve(self) -> None:
        """Serve until it is stopped."""
        self._stop = asyncio.Event()
        await self._listen()
        self._started.set()
        await self._stop.wait()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.connections):
            connection.reset()
        await asyncio.sleep(0)
        if self._held_port is not None:
            self._held_port.close()

    async def _listen(self) -> None:
        if self._held_port is None and hasattr(socket, "SO_REUSEPORT"):
            # It never listens: while nothing else does, connections are refused, and nobody else gets the port.
            self._held_port = socket.socket()
            self._held_port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._held_port.bind(("127.0.0.1", 0))
            self.port = self._held_port.getsockname()[1]
        listener = socket.create_server(("127.0.0.1", self.port), backlog=512, reuse_port=self._held_port is not None)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self), sock=listener, ssl=self._context
        )


class _Connection(asyncio.Protocol):
    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self._buffer = b""
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_lost = True
        # Its socket is closed after this: who waits for the end of a connection is told when the client can see it.
        asyncio.get_running_loop().call_soon(self._server.connections.discard, self)

    def reset(self) -> None:
        if self._is_lost:
            return
        sock: socket.socket = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self.go_on()

    def go_on(self) -> None:
        """Handle the request, if it is complete."""
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or not self._server.held.is_set():
            return
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        length = int(lengths[0].partition(b":")[2]) if lengths else 0
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        if head.startswith(b"GET /taken"):
            self._respond(200, json.dumps(self._server.taken).encode())
        else:
            if self._server.keep_requests:
                self._server.heads.append(head.decode())
            self._take(json.loads(rest[:length])["batch"])

    def _take(self, events: list[Event]) -> None:
        server = self._server
        if server.keep_requests:
            server.requests.append(events)
        fault = server.plan(events)
        if fault in _TAKEN:
            for event in events:
                server.taken[event["channel"]].append(event["data"])
        self._fail(fault, len(events))

    def _fail(self, fault: Fault, count: int) -> None:
        if fault in ("none", "reset after the answer", "idle"):
            self._respond(200, json.dumps({"batch": [{"subscription_count": count}] * count}).encode())
            if fault == "idle":
                self._transport.close()
            elif fault != "none":
                self.reset()
        elif fault == "401 for the clock":
            text = f"Timestamp expired: Given timestamp (then) not within 600s of server time ({SERVER_CLOCK})"
            self._respond(401, text.encode())
        elif fault == "503 with retry-after":
            self._respond(503, b"come back", "Retry-After: 0\r\n")
        elif fault == "404 in chunks":
            self._transport.write(
                b"HTTP/1.1 404 Nothing here\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnone\r\n0\r\n\r\n"
            )
        elif fault[:3].isdigit():
            self._respond(int(fault[:3]), f"refused with {fault}".encode())
        elif fault == "reset in the answer":
            self._transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"batch": [')
            asyncio.get_running_loop().call_soon(self.reset)
        elif fault == "garbage":
            self._transport.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        elif not fault.startswith("hang"):
            if fault == "refused":
                self._server.refuse()
            self.reset()

    def _respond(self, status: int, body: bytes, headers: str = "") -> None:
        head = f"HTTP/1.1 {status} Status\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)


def main() -> None:
    """Run as a process: print the URL, and serve until killed. ``GET /taken`` returns the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.05)
    arguments = parser.parse_args()
    server = FaultServer(seeded(arguments.seed, arguments.rate))
    server.keep_requests = False
    with server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
