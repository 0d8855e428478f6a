"""Trace ids on all log lines of a request."""

from opentelemetry.context import attach, detach, get_current
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)
from structlog.contextvars import bind_contextvars

from app.core.telemetry import remote_parent
from app.server.exchange import Exchange, Hook

with suppress_instrumentation():
    _NOT_TRACED = get_current()

_IDS = RandomIdGenerator()


class TraceIds(Hook):
    """Bind the ids of the request's span to the log, and the request's id to the span.

    A request that is not traced gets a trace id as well, without spans. So its log lines, and those
    of the caller's service, have one id. Instrumentation of libraries is suppressed for it.
    """

    def begin(self, exchange: Exchange) -> None:
        """Find or create the ids."""
        scope, span = exchange.scope, get_current_span()
        if span.is_recording():
            _bind(span.get_span_context())
            span.set_attribute("request_id", scope["state"]["request_id"])
            if scope["query_string"]:
                span.set_attribute("url.query", "REDACTED")  # as in the log
            return
        parent = remote_parent(scope)
        context = SpanContext(
            parent.trace_id if parent else _IDS.generate_trace_id(),
            _IDS.generate_span_id(),
            is_remote=False,
        )
        _bind(context)
        untraced = set_span_in_context(NonRecordingSpan(context), _NOT_TRACED)
        exchange.kept[self] = attach(untraced)

    def close(self, exchange: Exchange) -> None:
        """Leave the request's context."""
        if self in exchange.kept:
            detach(exchange.kept[self])


def _bind(context: SpanContext) -> None:
    bind_contextvars(
        trace_id=format_trace_id(context.trace_id), span_id=format_span_id(context.span_id)
    )
