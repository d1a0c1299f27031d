"""What the emulator bears: many subscribers, many idle connections, and clients that come and vanish.

    python -m benchmarks.emulator_load fanout   # 1,000 subscribers each get 100 events, in order
    python -m benchmarks.emulator_load idle     # 10,000 connections stay up within 1 GiB
    python -m benchmarks.emulator_load churn    # 100,000 clients come, subscribe, publish and vanish
    python -m benchmarks.emulator_load all

The server is a process of its own, on loopback. Each run ends with 1 if what it is to show does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import hmac
import json
import resource
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TEXT = 1
NO_GOODBYE = struct.pack("ii", 1, 0)
SOURCES = [f"127.0.0.{number}" for number in range(2, 10)]
"""A source address has some 28,000 ports: several have enough."""


def raise_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(settings: dict[str, Any]) -> None:
    """The server's process: it answers each line with what it uses now."""
    from pusher_channels.emulator import AppConfig, Emulator, WebhookEndpoint

    raise_limit()
    webhook_url = settings.pop("webhook_url", None)
    webhooks = () if webhook_url is None else (WebhookEndpoint(str(webhook_url)),)
    with Emulator(apps=[AppConfig(webhooks=webhooks, **settings)]) as server:
        print(server.url, flush=True)
        for _ in sys.stdin:
            server.clear()  # the record of what was published is no leak
            gc.collect()
            status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
            tasks = sum(isinstance(thing, asyncio.Task) and not thing.done() for thing in gc.get_objects())
            usage = resource.getrusage(resource.RUSAGE_SELF)
            print(
                json.dumps(
                    {
                        "mib": int(status["VmRSS"].split()[0]) / 1024,
                        "tasks": tasks,
                        "sockets": sum("socket:" in str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir()
                                       if fd.is_symlink()),
                        "cpu_s": usage.ru_utime + usage.ru_stime,
                    }
                ),
                flush=True,
            )  # fmt: skip


class Server:
    """The server's process, seen from here."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        parts = urlsplit(self._read())
        self.key, self.secret = parts.username or "", parts.password or ""
        self.address = (parts.hostname or "", parts.port or 0)

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().strip()
        assert line, "the server ended"
        return line

    def stats(self) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        stats: dict[str, float] = json.loads(self._read())
        return stats

    def sign(self, text: str) -> str:
        return hmac.digest(self.secret.encode(), text.encode(), "sha256").hex()


@contextmanager
def running_server(**settings: object) -> Generator[Server]:
    command = [sys.executable, "-m", "benchmarks.emulator_load", "serve", json.dumps(settings)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Server(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)


class Subscriber(asyncio.Protocol):
    """A WebSocket client that does the least: a client library would be what is measured."""

    def __init__(self, key: str, on_frame: Callable[[Subscriber, dict[str, object]], None]) -> None:
        self._key = key
        self._on_frame = on_frame
        self._buffer = b""
        self._open = False
        self.connected = asyncio.get_running_loop().create_future()
        self.lost = False
        self.socket_id = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            f"GET /app/{self._key}?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data
        if not self._open:
            head, end, buffer = buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            assert head.startswith(b"HTTP/1.1 101 "), head
            self._open = True
        while len(buffer) >= 2:
            size, start = buffer[1], 2
            if size == 126:
                size, start = int.from_bytes(buffer[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(buffer[2:10], "big"), 10
            if len(buffer) < start + size:
                break
            opcode, payload, buffer = buffer[0] & 0xF, buffer[start : start + size], buffer[start + size :]
            if opcode == TEXT:
                self._on_text(payload)
            else:  # a close: nothing else is sent
                self.transport.abort()
                return
        self._buffer = buffer

    def _on_text(self, payload: bytes) -> None:
        frame = json.loads(payload)
        if frame["event"] == "pusher:ping":
            self.send({"event": "pusher:pong", "data": {}})
        elif frame["event"] == "pusher:connection_established":
            self.socket_id = json.loads(frame["data"])["socket_id"]
            self.connected.set_result(None)
        else:
            self._on_frame(self, frame)

    def send(self, message: dict[str, object]) -> None:
        payload = json.dumps(message).encode()
        size = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        self.transport.write(b"\x81" + size + b"\0\0\0\0" + payload)

    def subscribe(self, channel: str, **fields: str) -> None:
        self.send({"event": "pusher:subscribe", "data": {"channel": channel, **fields}})

    def vanish(self) -> None:
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_GOODBYE)
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.connected.done():
            self.connected.set_exception(exc or ConnectionError("closed"))


class Publisher:
    """Triggers events over one connection, without a client library for the same reason."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, server: Server) -> Publisher:
        return cls(server, *await asyncio.open_connection(*server.address))

    async def trigger(self, channel: str, data: str) -> None:
        body = json.dumps({"name": "load", "channel": channel, "data": data}).encode()
        query = (
            f"auth_key={self._server.key}&auth_timestamp={int(time.time())}&auth_version=1.0"
            f"&body_md5={hashlib.md5(body).hexdigest()}"
        )
        signature = self._server.sign(f"POST\n/apps/1/events\n{query}")
        head = (
            f"POST /apps/1/events?{query}&auth_signature={signature} HTTP/1.1\r\nHost: x\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await self._reader.readexactly(int(length.split(b":")[1]))

    def close(self) -> None:
        self._writer.close()


async def connect(server: Server, on_frame: Callable[[Subscriber, dict[str, object]], None], number: int) -> Subscriber:
    loop = asyncio.get_running_loop()
    source = (SOURCES[number % len(SOURCES)], 0)
    _, client = await loop.create_connection(
        lambda: Subscriber(server.key, on_frame), *server.address, local_addr=source
    )
    await client.connected
    return client


async def connect_many(
    server: Server, count: int, on_frame: Callable[[Subscriber, dict[str, object]], None]
) -> list[Subscriber]:
    clients: list[Subscriber] = []
    for start in range(0, count, 100):
        numbers = range(start, min(start + 100, count))
        clients += await asyncio.gather(*(connect(server, on_frame, number) for number in numbers))
    return clients


def report(what: str, **figures: float) -> None:
    print(f"{what:<34}" + "  ".join(f"{name}={value:,.1f}" for name, value in figures.items()), flush=True)


async def fanout(subscribers: int, events: int) -> bool:
    received: dict[Subscriber, list[int]] = {}
    done = asyncio.Event()
    missing = subscribers * events

    def on_frame(client: Subscriber, frame: dict[str, object]) -> None:
        nonlocal missing
        if frame["event"] == "load":
            received[client].append(int(str(frame["data"])))
            missing -= 1
            if not missing:
                done.set()

    with running_server() as server:
        start = time.perf_counter()
        clients = await connect_many(server, subscribers, on_frame)
        for client in clients:
            received[client] = []
            client.subscribe("load")
        publisher = await Publisher.open(server)
        await asyncio.sleep(1)
        report(f"{subscribers:,} subscribers", seconds=time.perf_counter() - start, server_mib=server.stats()["mib"])
        start = time.perf_counter()
        for number in range(events):
            await publisher.trigger("load", str(number))
        async with asyncio.timeout(120):
            await done.wait()
        seconds = time.perf_counter() - start
        stats = server.stats()
        report(f"{events} events to each", seconds=seconds, deliveries_per_s=subscribers * events / seconds,
               server_mib=stats["mib"])  # fmt: skip
        publisher.close()
        for client in clients:
            client.transport.abort()
    in_order = all(numbers == list(range(events)) for numbers in received.values())
    print("each got every event, in order" if in_order else "EVENTS LOST OR OUT OF ORDER")
    return in_order


async def idle(connections: int, hold: int) -> bool:
    # Four pings to each, where in life two minutes are between them.
    with running_server(activity_timeout=hold / 4.5, pong_timeout=hold / 4) as server:
        before = server.stats()
        start = time.perf_counter()
        clients = await connect_many(server, connections, lambda client, frame: None)
        stats = server.stats()
        report(f"{connections:,} connections", seconds=time.perf_counter() - start, server_mib=stats["mib"],
               kib_each=(stats["mib"] - before["mib"]) * 1024 / connections)  # fmt: skip
        cpu = stats["cpu_s"]
        await asyncio.sleep(hold)
        stats = server.stats()
        report(f"after {hold} s", lost=sum(client.lost for client in clients), server_mib=stats["mib"],
               cpu_percent=(stats["cpu_s"] - cpu) / hold * 100)  # fmt: skip
        good = not any(client.lost for client in clients) and stats["mib"] < 1024
        for client in clients:
            client.transport.abort()
        start = time.perf_counter()
        while (stats := server.stats())["tasks"] > before["tasks"] and time.perf_counter() - start < 30:  # noqa: ASYNC110
            await asyncio.sleep(1)
        report("all gone", seconds=time.perf_counter() - start, **stats)
        good = good and stats["tasks"] <= before["tasks"] and stats["sockets"] <= before["sockets"]
    print("they stayed up within 1 GiB" if good else "CONNECTIONS LOST OR NOT FORGOTTEN, OR TOO MUCH MEMORY")
    return good


class WebhookReceiver(asyncio.Protocol):
    """Takes webhooks, and does nothing with them."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(rest) >= int(length.split(b":")[1]):
            WebhookReceiver.taken += rest.count(b'"name"')
            self._buffer = b""
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def webhook_events(clients: int) -> int:
    """Occupied, vacated and a count for each client, or its member twice for the count; a miss for a cache channel."""
    return 3 * clients + (clients + 1) // 4 + clients // 4


async def churn(cycles: int, workers: int) -> bool:
    receiver = await asyncio.get_running_loop().create_server(WebhookReceiver, "127.0.0.1", 0)
    webhook_url = f"http://127.0.0.1:{receiver.sockets[0].getsockname()[1]}/"
    # An hour in minutes: what the server remembers for half an hour, it forgets in seconds here.
    with running_server(webhook_url=webhook_url, cache_ttl=5.0) as server:
        frames: dict[Subscriber, asyncio.Queue[str]] = {}
        numbers = iter(range(0))

        def on_frame(client: Subscriber, frame: dict[str, object]) -> None:
            frames[client].put_nowait(str(frame["event"]))

        async def wait_for(client: Subscriber, event: str) -> None:
            async with asyncio.timeout(30):
                while await frames[client].get() != event:
                    pass

        async def worker() -> None:
            publisher = await Publisher.open(server)
            for number in numbers:
                client = await connect(server, on_frame, number)
                frames[client] = asyncio.Queue()
                channel = ("news-", "private-", "presence-", "cache-")[number % 4] + str(number)
                fields: dict[str, str] = {}
                if channel.startswith("presence-"):
                    fields["channel_data"] = json.dumps({"user_id": str(number)})
                if channel.startswith(("private-", "presence-")):
                    text = ":".join((client.socket_id, channel, *fields.values()))
                    fields["auth"] = f"{server.key}:{server.sign(text)}"
                client.subscribe(channel, **fields)
                await wait_for(client, "pusher_internal:subscription_succeeded")
                await publisher.trigger(channel, str(number))
                await wait_for(client, "load")
                del frames[client]
                client.vanish()
            publisher.close()

        async def run(begin: int, end: int) -> dict[str, float]:
            nonlocal numbers
            numbers = iter(range(begin, end))
            start = time.perf_counter()
            await asyncio.gather(*(worker() for _ in range(workers)))
            seconds = time.perf_counter() - start
            while WebhookReceiver.taken < webhook_events(end) and time.perf_counter() - start < seconds + 120:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
            stats = server.stats()
            report(f"after {end:,} clients", seconds=seconds, **stats)
            return stats

        # The record of what was published is as long as it gets after 20,000 events: growth counts from there.
        warm = min(cycles // 2, 21_000)
        ends = [warm, warm + (cycles - warm) // 3, warm + (cycles - warm) * 2 // 3, cycles]
        first, *_, last = [await run(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]
        print(f"webhook events: {WebhookReceiver.taken:,} of {webhook_events(cycles):,}")
    receiver.close()
    growth = last["mib"] - first["mib"]
    good = growth < 10 and last["tasks"] <= first["tasks"] and last["sockets"] <= first["sockets"]
    good = good and WebhookReceiver.taken == webhook_events(cycles)
    print(f"{growth:+.1f} MiB; " + ("nothing leaks" if good else "SOMETHING LEAKS"))
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fanout", "idle", "churn", "all", "serve"])
    parser.add_argument("settings", nargs="?", default="{}", help=argparse.SUPPRESS)
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--hold", type=int, default=60, help="seconds that the idle connections stay")
    parser.add_argument("--cycles", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=20)
    options = parser.parse_args()
    if options.what == "serve":
        serve(json.loads(options.settings))
        return 0
    raise_limit()
    runs = {
        "fanout": lambda: fanout(options.subscribers, options.events),
        "idle": lambda: idle(options.connections, options.hold),
        "churn": lambda: churn(options.cycles, options.workers),
    }
    chosen = list(runs) if options.what == "all" else [options.what]
    results = [asyncio.run(runs[name]()) for name in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
