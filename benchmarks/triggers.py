"""Rows 1 and 2: one event a request, over TLS, with connections that are kept alive if the library keeps them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx

from benchmarks.contestant import Run, at_once, official, one_by_one
from benchmarks.samples import APP_ID, CHANNEL, DATA, EVENT, KEY, SECRET
from benchmarks.sink import Sink
from pusher_channels import AsyncPusher, Pusher
from pusher_channels._http.answers import RawResponse
from pusher_channels._http.async_connections import AsyncConnections
from pusher_channels._http.environment import ssl_contexts
from pusher_channels._http.messages import Origin, Outgoing, TimeLimit
from pusher_channels._secret import Secret
from pusher_channels._signer import RequestSigner, SignedQuery


@contextmanager
def sync_ours(sink: Sink) -> Generator[Run]:
    """`Pusher.trigger`."""
    with Pusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=sink.https_port) as pusher:
        yield one_by_one(lambda: pusher.trigger(CHANNEL, EVENT, DATA))


@contextmanager
def sync_official(sink: Sink) -> Generator[Run]:
    """The same of the PyPI library: it keeps one connection, by a `requests.Session`."""
    pusher = official(sink)
    yield one_by_one(lambda: pusher.trigger(CHANNEL, EVENT, DATA))


@contextmanager
def sync_bare(sink: Sink) -> Generator[Run]:
    """`httpx.Client.post` of the request that `Pusher.trigger` sends, made beforehand: nothing but the sending."""
    url, body, headers = signed_request(sink)
    with httpx.Client() as client:
        _send_nothing_else(client.headers, headers)
        yield one_by_one(lambda: client.post(url, content=body, headers=headers).raise_for_status())


@contextmanager
def async_ours(sink: Sink) -> Generator[Run]:
    """`AsyncPusher.trigger`."""
    with asyncio.Runner() as runner:
        pusher = AsyncPusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=sink.https_port)
        yield at_once(runner, lambda: pusher.trigger(CHANNEL, EVENT, DATA))
        runner.run(pusher.aclose())


@contextmanager
def async_official(sink: Sink) -> Generator[Run]:
    """The same of the PyPI library on aiohttp: it opens a connection for each call."""
    backend: Any = import_module("pusher.aiohttp")
    with asyncio.Runner() as runner:
        pusher = official(sink, backend=backend.AsyncIOBackend)
        yield at_once(runner, lambda: pusher.trigger(CHANNEL, EVENT, DATA))


@contextmanager
def async_bare(sink: Sink) -> Generator[Run]:
    """The SDK's own connections, which are handed the request as it was signed beforehand."""
    url, body, headers = signed_request(sink)
    target = urlsplit(url)
    request = Outgoing(
        method="POST",
        origin=Origin.parse(f"{target.scheme}://{target.netloc}"),
        path=target.path,
        query=(),
        headers=headers,
        body=body,
    )
    signer = _Signed(KEY, Secret(SECRET), time.time, SignedQuery(target.query, url[-64:]))
    with asyncio.Runner() as runner:
        connections = AsyncConnections(ssl_contexts(True), lambda origin: None)

        async def post() -> None:
            answer = await connections.send(request, signer, TimeLimit(5.0))
            assert isinstance(answer, RawResponse)

        yield at_once(runner, post)
        runner.run(connections.aclose())


@attrs.frozen
class _Signed(RequestSigner):
    """Signs nothing: it has the signature."""

    signed: SignedQuery

    def sign(self, method: str, path: str, query: Iterable[tuple[str, str]], body: bytes | None) -> SignedQuery:
        return self.signed


@contextmanager
def async_bare_aiohttp(sink: Sink) -> Generator[Run]:
    """The request made beforehand, by aiohttp alone, without httpx: what the transport itself stands on."""
    import aiohttp
    from yarl import URL

    text, body, headers = signed_request(sink)
    url = URL(text, encoded=True)

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(skip_auto_headers=["Accept-Encoding"])

    with asyncio.Runner() as runner:
        session = runner.run(make())

        async def post() -> None:
            async with session.post(url, data=body, headers=headers, raise_for_status=True) as response:
                await response.read()

        yield at_once(runner, post)
        runner.run(session.close())


def signed_request(sink: Sink) -> tuple[str, bytes, dict[str, str]]:
    """Return URL, body and headers of the request that `Pusher.trigger` sends, without those that every client adds."""
    seen: list[tuple[str, bytes, dict[str, str]]] = []

    def take(request: httpx.Request) -> httpx.Response:
        headers = {name.decode(): value.decode() for name, value in request.headers.raw}
        seen.append((str(request.url), request.read(), headers))
        return httpx.Response(200, content=b"{}")

    client = httpx.Client(transport=httpx.MockTransport(take))
    with client, Pusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=sink.https_port, http_client=client) as pusher:
        pusher.trigger(CHANNEL, EVENT, DATA)
    url, body, headers = seen[0]
    return url, body, {name: value for name, value in headers.items() if name not in ("Host", "Content-Length")}


def _send_nothing_else(defaults: httpx.Headers, headers: dict[str, str]) -> None:
    """Take out the headers that httpx would add, so that both send the same."""
    for name in list(defaults):
        if name not in (given.lower() for given in headers):
            del defaults[name]
