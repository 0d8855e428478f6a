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
        ("http://collector..internal:4318", "impossible host name"),
        ("http://user:pass#word@collector:4318", "unescaped"),
    ],
)
def test_endpoint(url: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        TelemetrySettings(otel_enabled=True, otel_exporter_otlp_endpoint=url)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_share(share: float) -> None:
    with pytest.raises(ValidationError):
        TelemetrySettings(otel_enabled=True, otel_traces_sampler_arg=share)


def test_off_unless_asked_for() -> None:
    settings = TelemetrySettings()
    assert not settings.otel_enabled
    assert settings.otel_exporter_otlp_endpoint == "http://localhost:4318"


def test_off_means_that_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """X15: platforms set these variables for all programs."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "endpoint=http://collector")
    monkeypatch.setenv("OTEL_ENABLED", "")
    settings = TelemetrySettings()
    assert settings.otel_exporter_otlp_endpoint == "http://localhost:4318"
    assert settings.otel_traces_sampler_arg == 0.1
    monkeypatch.setenv("OTEL_ENABLED", "true")
    with pytest.raises(ValidationError, match="2 validation errors"):
        TelemetrySettings()
