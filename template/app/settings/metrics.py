"""Settings of the metrics."""

from pydantic import SecretStr, field_validator

from app.settings.base import BaseServiceSettings

MIN_TOKEN = 16
"""Characters; a shorter token could be guessed."""


class MetricsSettings(BaseServiceSettings):
    """Whether there are metrics, and who may read them."""

    metrics_enabled: bool = True
    """Count and serve /metrics, as true or false."""

    metrics_token: SecretStr | None = None
    """The bearer token that /metrics requires, 16 characters or more; empty for none."""

    @field_validator("metrics_token")
    @classmethod
    def _long_enough(cls, token: SecretStr | None) -> SecretStr | None:
        if token is None or not token.get_secret_value():
            return None
        if len(token.get_secret_value()) < MIN_TOKEN:
            raise ValueError(f"has fewer than {MIN_TOKEN} characters")
        return token
