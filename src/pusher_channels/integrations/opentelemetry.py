"""OpenTelemetry: a span and a duration for each HTTP request that the clients of this process send.

    from pusher_channels.integrations.opentelemetry import PusherInstrumentor

    PusherInstrumentor().instrument()

It follows the semantic conventions of HTTP clients: one span an attempt, so that a call with retries has several. See
docs/observability.md. It needs the extra: ``pip install 'pusher-channels-sdk[opentelemetry]'``.
"""

from __future__ import annotations

import logging
import sys
import time
from urllib.parse import urlsplit

from pusher_channels._attempts import Attempt, Ending, observe
from pusher_channels._version import __version__
from pusher_channels.errors import PusherError

try:
    from opentelemetry import context, metrics, propagate, trace
except ImportError as error:
    raise ImportError(f"{error}. It needs: pip install 'pusher-channels-sdk[opentelemetry]'") from error

__all__ = ["PusherInstrumentor"]

_NAME = "pusher_channels"
_SCHEMA = "https://opentelemetry.io/schemas/1.27.0"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)  # as the conventions say
_PORTS = {"http": 80, "https": 443}
_log = logging.getLogger(_NAME)

_Attributes = dict[str, str | int]


class PusherInstrumentor:
    """Switches tracing on and off, for all clients of the process: those that there are, and those to come."""

    def instrument(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        **_: object,  # what `opentelemetry-instrument` passes to every instrumentor
    ) -> None:
        """Record every HTTP request from now on. Of several calls the last one counts.

        Args:
            tracer_provider: Where spans go; the default is the global one.
            meter_provider: Where durations go; the default is the global one.
        """
        observe(_Recorder(tracer_provider, meter_provider).begin)

    def uninstrument(self, **_: object) -> None:
        """Record nothing from now on."""
        observe(None)


class _Recorder:
    """Follows each attempt: see `pusher_channels._attempts.Observer`."""

    def __init__(
        self, tracer_provider: trace.TracerProvider | None, meter_provider: metrics.MeterProvider | None
    ) -> None:
        self._tracer = trace.get_tracer(_NAME, __version__, tracer_provider, _SCHEMA)
        meter = metrics.get_meter(_NAME, __version__, meter_provider, _SCHEMA)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    def begin(self, attempt: Attempt, headers: dict[str, str]) -> Ending:
        if not _enabled():
            return _nothing
        request, template = attempt.request, attempt.path_template
        url = urlsplit(request.url)
        common: _Attributes = {
            "http.request.method": request.method,
            "server.address": url.hostname or "",
            "server.port": url.port or _PORTS[url.scheme],
        }
        attributes: _Attributes = {**common, "url.full": request.url}
        if template is not None:
            attributes["url.template"] = template
        if attempt.number > 1:
            attributes["http.request.resend_count"] = attempt.number - 1
        name = request.method if template is None else f"{request.method} {template}"
        span = self._tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)
        token = context.attach(trace.set_span_in_context(span))
        started = time.perf_counter()
        try:
            propagate.inject(headers)
        except Exception:
            _log.exception("the propagator failed")

        def end(outcome: Attempt | BaseException) -> None:
            try:
                seconds = time.perf_counter() - started
                results = _results(outcome)
                span.set_attributes(results)
                if "error.type" in results:
                    span.set_status(trace.StatusCode.ERROR, _description(outcome))
                self._duration.record(seconds, {**common, **results})
            finally:
                context.detach(token)
                span.end()

        return end


def _enabled() -> bool:
    """Tell whether the caller has not switched instrumentation off for a while, with the functions of that module."""
    utils = sys.modules.get("opentelemetry.instrumentation.utils")
    return bool(getattr(utils, "is_http_instrumentation_enabled", lambda: True)())


def _nothing(outcome: Attempt | BaseException) -> None:
    pass


def _results(outcome: Attempt | BaseException) -> _Attributes:
    if isinstance(outcome, BaseException):
        return {"error.type": type(outcome).__qualname__}
    results: _Attributes = {}
    if outcome.status_code is not None:
        results["http.response.status_code"] = outcome.status_code
    if outcome.http_version is not None:
        results["network.protocol.version"] = outcome.http_version.removeprefix("HTTP/")
    if outcome.error is not None:
        results["error.type"] = str(outcome.status_code or type(outcome.error).__qualname__)
    return results


def _description(outcome: Attempt | BaseException) -> str | None:
    """Return what the status code does not say. Only of our own errors is it certain that they hold no secret."""
    if isinstance(outcome, Attempt):
        return str(outcome.error) if outcome.status_code is None else None
    return str(outcome) if isinstance(outcome, PusherError) else None
