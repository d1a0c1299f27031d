"""A server in a process of its own that gives every request an answer of its own, and records what it got.

In a process of its own: so a test that counts its descriptors and threads, or forks, has only the client's. What a
request asks for in the header ``X-Do`` the server does before it answers: see `Orders`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import zlib
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from attrs import asdict, define, field, frozen

from tests.faults.certificates import make_certificates

_CHANNEL = re.compile(r"/apps/3/channels/([^/]+)(/users)?$")


def count_of(text: str) -> int:
    """Return the count that the answer has for this channel, or for this data: nobody else's answer has it."""
    return zlib.crc32(text.encode())


@frozen
class Orders:
    """What the header ``X-Do`` asks for.

    Attributes:
        status: The status to answer with.
        pause: Seconds to wait before the head, in its middle, before the body, and in its middle.
        hang: Never to answer.
        half: To answer all but the end.
        hold: To answer when `Server.release` is called.
        after: Seconds for ``Retry-After``.
    """

    status: int = 200
    pause: float = 0.0
    hang: bool = False
    half: bool = False
    hold: bool = False
    after: int | None = None

    def header(self) -> dict[str, str]:
        """Return the header for `with_options`."""
        return {"X-Do": json.dumps(asdict(self))}


@frozen(kw_only=True)
class Record:
    """One request as the server got it."""

    connection: int
    tls: bool
    method: str
    path: str
    data: list[str]


class Server:
    """The server, as a test sees it: start it, ask for its record, stop it."""

    def __init__(self, folder: Path, pause: float = 0.0) -> None:
        self._folder = folder
        make_certificates(folder)
        self.context = ssl.create_default_context(cafile=folder / "ca.pem")
        command = [sys.executable, "-m", "tests.lifecycle.server", str(folder), "--pause", str(pause)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port, self.tls_port = (int(port) for port in self._process.stdout.readline().split())

    @property
    def url(self) -> str:
        return f"http://key:secret@127.0.0.1:{self.port}/apps/3"

    @property
    def tls_url(self) -> str:
        return f"https://key:secret@127.0.0.1:{self.tls_port}/apps/3"

    @property
    def authority(self) -> Path:
        return self._folder / "ca.pem"

    def records(self) -> list[Record]:
        """Return what came since `forget`."""
        return [Record(**record) for record in self._get("/records")]

    def open_connections(self) -> int:
        """Return how many connections of clients are open at this moment."""
        return cast("int", self._get("/connections"))

    def held(self) -> int:
        """Return how many requests wait for `release`."""
        return cast("int", self._get("/held"))

    def release(self) -> None:
        """Answer all that is held."""
        self._get("/release")

    def stop(self) -> None:
        """Let it do nothing at all any more, as a machine that has lost its power."""
        self._process.send_signal(signal.SIGSTOP)

    def forget(self) -> None:
        """Begin a new record."""
        self._get("/forget")

    def _get(self, path: str) -> Any:
        return control(self.port, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def control(port: int, path: str) -> Any:
    """Ask the server about itself, at its port without TLS."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    answer = json.load(connection.getresponse())
    connection.close()
    return answer


# Below is what runs in the process.


@define
class _State:
    pause: float
    context: ssl.SSLContext
    records: list[dict[str, object]] = field(factory=lambda: list[dict[str, object]]())
    open: set[int] = field(factory=lambda: set[int]())
    connections: int = 0
    held: int = 0
    gate: asyncio.Event = field(factory=asyncio.Event)


async def _listen(state: _State, listener: socket.socket, *, tls: bool) -> None:
    loop = asyncio.get_running_loop()
    tasks = set[asyncio.Task[None]]()
    while True:
        sock, _ = await loop.sock_accept(listener)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each part of an answer on its own
        task = loop.create_task(_serve(state, sock, tls=tls))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _serve(state: _State, sock: socket.socket, *, tls: bool) -> None:
    state.connections += 1
    number = state.connections
    state.open.add(number)
    await asyncio.sleep(state.pause)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    try:
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=state.context if tls else None)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            while await _answer(state, number, reader, writer, tls=tls):
                pass
        finally:
            writer.close()
    except (OSError, asyncio.IncompleteReadError):
        pass  # the client went away
    finally:
        state.open.discard(number)


async def _answer(
    state: _State, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, tls: bool
) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    method, target, _ = head.split(" ", 2)
    path = target.partition("?")[0]
    if not path.startswith("/apps/"):
        state.open.discard(number)
        writer.write(_message(200, _control(state, path)))
        return True
    order = re.search(r"(?i)\r\nx-do: *([^\r]*)", head)
    orders = Orders(**json.loads(order[1])) if order else Orders()
    data, answer = _own_answer(path, json.loads(body) if body else {})
    state.records.append({"connection": number, "tls": tls, "method": method, "path": path, "data": data})
    if orders.hang:
        return bool(await reader.read(1))
    if orders.hold:
        state.held += 1
        await state.gate.wait()
        state.held -= 1
    message = _message(orders.status, answer, orders.after)
    if orders.half:
        writer.write(message[:-5])
        return bool(await reader.read(1))
    if orders.pause:
        middle = message.index(b"\r\n\r\n") + 4
        for start, end in ((0, 10), (10, middle), (middle, middle + 5), (middle + 5, len(message))):
            await asyncio.sleep(orders.pause)
            writer.write(message[start:end])
    else:
        writer.write(message)
    await writer.drain()
    return True


def _control(state: _State, path: str) -> object:
    if path == "/records":
        return state.records
    if path == "/forget":
        state.records.clear()
    elif path == "/release":
        state.gate.set()
        state.gate = asyncio.Event()
    return state.held if path == "/held" else len(state.open)


def _own_answer(path: str, body: dict[str, Any]) -> tuple[list[str], object]:
    """Return the data of the events that a request brought, and the answer that only this request gets."""
    channel = _CHANNEL.match(path)
    if channel is not None and channel[2]:
        return [], {"users": [{"id": channel[1]}]}
    if channel is not None:
        return [], {"occupied": True, "subscription_count": count_of(channel[1])}
    if "batch" in body:
        data = [event["data"] for event in body["batch"]]
        return data, {"batch": [{"subscription_count": count_of(text)} for text in data]}
    if "channels" in body:
        counts = {"subscription_count": count_of(body["data"])}
        return [body["data"]], {"channels": dict.fromkeys(body["channels"], counts)}
    return [], {"path": path}


def _message(status: int, answer: object, after: int | None = None) -> bytes:
    body = json.dumps(answer).encode()
    retry = "" if after is None else f"Retry-After: {after}\r\n"
    return f"HTTP/1.1 {status} Status\r\n{retry}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _main(folder: Path, pause: float) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "good.pem")
    state = _State(pause, context)
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(2)]
    for listener in listeners:
        listener.setblocking(False)
    sys.stdout.write(f"{' '.join(str(listener.getsockname()[1]) for listener in listeners)}\n")
    sys.stdout.flush()
    await asyncio.gather(_listen(state, listeners[0], tls=False), _listen(state, listeners[1], tls=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pause", type=float, default=0.0)
    arguments = parser.parse_args()
    asyncio.run(_main(arguments.folder, arguments.pause))
