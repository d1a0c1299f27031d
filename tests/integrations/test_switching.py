"""What is loaded when, and the ways in which applications switch tracing on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.server import FaultServer
from tests.integrations.support import OK, Script, header, url_of


def run(code: str, *command: str, **environment: str) -> str:
    done = subprocess.run(
        [*command, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


SEND = """
import asyncio, os, sys
from pusher_channels import AsyncPusher, Pusher
with Pusher.from_env() as pusher:
    pusher.trigger("c", "e", "d")
    with pusher.publisher() as publisher:
        publisher.publish("c", "e", "d").result()
async def main():
    async with AsyncPusher.from_env() as pusher:
        await pusher.trigger("c", "e", "d")
asyncio.run(main())
"""


def test_sending_loads_no_opentelemetry() -> None:
    with FaultServer(Script(OK)) as server:
        code = SEND + "print([name for name in sys.modules if name.startswith('opentelemetry')])"
        assert run(code, PUSHER_URL=url_of(server)) == "[]\n"
        assert len(server.requests) == 3


def test_without_the_extra_the_error_names_it() -> None:
    code = """
import sys
sys.modules["opentelemetry"] = None
try:
    import pusher_channels.integrations.opentelemetry
except ImportError as error:
    print(error)
"""
    assert "pip install 'pusher-channels-sdk[opentelemetry]'" in run(code)


PROVIDER = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""
NAMES = "print([(span.instrumentation_scope.name, span.name) for span in exporter.get_finished_spans()])"
EXPECTED = [
    ("pusher_channels", "POST /apps/{app_id}/events"),
    ("pusher_channels", "POST /apps/{app_id}/batch_events"),
    ("pusher_channels", "POST /apps/{app_id}/events"),
]


def test_the_global_provider_may_come_later() -> None:
    code = (
        "from pusher_channels.integrations.opentelemetry import PusherInstrumentor\nPusherInstrumentor().instrument()\n"
    )
    with FaultServer(Script(OK)) as server:
        assert run(code + PROVIDER + SEND + NAMES, PUSHER_URL=url_of(server)) == f"{EXPECTED}\n"


def test_the_command_of_opentelemetry_finds_us() -> None:
    """`opentelemetry-instrument` loads every instrumentor that is installed: here also that of httpx."""
    command = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    with FaultServer(Script(OK)) as server:
        assert run(PROVIDER + SEND + NAMES, command, PUSHER_URL=url_of(server)) == f"{EXPECTED}\n"
        assert all(header(request, "traceparent") for request in server.requests)


@pytest.mark.parametrize("disabled", ["pusher_channels", "httpx,pusher_channels"])
def test_the_command_can_leave_us_out(disabled: str) -> None:
    command = str(Path(sys.executable).with_name("opentelemetry-instrument"))
    with FaultServer(Script(OK)) as server:
        environment = {"PUSHER_URL": url_of(server), "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": disabled}
        assert run(PROVIDER + SEND + NAMES, command, **environment) == "[]\n"
