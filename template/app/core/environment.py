"""Where the service runs, on which other settings depend."""

from typing import Any, Literal

from pydantic_settings import BaseSettings, SettingsConfigDict


class EnvironmentSettings(BaseSettings):
    """The base of all settings."""

    model_config = SettingsConfigDict(
        arbitrary_types_allowed=True,
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    environment: Literal["development", "staging", "production"] = "production"
    """Where this runs. Unset means production, so that forgetting it never relaxes a rule."""


def in_production(data: dict[str, Any]) -> bool:
    """Tell whether the settings read so far are those of production."""
    # An environment that is not valid is not in `data`: it counts as production.
    return bool(data.get("environment", "production") == "production")
