"""Traces, by OpenTelemetry: requests, SQL, and what is called from there."""

import asyncio
import logging
import os
import random
import time
from threading import Thread
from typing import Any

from fastapi.telemetry import TelemetryConfig
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import SpanContext, SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

from app import __version__
from app.server.paths import QUIET_PATHS, route_path
from app.settings.tracing import TelemetrySettings

EXPORT_TIMEOUT = 2
"""Seconds for one attempt to send spans, which happens in a thread of its own."""

STOP_TIMEOUT = 3
"""Seconds for sending the last ones: then they are given up."""

# What the libraries below call things: as the stable conventions do.
os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
# Baggage, which nobody here reads, would go from any caller to every service that we call.
_PROPAGATOR = TraceContextTextMapPropagator()
propagate.set_global_textmap(_PROPAGATOR)


class _Seldom(logging.Filter):
    """Lets one line pass a minute: of a collector that is away, the exporter has two every 5 s."""

    _silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  # whatever it says
        """Tell whether the line may pass."""
        now = time.monotonic()
        if now < self._silent_until:
            return False
        self._silent_until = now + 60
        return True


logging.getLogger(OTLPSpanExporter.__module__).addFilter(_Seldom())


class _RootSampler(Sampler):
    """Takes every request that comes this far, and a share of all else."""

    def __init__(self, share: float) -> None:
        self._others = TraceIdRatioBased(share)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        *args: Any,
        **options: Any,
    ) -> SamplingResult:
        """Decide about a span that has no parent."""
        sampler = ALWAYS_ON if kind is SpanKind.SERVER else self._others
        return sampler.should_sample(parent_context, trace_id, name, kind, *args, **options)

    def get_description(self) -> str:
        """Name it."""
        return f"RootSampler{{{self._others.get_description()}}}"


def remote_parent(scope: Scope) -> SpanContext | None:
    """Return the caller's span, if the request names one (W3C Trace Context)."""
    headers = Headers(scope=scope)
    if "traceparent" not in headers:
        return None
    context = get_current_span(_PROPAGATOR.extract(headers, Context())).get_span_context()
    return context if context.is_valid else None


class Telemetry:
    """The traces of one app.

    Which requests are traced is decided before anything is done for one (head sampling), so that
    the others cost next to nothing. A caller that has decided already is followed.
    """

    def __init__(self, settings: TelemetrySettings) -> None:
        self._share = settings.otel_traces_sampler_arg
        self._endpoint = f"{settings.otel_exporter_otlp_endpoint}/v1/traces"
        self.provider: TracerProvider | None = None
        """Makes the spans; None while tracing is disabled."""
        if settings.otel_enabled:
            self.provider = TracerProvider(
                sampler=ParentBased(_RootSampler(self._share)),
                resource=Resource.create(
                    {
                        "service.name": settings.otel_service_name,
                        "service.version": __version__,
                        "deployment.environment.name": settings.environment,
                    }
                ),
                shutdown_on_exit=False,
            )
        self._processor: BatchSpanProcessor | None = None

    @property
    def config(self) -> TelemetryConfig:
        """What FastAPI, which makes the spans of requests, has to know."""
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

        What cannot be sent waits in a queue that is bounded, and is dropped when that is full.
        """
        if self.provider is None:
            return
        exporter = OTLPSpanExporter(self._endpoint, timeout=EXPORT_TIMEOUT)
        self._processor = BatchSpanProcessor(exporter)
        self.provider.add_span_processor(self._processor)
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(self.provider)  # so that `trace.get_tracer` gives ours

    async def stop(self) -> None:
        """Send what is left, in `STOP_TIMEOUT` seconds or not at all."""
        if self._processor is not None:
            # Daemonic: a collector that hangs must not keep the process.
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
