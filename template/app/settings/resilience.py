"""Settings of retries and circuit breakers."""

from typing import Annotated

from pydantic import Field

from app.settings.base import BaseServiceSettings, Seconds


class ResilienceSettings(BaseServiceSettings):
    """Circuit breakers of the targets that the service calls."""

    circuit_breaker_failure_threshold: Annotated[int, Field(ge=1)] = 5
    """Failures in a row after which a circuit breaker opens."""

    circuit_breaker_recovery_timeout: Seconds = 10
    """Seconds until a probe call tests whether the target has recovered."""
