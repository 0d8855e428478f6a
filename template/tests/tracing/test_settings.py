"""Wrong settings of tracing are reported."""

import pytest
from pydantic import ValidationError

from app.settings.tracing import TelemetrySettings


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("localhost:4318", "must begin with http"),
        ("grpc://collector:4317", "must begin with http"),
        ("http://", "name a host"),
        ("http://collector:4317", "over gRPC"),
        ("http://collector:port", "no address"),
        ("http://[::1", "no address"),
        ("", "must begin with http"),
    ],
)
def test_endpoint(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TelemetrySettings(otel_exporter_otlp_endpoint=url)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_share(share: float) -> None:
    with pytest.raises(ValidationError):
        TelemetrySettings(otel_traces_sampler_arg=share)


def test_off_unless_asked_for() -> None:
    settings = TelemetrySettings()
    assert not settings.otel_enabled
    assert settings.otel_exporter_otlp_endpoint == "http://localhost:4318"
