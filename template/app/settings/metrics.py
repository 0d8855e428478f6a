"""Settings of the metrics."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr

from app.settings.base import BaseServiceSettings, UsedIf

MIN_TOKEN = 16
"""Characters; a shorter token could be guessed."""


def check_token(token: SecretStr) -> SecretStr:
    """Return `token` if it is long enough.

    Raises:
        ValueError: it is not.
    """
    if len(token.get_secret_value()) < MIN_TOKEN:
        raise ValueError(f"has fewer than {MIN_TOKEN} characters")
    return token


class MetricsSettings(BaseServiceSettings):
    """Whether there are metrics, and who may read them."""

    metrics_enabled: bool = True
    """Count and serve /metrics, as true or false."""

    metrics_token: Annotated[
        Annotated[SecretStr, AfterValidator(check_token)] | None, UsedIf("metrics_enabled")
    ] = None
    """The bearer token that /metrics requires, 16 characters or more; empty for none."""
