"""How spans are created, sampled and sent: the SDK of OpenTelemetry, and its exporter."""

import logging
import time
from typing import Any

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
from opentelemetry.trace import SpanKind

from app import __version__
from app.settings.tracing import TelemetrySettings


class _Seldom(logging.Filter):
    """Passes one line a minute: while a collector is down, the exporter logs two every 5 s."""

    _silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002  # any line
        """Return whether the line may pass."""
        now = time.monotonic()
        if now < self._silent_until:
            return False
        self._silent_until = now + 60
        return True


logging.getLogger(OTLPSpanExporter.__module__).addFilter(_Seldom())


class _RootSampler(Sampler):
    """Samples all requests that come this far, and a share of everything else."""

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
        """Return the sampler's name."""
        return f"RootSampler{{{self._others.get_description()}}}"


def build_provider(settings: TelemetrySettings) -> TracerProvider:
    """Return what creates the spans of one app."""
    return TracerProvider(
        sampler=ParentBased(_RootSampler(settings.otel_traces_sampler_arg)),
        resource=Resource.create(
            {
                "service.name": settings.otel_service_name,
                "service.version": __version__,
                "deployment.environment.name": settings.environment,
            }
        ),
        shutdown_on_exit=False,
    )


def build_processor(endpoint: str, timeout: float) -> BatchSpanProcessor:
    """Return what sends spans to `endpoint`; an attempt may take `timeout` seconds."""
    return BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=timeout))
