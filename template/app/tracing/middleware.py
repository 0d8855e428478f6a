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
from starlette.types import ASGIApp, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from app.core.telemetry import remote_parent

with suppress_instrumentation():
    _NOT_TRACED = get_current()

_IDS = RandomIdGenerator()


class TraceMiddleware:
    """Bind the ids of the request's span to the log, and the request's id to the span.

    A request that is not traced gets a trace id as well, without spans. So its log lines, and those
    of the caller's service, have one id. Instrumentation of libraries is suppressed for it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] not in {"http", "websocket"}:
            return await self.app(scope, receive, send)

        span = get_current_span()
        if span.is_recording():
            _bind(span.get_span_context())
            span.set_attribute("request_id", scope.get("state", {}).get("request_id", ""))
            if scope["query_string"]:
                span.set_attribute("url.query", "REDACTED")  # as in the log
            return await self.app(scope, receive, send)

        parent = remote_parent(scope)
        context = SpanContext(
            parent.trace_id if parent else _IDS.generate_trace_id(),
            _IDS.generate_span_id(),
            is_remote=False,
        )
        _bind(context)
        before = attach(set_span_in_context(NonRecordingSpan(context), _NOT_TRACED))
        try:
            await self.app(scope, receive, send)
        finally:
            detach(before)


def _bind(context: SpanContext) -> None:
    bind_contextvars(
        trace_id=format_trace_id(context.trace_id), span_id=format_span_id(context.span_id)
    )
