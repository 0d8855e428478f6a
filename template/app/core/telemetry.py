"""OpenTelemetry traces: requests, SQL, and outgoing calls."""

import asyncio
import os
import random
from threading import Thread
from typing import TYPE_CHECKING

from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

from app.server.headers import header
from app.server.paths import QUIET_PATHS, route_path
from app.settings.tracing import TelemetrySettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

EXPORT_TIMEOUT = 2
"""Seconds for one attempt to send spans, in a thread of its own."""

STOP_TIMEOUT = 3
"""Seconds to send the last spans at shutdown; then they are dropped."""

# The libraries below use the names of the stable conventions.
os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
# Baggage is not used here; it would go from any caller to all services that we call.
_PROPAGATOR = TraceContextTextMapPropagator()
propagate.set_global_textmap(_PROPAGATOR)


def remote_parent(scope: Scope) -> SpanContext | None:
    """Return the caller's span, if the request names one (W3C Trace Context)."""
    if not header(scope, b"traceparent"):
        return None
    found = _PROPAGATOR.extract(Headers(scope=scope), Context())
    context = get_current_span(found).get_span_context()
    return context if context.is_valid else None


class Telemetry:
    """The traces of one app.

    Sampling is decided before any work is done for a request (head sampling), so that requests
    that are not traced cost almost nothing. If the caller has decided, its decision holds.
    """

    def __init__(self, settings: TelemetrySettings) -> None:
        self._share = settings.otel_traces_sampler_arg
        self._endpoint = f"{settings.otel_exporter_otlp_endpoint}/v1/traces"
        self.provider: TracerProvider | None = None
        """Creates the spans; None while tracing is disabled."""
        if settings.otel_enabled:
            # OpenTelemetry's SDK and exporter are imported only where they are used.
            from app.core.spans import build_provider

            self.provider = build_provider(settings)
        self._processor: BatchSpanProcessor | None = None

    @property
    def config(self) -> TelemetryConfig:
        """The configuration of FastAPI, which creates the spans of requests."""
        return {
            "tracer_provider": self.provider,
            "tracing": self.provider is not None,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
            "exclude": self._leaves_out,
        }

    def start(self) -> None:
        """Send spans from now on, from a thread, every few seconds.

        Spans that cannot be sent wait in a bounded queue. When it is full, spans are dropped.
        """
        if self.provider is None:
            return
        from app.core.spans import build_processor

        self._processor = build_processor(self._endpoint, EXPORT_TIMEOUT)
        self.provider.add_span_processor(self._processor)
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self.provider)  # so that `trace.get_tracer` uses it

    async def stop(self) -> None:
        """Send the remaining spans, within `STOP_TIMEOUT` seconds."""
        if self._processor is not None:
            # A daemon: a collector that hangs must not keep the process alive.
            sender = Thread(target=self._processor.shutdown, daemon=True)
            sender.start()
            await asyncio.to_thread(sender.join, STOP_TIMEOUT)

    def _leaves_out(self, scope: Scope) -> bool:
        if route_path(scope) in QUIET_PATHS:
            return True
        parent = remote_parent(scope)
        if parent is not None:
            return not parent.trace_flags.sampled
        return random.random() >= self._share  # noqa: S311  # no secret depends on it
