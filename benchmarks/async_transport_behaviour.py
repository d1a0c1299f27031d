# ruff: noqa: SIM117 - a server around a client reads better nested
"""How each async transport behaves where it matters to a signing client. Prints one table; asserts nothing.

python -m benchmarks.async_transport_behaviour
"""

import asyncio
import contextlib
import gzip
import importlib.util
import re
import socket
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from benchmarks.sink import free_port, make_certificates

Make = Callable[..., httpx.AsyncBaseTransport]
ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)
MANY = httpx.Limits(max_connections=100, max_keepalive_connections=20)


Answer = Callable[[int, bytes], bytes | str | None]


class Server:
    """A raw HTTP/1.1 server: keeps every request head it saw, answers with what `answer(count, head)` returns.

    Bytes are sent as they are, None closes the connection without a word, "hang" leaves the client waiting.
    """

    def __init__(self, answer: Answer, context: ssl.SSLContext | None = None) -> None:
        self.answer, self.context, self.heads = answer, context, list[bytes]()
        self.writers = set[asyncio.StreamWriter]()
        self.port = 0

    async def __aenter__(self) -> "Server":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length[1]) if length else 0)
                self.heads.append(head)
                answer = self.answer(len(self.heads), head)
                if isinstance(answer, bytes):
                    writer.write(answer)
                elif answer is None:
                    break
                else:
                    await asyncio.sleep(5)
        self.writers.discard(writer)
        writer.close()


def ok(body: bytes = b"{}", *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def connect_proxy(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: list[str], refuse: bool
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    log.append(head)
    if refuse:
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        return
    host, port = head.split()[1].split(":")
    up_reader, up_writer = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                target.write(data)
        target.close()

    await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))


async def outcome(call: Awaitable[httpx.Response]) -> str:
    try:
        return str((await asyncio.wait_for(call, 4)).status_code)
    except TimeoutError:
        return "NOTHING in 4 s"
    except Exception as error:
        name = type(error).__name__
        return name if isinstance(error, httpx.HTTPError) else f"{type(error).__module__.split('.')[0]}.{name}"


# --- probes: each takes the factory of one candidate and the folder with the certificates ---


async def raw_target(make: Make, folder: Path) -> str:
    path, query = "/apps/3/users/a%3Ab%2c@=,;/x", "info=a%2Cb&x=%20%2B"
    async with Server(lambda *_: ok()) as server, httpx.AsyncClient(transport=make(MANY)) as client:
        await client.get(f"http://127.0.0.1:{server.port}{path}?{query}")
    sent = server.heads[0].split()[1].decode()
    return "as signed" if sent == f"{path}?{query}" else f"CHANGED: {sent}"


async def headers(make: Make, folder: Path) -> str:
    async with Server(lambda *_: ok()) as server, httpx.AsyncClient(transport=make(MANY)) as client:
        request = httpx.Request("POST", f"http://127.0.0.1:{server.port}/", content=b"{}", headers={"X-A": "1"})
        await client.send(request)
    names = sorted(line.split(":")[0].lower() for line in server.heads[0].decode().split("\r\n")[1:] if line)
    extra = [name for name in names if name not in ("host", "content-length", "x-a")]
    return "nothing added" if not extra else "adds " + ", ".join(extra)


async def lost_answer(make: Make, method: str) -> str:
    answers: Callable[[int, bytes], bytes | None] = lambda count, _: ok() if count == 1 else None  # noqa: E731
    async with Server(answers) as server, httpx.AsyncClient(transport=make(MANY)) as client:
        url = f"http://127.0.0.1:{server.port}/"
        await client.post(url, content=b"first")
        result = await outcome(client.request(method, url, content=b"second" if method == "POST" else None))
    return f"{result}, sent {len(server.heads) - 1}x"


async def lost_post(make: Make, folder: Path) -> str:
    return await lost_answer(make, "POST")


async def lost_get(make: Make, folder: Path) -> str:
    return await lost_answer(make, "GET")


async def idle_close(make: Make, folder: Path) -> str:
    async with Server(lambda *_: ok()) as server, httpx.AsyncClient(transport=make(MANY)) as client:
        url = f"http://127.0.0.1:{server.port}/"
        await client.post(url, content=b"first")
        for writer in list(server.writers):
            writer.close()
        await asyncio.sleep(0.05)
        return await outcome(client.post(url, content=b"second"))


def idle_close_frozen(make: Make, folder: Path, tls: bool = False) -> str:
    """The server hangs up while the client's loop is not running (between two `run_until_complete`)."""
    context = None
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(folder / "cert.pem", folder / "cert.key")
    server_loop, loop = asyncio.new_event_loop(), asyncio.new_event_loop()
    from threading import Thread

    thread = Thread(target=server_loop.run_forever)
    thread.start()
    run = lambda task: asyncio.run_coroutine_threadsafe(task, server_loop).result(5)  # noqa: E731
    server = Server(lambda *_: ok(), context)
    run(server.__aenter__())
    client = httpx.AsyncClient(transport=make(MANY, context=ssl.create_default_context(cafile=str(folder / "ca.pem"))))
    url = f"http{'s' if tls else ''}://127.0.0.1:{server.port}/"
    try:
        loop.run_until_complete(client.post(url, content=b"first"))

        async def hang_up() -> None:
            for writer in list(server.writers):
                writer.close()
            await asyncio.sleep(0.2)

        run(hang_up())
        return loop.run_until_complete(outcome(client.post(url, content=b"second")))
    finally:
        loop.run_until_complete(client.aclose())
        run(server.__aexit__())
        server_loop.call_soon_threadsafe(server_loop.stop)
        thread.join()


def idle_close_frozen_tls(make: Make, folder: Path) -> str:
    return idle_close_frozen(make, folder, tls=True)


async def refused(make: Make, folder: Path) -> str:
    async with httpx.AsyncClient(transport=make(MANY)) as client:
        return await outcome(client.post(f"http://127.0.0.1:{free_port()}/", content=b"x"))


async def unresolved(make: Make, folder: Path) -> str:
    async with httpx.AsyncClient(transport=make(MANY)) as client:
        return await outcome(client.post("http://no-such-host.invalid/", content=b"x"))


async def connect_timeout(make: Make, folder: Path) -> str:
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the queue is full: the kernel drops further SYNs
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        timeout = httpx.Timeout(3, connect=0.3)
        async with httpx.AsyncClient(transport=make(MANY), timeout=timeout) as client:
            return await outcome(client.post(f"http://127.0.0.1:{full.getsockname()[1]}/", content=b"x"))


async def handshake_timeout(make: Make, folder: Path) -> str:
    timeout = httpx.Timeout(3, connect=0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        async with httpx.AsyncClient(transport=make(MANY), timeout=timeout) as client:
            return await outcome(client.post(f"https://127.0.0.1:{silent.getsockname()[1]}/", content=b"x"))


async def read_timeout(make: Make, folder: Path) -> str:
    async with Server(lambda *_: "hang") as server:
        async with httpx.AsyncClient(transport=make(MANY), timeout=httpx.Timeout(3, read=0.3)) as client:
            return await outcome(client.post(f"http://127.0.0.1:{server.port}/", content=b"x"))


async def pool_timeout(make: Make, folder: Path) -> str:
    async with Server(lambda *_: "hang") as server:
        async with httpx.AsyncClient(transport=make(ONE), timeout=httpx.Timeout(3, pool=0.3)) as client:
            url = f"http://127.0.0.1:{server.port}/"
            first = asyncio.create_task(outcome(client.post(url, content=b"x")))
            await asyncio.sleep(0.1)
            result = await outcome(client.post(url, content=b"x"))
            first.cancel()
            return f"{result}, {len(server.heads)} sent"


async def truncated(make: Make, folder: Path) -> str:
    def answer(count: int, head: bytes) -> bytes:
        asyncio.get_running_loop().call_later(0.05, lambda: [writer.close() for writer in server.writers])
        return b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"

    async with Server(answer) as server, httpx.AsyncClient(transport=make(MANY)) as client:
        return await outcome(client.post(f"http://127.0.0.1:{server.port}/", content=b"x"))


async def garbage(make: Make, folder: Path) -> str:
    async with Server(lambda *_: b"SSH-2.0-dropbear\r\n\r\n") as server:
        async with httpx.AsyncClient(transport=make(MANY)) as client:
            return await outcome(client.post(f"http://127.0.0.1:{server.port}/", content=b"x"))


async def redirect(make: Make, folder: Path) -> str:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with Server(lambda *_: moved) as server, httpx.AsyncClient(transport=make(MANY)) as client:
        result = await outcome(client.post(f"http://127.0.0.1:{server.port}/", content=b"x"))
    return f"{result}, {len(server.heads)} sent"


async def cookies(make: Make, folder: Path) -> str:
    async with Server(lambda *_: ok(b"{}", "Set-Cookie: a=b")) as server:
        async with httpx.AsyncClient(transport=make(MANY)) as client:
            for _ in range(2):
                await client.get(f"http://localhost:{server.port}/")
                client.cookies.clear()  # so that only the transport's own memory is seen
    return "SENT BACK" if b"cookie: a=b" in server.heads[1].lower() else "none kept"


async def gzipped(make: Make, folder: Path) -> str:
    body = ok(gzip.compress(b"hello"), "Content-Encoding: gzip")
    async with Server(lambda *_: body) as server, httpx.AsyncClient(transport=make(MANY)) as client:
        try:
            response = await client.get(f"http://127.0.0.1:{server.port}/")
        except httpx.HTTPError as error:
            return type(error).__name__
    return "decoded once" if response.content == b"hello" else f"WRONG {response.content!r}"


async def proxied(make: Make, folder: Path) -> str:
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(folder / "cert.pem", folder / "cert.key")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    results = []
    for refuse in (False, True):
        log: list[str] = []
        proxy = await asyncio.start_server(lambda r, w: connect_proxy(r, w, log, refuse), "127.0.0.1", 0)  # noqa: B023
        address = httpx.Proxy(f"http://us%40er:pass@127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        async with Server(lambda *_: ok(), server_context) as server:
            async with httpx.AsyncClient(transport=make(MANY, context=context, proxy=address)) as client:
                results.append(await outcome(client.post(f"https://127.0.0.1:{server.port}/", content=b"x")))
        proxy.close()
        if not refuse:
            authorized = log and "basic dXNAZXI6cGFzcw==" in log[0].replace("Basic", "basic")
            results[-1] += " with auth" if authorized else " WITHOUT AUTH"
    return ", refused: ".join(results)


async def authority(make: Make, folder: Path) -> str:
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_context.load_cert_chain(folder / "cert.pem", folder / "cert.key")
    results = []
    for context in (ssl.create_default_context(cafile=str(folder / "ca.pem")), ssl.create_default_context()):
        async with Server(lambda *_: ok(), server_context) as server:
            async with httpx.AsyncClient(transport=make(MANY, context=context)) as client:
                results.append(await outcome(client.post(f"https://127.0.0.1:{server.port}/", content=b"x")))
    return ", other CA: ".join(results)


def two_loops(make: Make, folder: Path) -> str:
    """One client used by two `asyncio.run` one after the other, its connection kept alive between them."""
    client: list[httpx.AsyncClient] = []

    async def once() -> str:
        async with Server(lambda *_: ok()) as server:
            if not client:
                client.append(httpx.AsyncClient(transport=make(MANY)))
            url = f"http://127.0.0.1:{server.port}/"
            return await outcome(client[0].post(url, content=b"x"))

    return ", then ".join([asyncio.run(once()), asyncio.run(once())])


async def closing(make: Make, folder: Path) -> str:
    async with Server(lambda *_: ok()) as server:
        async with httpx.AsyncClient(transport=make(MANY)) as client:
            calls = (client.post(f"http://127.0.0.1:{server.port}/", content=b"x") for _ in range(5))
            await asyncio.gather(*calls)
            before = len(server.writers)
        await asyncio.sleep(0.1)
        return f"{before} open, {len(server.writers)} after aclose"


PROBES: dict[str, Callable[[Make, Path], Any]] = {
    "path and query on the wire": raw_target,
    "headers beyond the request's": headers,
    "answer lost, POST, kept-alive": lost_post,
    "answer lost, GET, kept-alive": lost_get,
    "hung up while idle, POST": idle_close,
    "same, loop not running": idle_close_frozen,
    "same, loop not running, TLS": idle_close_frozen_tls,
    "connection refused": refused,
    "host not found": unresolved,
    "connect timeout (TCP)": connect_timeout,
    "connect timeout (TLS handshake)": handshake_timeout,
    "read timeout": read_timeout,
    "pool timeout": pool_timeout,
    "body cut off": truncated,
    "not HTTP": garbage,
    "redirect": redirect,
    "cookies": cookies,
    "gzip": gzipped,
    "CONNECT proxy": proxied,
    "custom CA by SSLContext": authority,
    "two event loops": two_loops,
    "aclose": closing,
}


def httpx_default(limits: httpx.Limits, context: ssl.SSLContext | None = None, proxy: httpx.Proxy | None = None) -> Any:
    return httpx.AsyncHTTPTransport(verify=context or True, limits=limits, proxy=proxy)


def httpx_aiohttp(limits: httpx.Limits, context: ssl.SSLContext | None = None, proxy: httpx.Proxy | None = None) -> Any:
    from httpx_aiohttp import AiohttpTransport

    return AiohttpTransport(verify=context or True, limits=limits, proxy=proxy)


def ours(limits: httpx.Limits, context: ssl.SSLContext | None = None, proxy: httpx.Proxy | None = None) -> Any:
    from pusher_channels._async_client import AiohttpTransport

    return AiohttpTransport(context or ssl.create_default_context(), limits, proxy)


def pyreqwest(limits: httpx.Limits, context: ssl.SSLContext | None = None, proxy: httpx.Proxy | None = None) -> Any:
    """No SSLContext can be handed over: its certificates are copied, which is not the same thing."""
    from pyreqwest.client import ClientBuilder
    from pyreqwest.compatibility.httpx import HttpxTransport
    from pyreqwest.proxy import ProxyBuilder

    builder = ClientBuilder().max_connections(limits.max_connections).follow_redirects(False)
    builder = builder.gzip(False).brotli(False).zstd(False).deflate(False)
    for certificate_der in context.get_ca_certs(binary_form=True) if context else ():
        with contextlib.suppress(Exception):
            builder = builder.add_root_certificate_der(certificate_der)
    if proxy:
        settings = ProxyBuilder.all(str(proxy.url))
        builder = builder.proxy(settings.basic_auth(*proxy.auth) if proxy.auth else settings)
    else:
        builder = builder.no_proxy()
    return HttpxTransport(builder.build())


CANDIDATES: dict[str, tuple[str, Make]] = {
    "httpx (default)": ("httpx", httpx_default),
    "httpx-aiohttp": ("httpx_aiohttp", httpx_aiohttp),
    "over aiohttp, ours": ("aiohttp", ours),
    "pyreqwest": ("pyreqwest", pyreqwest),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        make_certificates(folder)
        for name, probe in PROBES.items():
            print(f"\n{name}")
            for candidate, (module, make) in CANDIDATES.items():
                if importlib.util.find_spec(module) is None:
                    continue
                try:
                    if asyncio.iscoroutinefunction(probe):
                        result = asyncio.run(probe(make, folder))
                    else:
                        result = probe(make, folder)
                except Exception as error:
                    result = f"FAILED {type(error).__module__}.{type(error).__name__}: {error}"
                print(f"    {candidate:20} {result}")


if __name__ == "__main__":
    main()
