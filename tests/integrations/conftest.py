from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from pusher_channels.integrations.opentelemetry import PusherInstrumentor

KINDS = ["sync", "async"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Either client."""
    value: str = request.param
    return value


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """What was exported."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> Iterator[TracerProvider]:
    """The application's tracing, which nothing is recorded of yet."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider
    provider.shutdown()


@pytest.fixture
def metrics() -> InMemoryMetricReader:
    """What was measured."""
    return InMemoryMetricReader()


@pytest.fixture
def instrumented(provider: TracerProvider, metrics: InMemoryMetricReader) -> Iterator[None]:
    """Trace and measure the SDK's requests."""
    meters = MeterProvider([metrics])
    PusherInstrumentor().instrument(tracer_provider=provider, meter_provider=meters)
    yield
    PusherInstrumentor().uninstrument()
    meters.shutdown()
