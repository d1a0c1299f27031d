"""No span holds a signature or a secret, whoever else records HTTP requests in the process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pusher_channels import AsyncPusher, Pusher, SignatureAuth
from tests.emulator.settling import settle
from tests.faults.secrets import signatures
from tests.faults.server import FaultServer, Peer
from tests.faults.test_secrets import ECHOES, signature_in
from tests.integrations.support import (
    OK,
    SECRET,
    Script,
    header,
    ignoring,
    open_client,
    ours,
    scope,
    traceparent,
    url_of,
)

Exporter = InMemorySpanExporter
HTTPX = "opentelemetry.instrumentation.httpx"


def shown(spans: tuple[ReadableSpan, ...]) -> str:
    return "\n".join(span.to_json() for span in spans)


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.usefixtures("instrumented")
async def test_no_echo_of_a_server_gets_into_a_span(kind: str, echo: str, exporter: Exporter) -> None:
    def serve(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            peer.send(ECHOES[echo](signature_in(request), request.split()[1].decode()))
            if echo == "cut off head":
                return peer.close()
        return None

    with FaultServer(serve) as server, signatures() as made:
        async with open_client(kind, url_of(server), max_retries=1) as pusher:
            await ignoring(lambda: pusher.trigger("c", "e", "d"))
    assert made
    assert ours(exporter)
    text = shown(exporter.get_finished_spans())
    assert [secret for secret in (SECRET, "auth_signature", *made) if secret in text] == []


@pytest.fixture
def httpx_traced(provider: TracerProvider) -> Iterator[None]:
    """The application traces all that it does with httpx."""
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    yield
    HTTPXClientInstrumentor().uninstrument()


@pytest.fixture(params=["own connections", "given client", "proxy", "proxy of httpx"])
async def options(kind: str, server: FaultServer, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, Any]]:
    """Ways in which the request goes out."""
    if request.param == "own connections":
        yield {}
    elif request.param == "proxy":
        yield {"proxy": f"http://127.0.0.1:{server.port}"}
    elif request.param == "proxy of httpx":
        yield {"proxy": httpx.Proxy(f"http://127.0.0.1:{server.port}")}
    elif kind == "sync":
        with httpx.Client() as client:
            yield {"http_client": client}
    else:
        async with httpx.AsyncClient() as async_client:
            yield {"http_client": async_client}


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(Script(OK)) as running:
        yield running


async def fetch(kind: str, url: str, auth: httpx.Auth | None = None) -> None:
    """Make a request of the application's own."""
    if kind == "sync":
        with httpx.Client() as client:
            client.get(url, auth=auth)  # noqa: ASYNC212
    else:
        async with httpx.AsyncClient() as async_client:
            await async_client.get(url, auth=auth)


@pytest.mark.usefixtures("httpx_traced")
async def test_where_httpx_is_traced_our_requests_are_not(
    kind: str, server: FaultServer, options: dict[str, Any], exporter: Exporter
) -> None:
    async with open_client(kind, url_of(server), **options) as pusher:
        await settle(pusher.trigger("c", "e", "d"))
    assert b"auth_signature=" in server.requests[0]
    assert exporter.get_finished_spans() == ()
    await fetch(kind, f"http://127.0.0.1:{server.port}/mine")
    (span,) = exporter.get_finished_spans()
    assert scope(span) == HTTPX


@pytest.mark.usefixtures("httpx_traced", "instrumented")
async def test_where_both_are_traced_each_request_has_one_span(
    kind: str, server: FaultServer, options: dict[str, Any], exporter: Exporter, provider: TracerProvider
) -> None:
    with provider.get_tracer("app").start_as_current_span("work"):
        async with open_client(kind, url_of(server), **options) as pusher:
            await settle(pusher.trigger("c", "e", "d"))
        await fetch(kind, f"http://127.0.0.1:{server.port}/mine")
    spans = exporter.get_finished_spans()
    assert [scope(span) for span in spans] == ["pusher_channels", HTTPX, "app"]
    assert "auth_signature" not in shown(spans)
    assert [header(request, "traceparent") for request in server.requests] == [traceparent(span) for span in spans[:2]]


@pytest.mark.usefixtures("httpx_traced")
async def test_a_client_that_only_signs_with_our_auth_is_not_recorded(
    kind: str, server: FaultServer, exporter: Exporter
) -> None:
    await fetch(kind, f"http://127.0.0.1:{server.port}/apps/3/channels", SignatureAuth("key", SECRET))
    assert b"auth_signature=" in server.requests[0]
    assert exporter.get_finished_spans() == ()


@pytest.mark.usefixtures("httpx_traced", "instrumented")
async def test_a_failed_or_cancelled_call_leaves_the_tracing_of_httpx_on(
    kind: str, server: FaultServer, exporter: Exporter, provider: TracerProvider
) -> None:
    def hang(peer: Peer) -> None:
        peer.request()
        peer.hang()

    with FaultServer(hang) as silent:
        before = trace.get_current_span()
        async with open_client(kind, url_of(silent), timeout=0.2) as pusher:
            if isinstance(pusher, AsyncPusher):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await pusher.trigger("c", "e", "d")
            await ignoring(lambda: pusher.trigger("c", "e", "d"))
        assert trace.get_current_span() is before
    exporter.clear()
    await fetch(kind, f"http://127.0.0.1:{server.port}/mine")
    (span,) = exporter.get_finished_spans()
    assert scope(span) == HTTPX


def test_their_module_may_lack_what_we_look_for(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old or half-loaded module of theirs must not break a request."""
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.utils", object())
    with httpx.Client() as client, Pusher.from_url(url_of(server), http_client=client) as pusher:
        pusher.trigger("c", "e", "d")
    assert len(server.requests) == 1
