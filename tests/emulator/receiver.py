"""A real HTTP server that receives webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs

from tests.emulator.client import TIMEOUT


@attrs.frozen
class Delivery:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = json.loads(self.body)["events"]
        return events

    def is_signed(self, key: str, secret: str) -> bool:
        """Check the signature with the stdlib alone."""
        expected = hmac.new(secret.encode(), self.body, hashlib.sha256).hexdigest()
        return self.headers["x-pusher-key"] == key and self.headers["x-pusher-signature"] == expected


class Receiver:
    """Answers with the statuses it is given, then with 200."""

    def __init__(self, statuses: Sequence[int]) -> None:
        self.url = ""
        self._statuses = list(statuses)
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    async def next(self) -> Delivery:
        async with asyncio.timeout(TIMEOUT):
            return await self._deliveries.get()

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Return this many events, however they were batched."""
        events: list[dict[str, Any]] = []
        while len(events) < count:
            events += (await self.next()).events
        assert len(events) == count, events
        return events

    def is_empty(self) -> bool:
        return self._deliveries.empty()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request. Its connection is closed after it, so that none is left at the end."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = head.split("\r\n")[1:-2]
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            await self._deliveries.put(Delivery(headers, body))
            status = self._statuses.pop(0) if self._statuses else 200
            writer.write(f"HTTP/1.1 {status} Status\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def open_receiver(*statuses: int) -> AsyncGenerator[Receiver]:
    """Listen on a free port."""
    receiver = Receiver(statuses)
    requests: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.add(asyncio.create_task(receiver.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/webhooks"
    async with server:
        yield receiver
        await stop_listening(server)
        await asyncio.gather(*requests)


async def stop_listening(server: asyncio.Server) -> None:
    """Accept no more. A connection that was accepted just now is with its protocol when this returns."""
    loop = asyncio.get_running_loop()
    for listener in server.sockets:
        loop.remove_reader(listener)
    for _ in range(3):  # a transport is made, it is handed to its protocol, which then knows of it
        await asyncio.sleep(0)
    server.close()
