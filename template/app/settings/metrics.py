"""Settings of the metrics."""

from pydantic import SecretStr, field_validator

from app.settings.base import BaseServiceSettings

MIN_TOKEN = 16
"""Characters: fewer could be guessed."""


class MetricsSettings(BaseServiceSettings):
    """What Prometheus may read, and who may read it."""

    metrics_enabled: bool = True
    """Count and serve /metrics, as true or false."""

    metrics_token: SecretStr | None = None
    """The bearer token, of 16 characters or more, that /metrics asks for; empty asks for none."""

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None or not token.get_secret_value():
            return None
        if len(token.get_secret_value()) < MIN_TOKEN:
            raise ValueError(f"has fewer than {MIN_TOKEN} characters")
        return token
