"""Spans, durations and propagation: the same for both clients."""

from __future__ import annotations

import asyncio
import contextvars
import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import httpx
import pytest
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import suppress_http_instrumentation, suppress_instrumentation
from opentelemetry.propagators.textmap import Setter, TextMapPropagator, default_setter
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from pusher_channels import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncPusher,
    Attempt,
    Pusher,
    PusherError,
)
from pusher_channels.emulator import Emulator
from pusher_channels.integrations.opentelemetry import PusherInstrumentor
from tests.emulator.settling import settle
from tests.faults.network import closed_port
from tests.faults.server import FaultServer, Peer, response
from tests.integrations.support import (
    CLOSE,
    HANG,
    OK,
    RESET,
    Script,
    attributes,
    header,
    open_client,
    ours,
    parent_id,
    scope,
    span_id,
    traceparent,
    url_of,
)
from tests.unit.test_retries import expired

Exporter = InMemorySpanExporter
instrumented = pytest.mark.usefixtures("instrumented")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr(random, "uniform", lambda low, high: low)  # pyright: ignore


@instrumented
async def test_a_request_is_a_client_span_of_the_current_one(
    kind: str, provider: TracerProvider, exporter: Exporter
) -> None:
    with FaultServer(Script(OK)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            with provider.get_tracer("app").start_as_current_span("work") as work:
                await settle(pusher.trigger("orders", "created", {"id": 17}))
                assert trace.get_current_span() is work
        (request,) = server.requests
    (span,) = ours(exporter)
    assert span.name == "POST /apps/{app_id}/events"
    assert span.kind is SpanKind.CLIENT
    assert attributes(span) == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "url.full": f"http://127.0.0.1:{server.port}/apps/3/events",
        "url.template": "/apps/{app_id}/events",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert not span.events
    assert parent_id(span) == work.get_span_context().span_id
    assert header(request, "traceparent") == traceparent(span)


@instrumented
async def test_the_url_is_the_one_without_the_signature(kind: str, exporter: Exporter) -> None:
    with FaultServer(Script(response("200 OK", b'{"channels":{}}'))) as server:
        async with open_client(kind, url_of(server)) as pusher:
            await settle(pusher.channels.list(filter_by_prefix="presence-", info=["user_count"]))
            await settle(pusher.request("GET", "/channels/a%20b", query={"x": "1"}))
        assert all(b"auth_signature=" in request for request in server.requests)
    listed, raw = ours(exporter)
    origin = f"http://127.0.0.1:{server.port}"
    assert attributes(listed)["url.full"] == f"{origin}/apps/3/channels?filter_by_prefix=presence-&info=user_count"
    assert listed.name == "GET /apps/{app_id}/channels"
    assert attributes(raw)["url.full"] == f"{origin}/apps/3/channels/a%20b?x=1"
    assert "url.template" not in attributes(raw)
    assert raw.name == "GET"


@pytest.mark.parametrize(
    ("host", "ssl", "address", "port"),
    [
        (None, True, "api-eu.pusher.com", 443),
        ("api.example", False, "api.example", 80),
        ("API.example:8080", False, "api.example", 8080),
        ("[::1]:8080", False, "::1", 8080),
    ],
)
@instrumented
def test_the_server_is_named(exporter: Exporter, host: str | None, ssl: bool, address: str, port: int) -> None:
    client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json={})))
    with client, Pusher("3", "key", "secret", cluster="eu", host=host, ssl=ssl, http_client=client) as pusher:
        pusher.trigger("c", "e", "d")
    (span,) = ours(exporter)
    assert (attributes(span)["server.address"], attributes(span)["server.port"]) == (address, port)
    assert "network.protocol.version" not in attributes(span)  # this transport does not say


@instrumented
async def test_the_version_of_http_is_what_the_transport_says(exporter: Exporter) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={}, extensions={"http_version": b"HTTP/2"})

    async def aanswer(request: httpx.Request) -> httpx.Response:
        return answer(request)

    client = httpx.Client(transport=httpx.MockTransport(answer))
    async_client = httpx.AsyncClient(transport=httpx.MockTransport(aanswer))
    with client, Pusher("3", "key", "secret", http_client=client) as pusher:
        assert pusher.request("GET", "/channels").http_version == "HTTP/2"
    async with async_client, AsyncPusher("3", "key", "secret", http_client=async_client) as async_pusher:
        assert (await async_pusher.request("GET", "/channels")).http_version == "HTTP/2"
    assert [attributes(span)["network.protocol.version"] for span in ours(exporter)] == ["2", "2"]


@instrumented
async def test_each_attempt_is_a_span_of_its_own(kind: str, provider: TracerProvider, exporter: Exporter) -> None:
    lines = (response("503 No", b"busy"), CLOSE, response("200 OK", b'{"channels":{}}'))
    with FaultServer(Script(*lines)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            with provider.get_tracer("app").start_as_current_span("work") as work:
                await settle(pusher.channels.list())
        requests = server.requests
    first, second, third = ours(exporter)
    seen = [
        (attributes(span).get("http.request.resend_count"), attributes(span).get("error.type"), span.status.status_code)
        for span in (first, second, third)
    ]
    assert seen == [
        (None, "503", StatusCode.ERROR),
        (1, "APIConnectionError", StatusCode.ERROR),
        (2, None, StatusCode.UNSET),
    ]
    assert "http.response.status_code" not in attributes(second)
    assert {parent_id(span) for span in (first, second, third)} == {work.get_span_context().span_id}
    assert [header(request, "traceparent") for request in requests] == [
        traceparent(span) for span in (first, second, third)
    ]


@instrumented
async def test_signing_again_for_the_clock_is_a_resend(kind: str, exporter: Exporter) -> None:
    refusal = response("401 No", expired(3600))
    with FaultServer(Script(refusal, OK)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            await settle(pusher.trigger("c", "e", "d"))
    assert [
        (attributes(span)["http.response.status_code"], attributes(span).get("http.request.resend_count"))
        for span in ours(exporter)
    ] == [(401, None), (200, 1)]


@pytest.mark.parametrize("status", [302, 400, 404, 500])
@instrumented
async def test_a_refusal_is_an_error(kind: str, exporter: Exporter, status: int) -> None:
    with FaultServer(Script(response(f"{status} No", b"why"))) as server:
        async with open_client(kind, url_of(server)) as pusher:
            with pytest.raises(APIStatusError):
                await settle(pusher.trigger("c", "e", "d"))
    (span,) = ours(exporter)
    assert attributes(span)["http.response.status_code"] == status
    assert attributes(span)["error.type"] == str(status)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description is None  # the status code says it


@instrumented
async def test_no_connection_is_an_error_that_says_why(kind: str, exporter: Exporter) -> None:
    with closed_port() as port:
        async with open_client(kind, f"http://k:s@127.0.0.1:{port}/apps/3", max_retries=0) as pusher:
            with pytest.raises(APIConnectionError) as caught:
                await settle(pusher.channels.list(filter_by_prefix="presence-"))
    (span,) = ours(exporter)
    assert attributes(span)["error.type"] == "APIConnectionError"
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == str(caught.value)
    assert str(span.status.description).startswith(f"GET http://127.0.0.1:{port}/apps/3/channels: ")


@instrumented
async def test_a_timeout_is_an_error(kind: str, exporter: Exporter) -> None:
    with FaultServer(Script(HANG)) as server:
        async with open_client(kind, url_of(server), timeout=0.1, max_retries=0) as pusher:
            with pytest.raises(APITimeoutError):
                await settle(pusher.trigger("c", "e", "d"))
    (span,) = ours(exporter)
    assert attributes(span)["error.type"] == "APITimeoutError"


@instrumented
async def test_a_cancelled_await_ends_its_span(provider: TracerProvider, exporter: Exporter) -> None:
    loop = asyncio.get_running_loop()

    def cut_off(peer: Peer) -> None:
        while peer.request() is not None:
            if len(server.requests) == 1:
                loop.call_soon_threadsafe(limit.reschedule, 0)
                return peer.hang()
            peer.send(OK)
        return None

    with FaultServer(cut_off) as server:
        async with open_client("async", url_of(server)) as pusher:
            with provider.get_tracer("app").start_as_current_span("work") as work:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(None) as limit:
                        await settle(pusher.trigger("c", "e", "d"))
                (span,) = ours(exporter)  # now, not when somebody collects the error
                assert trace.get_current_span() is work
                await settle(pusher.trigger("c", "e", "d"))
    assert attributes(span)["error.type"] == "CancelledError"
    assert span.status.status_code is StatusCode.ERROR
    _, later = ours(exporter)
    assert later.status.status_code is StatusCode.UNSET
    assert parent_id(later) == work.get_span_context().span_id


@instrumented
def test_an_interrupted_call_ends_its_span(provider: TracerProvider, exporter: Exporter) -> None:
    main = threading.main_thread().ident
    assert main is not None

    def interrupt(peer: Peer) -> None:
        while peer.request() is not None:
            if len(server.requests) == 1:
                signal.pthread_kill(main, signal.SIGINT)
                return peer.hang()
            peer.send(OK)
        return None

    with (
        FaultServer(interrupt) as server,
        Pusher.from_url(url_of(server)) as pusher,
        provider.get_tracer("app").start_as_current_span("work") as work,
    ):
        with pytest.raises(KeyboardInterrupt):
            pusher.trigger("c", "e", "d")
        (span,) = ours(exporter)
        assert trace.get_current_span() is work
        pusher.trigger("c", "e", "d")
    assert attributes(span)["error.type"] == "KeyboardInterrupt"
    assert parent_id(ours(exporter)[1]) == work.get_span_context().span_id


@instrumented
async def test_a_closed_client_attempts_nothing(kind: str, exporter: Exporter) -> None:
    with FaultServer(Script(OK)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            pass
        with pytest.raises(PusherError):
            await settle(pusher.trigger("c", "e", "d"))
        assert server.requests == []
    assert ours(exporter) == []


@instrumented
async def test_a_given_client_that_its_owner_has_closed_ends_its_span(kind: str, exporter: Exporter) -> None:
    client: httpx.Client | httpx.AsyncClient
    if kind == "sync":
        client = httpx.Client()
        client.close()
    else:
        client = httpx.AsyncClient()
        await client.aclose()
    async with open_client(kind, "http://key:secret@127.0.0.1:1/apps/3", http_client=client) as pusher:
        with pytest.raises(PusherError):
            await settle(pusher.trigger("c", "e", "d"))
    (span,) = ours(exporter)
    assert attributes(span)["error.type"] == "PusherError"
    assert span.status.description == "the client is closed"


@instrumented
def test_threads_do_not_mix_their_spans(provider: TracerProvider, exporter: Exporter) -> None:
    tracer = provider.get_tracer("app")
    together = threading.Barrier(16)
    with FaultServer(Script(OK)) as server, Pusher.from_url(url_of(server)) as pusher:

        def work(number: int) -> None:
            together.wait()
            for _ in range(5):
                with tracer.start_as_current_span(f"thread-{number}"):
                    pusher.trigger("c", f"e{number}", "d")

        with ThreadPoolExecutor(16) as threads:
            list(threads.map(work, range(16)))
        requests = server.requests
    check_parents(exporter, requests, 80)


@instrumented
async def test_tasks_do_not_mix_their_spans(provider: TracerProvider, exporter: Exporter) -> None:
    tracer = provider.get_tracer("app")
    with FaultServer(Script(OK)) as server:
        async with AsyncPusher.from_url(url_of(server)) as pusher:

            async def work(number: int) -> None:
                with tracer.start_as_current_span(f"task-{number}"):
                    await pusher.trigger("c", f"e{number}", "d")

            await asyncio.gather(*(work(number) for number in range(80)))
        requests = server.requests
    check_parents(exporter, requests, 80)


def check_parents(exporter: Exporter, requests: list[bytes], count: int) -> None:
    """Each caller's span has one child, and each request carries the span of the caller whose event it is."""
    callers = {span_id(span): span for span in exporter.get_finished_spans() if scope(span) == "app"}
    children = {traceparent(span): span for span in ours(exporter)}
    assert len(callers) == len(children) == count
    assert {parent_id(span) for span in children.values()} == set(callers)
    for request in requests:
        child = children[header(request, "traceparent") or ""]
        number = callers[parent_id(child) or 0].name.partition("-")[2]
        assert f'"name":"e{number}"'.encode() in request


@instrumented
async def test_hooks_run_in_the_span(kind: str, exporter: Exporter) -> None:
    def begun(attempt: Attempt) -> None:
        trace.get_current_span().set_attribute("app.number", attempt.number)

    def ended(attempt: Attempt) -> None:
        trace.get_current_span().set_attribute("app.status", attempt.status_code or 0)

    with FaultServer(Script(OK)) as server:
        async with open_client(kind, url_of(server), on_request=begun, on_response=ended) as pusher:
            await settle(pusher.trigger("c", "e", "d"))
    (span,) = ours(exporter)
    assert (attributes(span)["app.number"], attributes(span)["app.status"]) == (1, 200)


# The publisher


@instrumented
async def test_batches_are_nobodys_children(kind: str, provider: TracerProvider, exporter: Exporter) -> None:
    """They hold events of several callers. The first publish must not become the parent of all that follows."""
    tracer = provider.get_tracer("app")
    with FaultServer(Script(response("200 OK", b'{"batch":[]}'))) as server:
        async with open_client(kind, url_of(server)) as pusher:
            if isinstance(pusher, Pusher):
                with pusher.publisher(max_age=0) as publisher:
                    for number in range(3):
                        with tracer.start_as_current_span(f"caller-{number}"):
                            publisher.publish("c", "e", number).result()
            else:
                async with pusher.publisher(max_age=0) as async_publisher:
                    for number in range(3):
                        with tracer.start_as_current_span(f"caller-{number}"):
                            await (await async_publisher.publish("c", "e", number))
        requests = server.requests
    spans = ours(exporter)
    assert [span.name for span in spans] == ["POST /apps/{app_id}/batch_events"] * 3
    assert [parent_id(span) for span in spans] == [None] * 3
    assert [header(request, "traceparent") for request in requests] == [traceparent(span) for span in spans]


@instrumented
def test_threads_that_inherit_a_context_make_no_parents_of_it(
    provider: TracerProvider, exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of free-threaded Pythons do, and those of OpenTelemetry's own instrumentation of threads."""

    class Inheriting(threading.Thread):
        def start(self) -> None:
            self._context = contextvars.copy_context()
            super().start()

        def run(self) -> None:
            self._context.run(super().run)

    monkeypatch.setattr(threading, "Thread", Inheriting)
    with (
        FaultServer(Script(response("200 OK", b'{"batch":[]}'))) as server,
        Pusher.from_url(url_of(server)) as pusher,
        pusher.publisher(max_age=0) as publisher,
        provider.get_tracer("app").start_as_current_span("first"),
    ):
        publisher.publish("c", "e", "d").result()
    (span,) = ours(exporter)
    assert span.parent is None


@instrumented
async def test_a_batch_that_is_tried_again_has_two_spans(kind: str, exporter: Exporter) -> None:
    with FaultServer(Script(response("429 No", b""), response("200 OK", b'{"batch":[]}'))) as server:
        async with open_client(kind, url_of(server)) as pusher:
            if isinstance(pusher, Pusher):
                with pusher.publisher() as publisher:
                    publisher.publish("c", "e", "d")
            else:
                async with pusher.publisher() as async_publisher:
                    await async_publisher.publish("c", "e", "d")
    assert [attributes(span)["http.response.status_code"] for span in ours(exporter)] == [429, 200]


# Durations


@instrumented
async def test_durations_are_measured_by_outcome(kind: str, metrics: InMemoryMetricReader, exporter: Exporter) -> None:
    with FaultServer(Script(response("503 No", b"busy"), RESET, OK)) as server:
        async with open_client(kind, url_of(server), retry_unsafe=True) as pusher:
            await settle(pusher.trigger("c", "e", "d"))
            await settle(pusher.trigger("c", "e", "d"))
    data = metrics.get_metrics_data()
    assert data is not None
    (metric,) = [metric for part in data.resource_metrics for each in part.scope_metrics for metric in each.metrics]
    assert (metric.name, metric.unit) == ("http.client.request.duration", "s")
    assert isinstance(metric.data, Histogram)
    common = {"http.request.method": "POST", "server.address": "127.0.0.1", "server.port": server.port}
    answered = {**common, "network.protocol.version": "1.1"}
    seen = [(point.count, dict(point.attributes or {})) for point in metric.data.data_points]
    assert sorted(seen, key=str) == sorted(
        [
            (1, {**answered, "http.response.status_code": 503, "error.type": "503"}),
            (1, {**common, "error.type": "APIConnectionError"}),
            (2, {**answered, "http.response.status_code": 200}),
        ],
        key=str,
    )
    assert metric.data.data_points[0].explicit_bounds[0] == 0.005
    lasted = sum((span.end_time or 0) - (span.start_time or 0) for span in ours(exporter)) / 1e9
    assert 0 < sum(point.sum for point in metric.data.data_points) <= lasted


# Propagation


class Propagator(TextMapPropagator):
    """Injects what it is told, or fails."""

    def __init__(self, carried: dict[Any, Any] | None) -> None:
        self._carried = carried

    def inject(self, carrier: Any, context: Context | None = None, setter: Setter[Any] = default_setter) -> None:
        if self._carried is None:
            raise ValueError("the propagator's own")
        for name, value in self._carried.items():
            setter.set(carrier, name, value)

    def extract(self, carrier: Any, context: Context | None = None, getter: Any = None) -> Context:
        return Context()

    @property
    def fields(self) -> set[str]:
        return set()


@pytest.fixture
def global_propagator() -> Iterator[Callable[[dict[Any, Any] | None], None]]:
    before = propagate.get_global_textmap()
    yield lambda carried: propagate.set_global_textmap(Propagator(carried))
    propagate.set_global_textmap(before)


@instrumented
async def test_no_propagator_replaces_a_header_or_breaks_a_request(
    kind: str, global_propagator: Callable[[dict[Any, Any] | None], None], exporter: Exporter
) -> None:
    global_propagator(
        {
            "x-good": "1",
            "host": "elsewhere.test",
            "User-Agent": "x",
            "x-pusher-library": "x",
            "Content-Length": "0",
            "Transfer-Encoding": "chunked",
            "Connection": "close",
            "x-own": "x",
            "x y": "1",
            "x-ä": "1",
            "": "1",
            "x-split": "1\r\nx-injected: 1",
            "x-high": "ä",
            "x-number": 1,
            7: "1",
        }
    )
    with FaultServer(Script(OK)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            await settle(pusher.with_options(headers={"X-Own": "mine"}).trigger("c", "e", "d"))
        (request,) = server.requests
    assert header(request, "x-good") == "1"
    assert header(request, "x-own") == "mine"
    assert header(request, "host") == f"127.0.0.1:{server.port}"
    assert (header(request, "user-agent") or "").startswith("pusher-channels-sdk/")
    assert (header(request, "x-pusher-library") or "").startswith("pusher-channels-sdk ")
    for name in ("transfer-encoding", "x-split", "x-injected", "x-high", "x-number"):
        assert header(request, name) is None
    assert request.count(b"\r\nx-") + request.count(b"\r\nX-") == 3  # good, own, X-Pusher-Library
    assert len(ours(exporter)) == 1


@instrumented
async def test_a_propagator_that_fails_is_logged(
    kind: str,
    global_propagator: Callable[[dict[Any, Any] | None], None],
    exporter: Exporter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    global_propagator(None)
    with FaultServer(Script(OK)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            await settle(pusher.trigger("c", "e", "d"))
    assert "the propagator failed" in caplog.text
    assert "the propagator's own" in caplog.text
    assert ours(exporter)[0].status.status_code is StatusCode.UNSET


class Broken(SpanProcessor):
    """Fails at the beginning or the end of spans."""

    def __init__(self, when: str) -> None:
        self._when = when

    def on_start(self, span: object, parent_context: Context | None = None) -> None:
        if self._when == "start":
            raise ValueError("the processor's own")

    def on_end(self, span: ReadableSpan) -> None:
        if self._when == "end":
            raise ValueError("the processor's own")


@pytest.mark.parametrize("when", ["start", "end"])
async def test_a_span_processor_that_fails_does_not_end_the_call(
    kind: str, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider = TracerProvider()
    provider.add_span_processor(Broken(when))
    PusherInstrumentor().instrument(tracer_provider=provider)
    try:
        with FaultServer(Script(OK)) as server:
            async with open_client(kind, url_of(server)) as pusher:
                before = trace.get_current_span()
                await settle(pusher.trigger("c", "e", "d"))
                assert trace.get_current_span() is before
            assert len(server.requests) == 1
    finally:
        PusherInstrumentor().uninstrument()
    assert "the processor's own" in caplog.text


# Switching it on and off


@pytest.mark.parametrize("suppress", [suppress_instrumentation, suppress_http_instrumentation])
@instrumented
async def test_nothing_is_recorded_where_that_is_asked_for(
    kind: str, suppress: Callable[[], AbstractContextManager[None]], provider: TracerProvider, exporter: Exporter
) -> None:
    with FaultServer(Script(OK)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            with provider.get_tracer("app").start_as_current_span("work"), suppress():
                await settle(pusher.trigger("c", "e", "d"))
        (request,) = server.requests
    assert ours(exporter) == []
    assert header(request, "traceparent") is None


async def test_it_is_off_until_it_is_on_and_off_again(kind: str, provider: TracerProvider, exporter: Exporter) -> None:
    instrumentor = PusherInstrumentor()
    with FaultServer(Script(OK)) as server:
        async with open_client(kind, url_of(server)) as pusher:
            await settle(pusher.trigger("c", "e", "d"))
            instrumentor.instrument(tracer_provider=provider)
            instrumentor.instrument(tracer_provider=provider)  # twice is once
            await settle(pusher.trigger("c", "e", "d"))
            PusherInstrumentor().uninstrument()
            await settle(pusher.trigger("c", "e", "d"))
        requests = server.requests
    (span,) = ours(exporter)
    assert [header(request, "traceparent") for request in requests] == [None, traceparent(span), None]


async def test_it_costs_nothing_but_time_without_an_sdk(kind: str) -> None:
    PusherInstrumentor().instrument()
    try:
        async with Emulator() as server, open_client(kind, server.url) as pusher:
            if isinstance(pusher, Pusher):
                await asyncio.to_thread(pusher.trigger, "c", "e", "d")
            else:
                await pusher.trigger("c", "e", "d")
            assert len(server.published) == 1
    finally:
        PusherInstrumentor().uninstrument()
