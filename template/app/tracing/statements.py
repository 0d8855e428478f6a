"""A span for every statement of a traced request.

OpenTelemetry's own instrumentation excludes SQLAlchemy 2.1, and also works for requests that are
not traced.
"""

from typing import Any

from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span
from sqlalchemy import ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.core.telemetry import Telemetry


def trace_statements(engine: AsyncEngine, telemetry: Telemetry) -> None:
    """Trace every statement from now on: its text, without values, and its failure."""
    if telemetry.provider is None:
        return
    tracer = telemetry.provider.get_tracer("app.db")
    url = engine.url
    attributes: dict[str, str | int] = {
        "db.system.name": "postgresql",
        "db.namespace": url.database or "",
        "server.address": url.host or "",
        "server.port": url.port or 5432,
    }

    def begin(*given: Any) -> None:
        _, _, statement, _, context, _ = given
        if not get_current_span().get_span_context().trace_flags.sampled:
            return
        operation = statement.lstrip().partition(" ")[0].upper()
        context.span = tracer.start_span(
            f"{operation} {url.database}",
            kind=SpanKind.CLIENT,
            attributes={
                **attributes,
                "db.operation.name": operation,
                "db.query.text": statement,
            },
        )

    def end(*given: Any) -> None:
        _, _, _, _, context, _ = given
        span: Span | None = getattr(context, "span", None)
        if span is not None:
            span.end()

    def fail(failure: ExceptionContext) -> None:
        span: Span | None = getattr(failure.execution_context, "span", None)
        if span is not None:
            # Never the message: it may contain values.
            span.set_attribute("error.type", type(failure.original_exception).__qualname__)
            span.set_status(StatusCode.ERROR)
            span.end()

    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    event.listen(engine.sync_engine, "handle_error", fail)
