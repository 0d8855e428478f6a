"""Spans of the calls to other services."""

from typing import TYPE_CHECKING

from httpx2 import URL, AsyncClient, Request
from opentelemetry import propagate
from opentelemetry.trace import Span

from app.core.telemetry import Telemetry

if TYPE_CHECKING:
    from opentelemetry.instrumentation.httpx import RequestInfo


def trace_calls(client: AsyncClient, telemetry: Telemetry) -> None:
    """Create a span for every call of a traced request, and propagate the trace."""
    if telemetry.provider is not None:
        from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor

        client.event_hooks = {"request": [_pass_trace_on]}
        HTTPX2ClientInstrumentor.instrument_client(
            client, telemetry.provider, request_hook=_hide_secrets
        )


async def _hide_secrets(span: Span, request: "RequestInfo") -> None:
    """Record the URL without query and credentials, which may be secret."""
    url = URL(str(request.url))
    span.set_attribute("url.full", f"{url.scheme}://{url.netloc.decode()}{url.path}")


async def _pass_trace_on(request: Request) -> None:
    """Propagate the trace of a call without a span as well, marked as not recorded."""
    propagate.inject(request.headers)
