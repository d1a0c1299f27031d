"""Which async HTTP transport costs least for one small signed POST, 50 at once, over TLS?

    python -m benchmarks.async_transport --rounds 5 --requests 2000

Every candidate sends the same httpx request to the same loopback server. Rounds are interleaved (A B C, A B C, ...),
each run in a process of its own, so that a slow moment of the machine hits all alike and the CPU time is the
candidate's alone, threads included. A candidate whose package is missing is left out and named.
"""

import argparse
import asyncio
import importlib.metadata
import json
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.sink import serving

BODY = json.dumps(
    {"name": "price", "channels": ["private-orders"], "data": json.dumps({"id": 4711, "note": "x" * 200})}
).encode()
TARGET = (
    "/apps/3/events?auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&auth_signature=" + "0" * 64
)
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=60)
Post = Callable[[str, bytes], Awaitable[int]]


# --- candidates: each yields a coroutine function that posts once and returns the status ---


class Lanes(httpx.AsyncBaseTransport):
    """httpx's own transport without its shared pool: a stack of transports that hold one connection each."""

    def __init__(self, context: ssl.SSLContext, size: int) -> None:
        self._context = context
        self._slots = asyncio.Semaphore(size)
        self._idle: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with self._slots:
            one = httpx.Limits(max_connections=1, keepalive_expiry=60)
            lane = self._idle.pop() if self._idle else httpx.AsyncHTTPTransport(verify=self._context, limits=one)
            try:
                response = await lane.handle_async_request(request)
                await response.aread()
                return response
            finally:
                self._idle.append(lane)

    async def aclose(self) -> None:
        for lane in self._idle:
            await lane.aclose()


def through_httpx(make: Callable[[ssl.SSLContext, Path], httpx.AsyncBaseTransport]) -> Callable[..., Any]:
    @asynccontextmanager
    async def open_candidate(context: ssl.SSLContext, ca: Path) -> Any:
        async with httpx.AsyncClient(transport=make(context, ca), timeout=5) as client:

            async def post(url: str, body: bytes) -> int:
                request = client.build_request("POST", url, content=body, headers={"Content-Type": "application/json"})
                response = await client.send(request)
                return response.status_code

            yield post

    return open_candidate


def httpx_default(context: ssl.SSLContext, ca: Path) -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(verify=context)


def httpx_tuned(context: ssl.SSLContext, ca: Path) -> httpx.AsyncBaseTransport:
    """Without httpcore's search for a missing `sniffio` at each lock, and with room to keep every connection."""
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # None makes the import fail at once
    return httpx.AsyncHTTPTransport(verify=context, limits=LIMITS)


def httpx_lanes(context: ssl.SSLContext, ca: Path) -> httpx.AsyncBaseTransport:
    sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]  # as above
    return Lanes(context, 100)


def httpx_aiohttp(context: ssl.SSLContext, ca: Path) -> httpx.AsyncBaseTransport:
    from httpx_aiohttp import AiohttpTransport

    return AiohttpTransport(verify=context, limits=LIMITS)


def ours(context: ssl.SSLContext, ca: Path) -> httpx.AsyncBaseTransport:
    from pusher_channels._async_client import AiohttpTransport

    return AiohttpTransport(context, LIMITS)


def pyreqwest(context: ssl.SSLContext, ca: Path) -> httpx.AsyncBaseTransport:
    from pyreqwest.client import ClientBuilder
    from pyreqwest.compatibility.httpx import HttpxTransport

    client = ClientBuilder().add_root_certificate_pem(ca.read_bytes()).follow_redirects(False).no_proxy().build()
    return HttpxTransport(client)


def pyqwest(context: ssl.SSLContext, ca: Path) -> httpx.AsyncBaseTransport:
    from pyqwest import HTTPTransport, HTTPVersion
    from pyqwest.httpx import AsyncPyqwestTransport

    transport = HTTPTransport(tls_ca_cert=ca.read_bytes(), http_version=HTTPVersion.HTTP1)
    return AsyncPyqwestTransport(transport)


@asynccontextmanager
async def bare_aiohttp(context: ssl.SSLContext, ca: Path) -> Any:
    import aiohttp

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:

        async def post(url: str, body: bytes) -> int:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
                await response.read()
                return response.status

        yield post


@asynccontextmanager
async def sdk(context: ssl.SSLContext, ca: Path) -> Any:
    """The whole of AsyncPusher.trigger: checks, signature, transport, result."""
    from pusher_channels import AsyncPusher

    clients: list[AsyncPusher] = []

    async def post(url: str, body: bytes) -> int:
        if not clients:
            host, port = "127.0.0.1", httpx.URL(url).port
            clients.append(AsyncPusher("3", "key", "secret", host=host, port=port, verify=context))
        await clients[0].trigger("private-orders", "price", {"id": 4711, "note": "x" * 200})
        return 200

    yield post
    await clients[0].aclose()


@asynccontextmanager
async def peer(context: ssl.SSLContext, ca: Path) -> Any:
    """The official PyPI client over aiohttp: it signs, and opens one connection a request."""
    import pusher as official
    from pusher.aiohttp import AsyncIOBackend

    async def post(url: str, body: bytes) -> int:
        port = httpx.URL(url).port
        client = official.Pusher("3", "key", "secret", host="127.0.0.1", port=port, ssl=True, backend=AsyncIOBackend)
        await client.trigger("private-orders", "price", {"id": 4711, "note": "x" * 200})
        return 200

    yield post


CANDIDATES: dict[str, tuple[str, Callable[..., Any]]] = {
    "httpx (default)": ("httpx", through_httpx(httpx_default)),
    "httpx, tuned": ("httpx", through_httpx(httpx_tuned)),
    "httpx, one connection a lane": ("httpx", through_httpx(httpx_lanes)),
    "httpx-aiohttp": ("httpx-aiohttp", through_httpx(httpx_aiohttp)),
    "httpx over aiohttp, ours": ("aiohttp", through_httpx(ours)),
    "pyreqwest": ("pyreqwest", through_httpx(pyreqwest)),
    "pyqwest": ("pyqwest", through_httpx(pyqwest)),
    "aiohttp, bare": ("aiohttp", bare_aiohttp),
    "AsyncPusher.trigger": ("attrs", sdk),
    "official pusher, aiohttp": ("pusher", peer),
}


async def work(name: str, url: str, ca: Path, total: int, at_once: int) -> dict[str, float]:
    """One run: warm every connection, then time `total` requests, `at_once` at a time."""
    context = ssl.create_default_context(cafile=str(ca))
    async with AsyncExitStack() as stack:
        post: Post = await stack.enter_async_context(CANDIDATES[name][1](context, ca))

        async def many(count: int) -> None:
            for _ in range(count):
                if await post(url, BODY) != 200:
                    raise SystemExit(f"{name}: the server refused a request")

        await asyncio.gather(*(many(4) for _ in range(at_once)))
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(many(total // at_once) for _ in range(at_once)))
        return {
            "wall": (time.perf_counter() - wall) / total * 1e6,
            "cpu": (time.process_time() - cpu) / total * 1e6,
        }


# --- import time and installed size ---

IMPORTS = {
    "httpx": "httpx",
    "httpx-aiohttp": "httpx_aiohttp, aiohttp",
    "pyreqwest": "pyreqwest.compatibility.httpx",
    "pyqwest": "pyqwest.httpx",
    "aiohttp": "aiohttp",
    "pusher": "pusher, pusher.aiohttp",
}


def import_ms(modules: str) -> float:
    """The best of seven: what importing `modules` adds once httpx is there (httpx itself: from nothing)."""
    before = "" if modules == "httpx" else "import httpx, ssl, asyncio;"
    code = f"import time;{before}s=time.perf_counter();import {modules};print((time.perf_counter()-s)*1e3)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(7)]
    return min(float(run.stdout) for run in runs)


def closure(name: str, seen: set[str]) -> set[str]:
    """The distribution and everything it needs here, by name."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    try:
        needs = importlib.metadata.requires(key) or []
    except importlib.metadata.PackageNotFoundError:
        return seen
    if key not in seen:
        seen.add(key)
        for need in needs:
            if "extra ==" not in need:
                closure(re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0], seen)
    return seen


def added_kib(name: str) -> tuple[int, list[str]]:
    """Installed size in KiB of what `name` brings beyond httpx (httpx itself: all of it), bytecode left out."""
    names = closure(name, set()) - (set() if name == "httpx" else closure("httpx", set()))
    size = 0
    for dist in names:
        for file in importlib.metadata.files(dist) or []:
            path = Path(str(file.locate()))
            if path.suffix != ".pyc" and path.exists():
                size += path.stat().st_size
    return size // 1024, sorted(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000, help="requests in a run (default 2000)")
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--only", action="append", help="candidate to run (may be repeated)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ca", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()

    if args.worker:
        url = f"https://127.0.0.1:{args.port}{TARGET}"
        print(json.dumps(asyncio.run(work(args.worker, url, args.ca, args.requests, args.at_once))))
        return

    names = []
    for name, (package, _) in CANDIDATES.items():
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            print(f"left out: {name}: {package} is not installed")
            continue
        if not args.only or name in args.only:
            names.append(name)

    results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as text, serving(Path(text)) as sink:
        print(f"server: {sink.server}; Python {sys.version.split()[0]}; {os.cpu_count()} CPUs; {args.rounds} rounds of "
              f"{args.requests} requests, {args.at_once} at once")  # fmt: skip
        for _ in range(args.rounds):
            for name in names:
                command = [sys.executable, "-m", "benchmarks.async_transport", "--worker", name, "--ca", sink.ca]
                command += ["--port", str(sink.https_port)]
                command += ["--requests", str(args.requests), "--at-once", str(args.at_once)]
                env = {**os.environ, "SSL_CERT_FILE": sink.ca}  # the official client takes no other authority
                run = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
                if run.returncode:
                    raise SystemExit(f"{name}: {run.stderr.strip().splitlines()[-1]}")
                results[name].append(json.loads(run.stdout))

    print(f"\n{'candidate':30} {'CPU us/request':>22} {'wall us/request':>22}   version")
    print(f"{'':30} {'median (min..max)':>22} {'median (min..max)':>22}")
    for name in names:
        row = f"{name:30}"
        for kind in ("cpu", "wall"):
            values = [result[kind] for result in results[name]]
            spread = f"({min(values):.0f}..{max(values):.0f})"
            row += f" {statistics.median(values):>9.0f} {spread:>12}"
        print(row + f"   {importlib.metadata.version(CANDIDATES[name][0])}")

    print(f"\n{'package':16} {'import ms':>10} {'size KiB':>10}   distributions (beyond httpx's own)")
    for package in dict.fromkeys(CANDIDATES[name][0] for name in names if CANDIDATES[name][0] in IMPORTS):
        size, parts = added_kib(package)
        print(f"{package:16} {import_ms(IMPORTS[package]):>10.0f} {size:>10}   {', '.join(parts)}")


if __name__ == "__main__":
    main()
