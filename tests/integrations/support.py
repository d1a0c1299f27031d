"""What the tests of the integrations share: both clients, a server that answers by a script, and finished spans."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from threading import Lock
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pusher_channels import AsyncPusher, Pusher
from tests.emulator.settling import Client
from tests.faults.server import FaultServer, Peer, response

SECRET = "a-marked-secret-which-must-not-show"
OK = response("200 OK", b"{}")
RESET = b"reset"
CLOSE = b"close"
HANG = b"hang"


class Script:
    """Answers the requests of all connections, one line each. The last line goes on for ever."""

    def __init__(self, *lines: bytes) -> None:
        self._lines = list(lines)
        self._lock = Lock()

    def __call__(self, peer: Peer) -> None:
        while peer.request() is not None:
            with self._lock:
                line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
            if line is RESET:
                return peer.reset()
            if line is CLOSE:
                return peer.close()
            if line is HANG:
                return peer.hang()
            peer.send(line)
        return None


def url_of(server: FaultServer) -> str:
    return f"http://key:{SECRET}@127.0.0.1:{server.port}/apps/3"


@asynccontextmanager
async def open_client(kind: str, url: str, **options: Any) -> AsyncGenerator[Client]:
    if kind == "sync":
        with Pusher.from_url(url, **options) as pusher:
            yield pusher
    else:
        async with AsyncPusher.from_url(url, **options) as async_pusher:
            yield async_pusher


def header(request: bytes, name: str) -> str | None:
    """Return a header of a raw request."""
    found = re.search(rb"(?i)\r\n%b: *([^\r]*)\r\n" % name.encode(), request.partition(b"\r\n\r\n")[0] + b"\r\n")
    return found[1].decode() if found else None


def traceparent(span: ReadableSpan) -> str:
    """Return the header that stands for a span."""
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def span_id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def parent_id(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def ours(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    """Return the spans of the SDK's own, in the order in which they ended."""
    return [span for span in exporter.get_finished_spans() if scope(span) == "pusher_channels"]


def scope(span: ReadableSpan) -> str:
    assert span.instrumentation_scope is not None
    return span.instrumentation_scope.name


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def ignoring(call: Any) -> None:
    """Wait for a call, whatever comes of it."""
    with suppress(Exception):
        result = call()
        if hasattr(result, "__await__"):
            await result
