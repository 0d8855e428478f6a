"""Settings of tracing, with OpenTelemetry's own names."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from app import PROJECT_SLUG
from app.settings.base import BaseServiceSettings, UsedIf
from app.settings.url import require_escapes, require_host_name

GRPC_PORT = 4317


def check_endpoint(url: str) -> str:
    """Return `url`, without a slash at its end.

    Raises:
        ValueError: it cannot work; the message has no part of it.
    """
    require_escapes(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host")
    require_host_name(parts.hostname)
    if port == GRPC_PORT:
        raise ValueError("has the port of OTLP over gRPC: this is OTLP over HTTP, usually 4318")
    return url.rstrip("/")


class TelemetrySettings(BaseServiceSettings):
    """Whether requests are traced, which ones, and where traces are sent."""

    otel_enabled: bool = False
    """Trace requests, as true or false."""

    otel_service_name: str = PROJECT_SLUG
    """The name of this service in traces."""

    otel_exporter_otlp_endpoint: Annotated[
        str, AfterValidator(check_endpoint), UsedIf("otel_enabled")
    ] = "http://localhost:4318"
    """Where traces are sent by OTLP over HTTP, as http://collector:4318."""

    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1), UsedIf("otel_enabled")] = 0.1
    """The share of requests that are traced, from 0 to 1, if the caller has not decided."""
