"""Settings of retries and circuit breakers."""

from typing import Annotated

from pydantic import Field

from app.settings.base import BaseServiceSettings, Seconds


class ResilienceSettings(BaseServiceSettings):
    """How much we bear from what we call."""

    circuit_breaker_failure_threshold: Annotated[int, Field(ge=1)] = 5
    """Failures in a row after which something is not called for a while."""

    circuit_breaker_recovery_timeout: Seconds = 10
    """Seconds until one call may find out if it is back."""
