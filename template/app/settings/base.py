"""The base of all settings: where they are read from, and where the service runs."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PLACEHOLDER_PASSWORDS = frozenset(
    {"", "admin", "app", "change-me", "changeme", "password", "postgres", "root", "secret", "test"}
)

SECRETS = Path("/run/secrets")
"""Directory of secrets in containers: one file per setting, such as `database_url`."""

# PostgreSQL counts in milliseconds, where 0 means no limit.
Seconds = Annotated[float, Field(ge=0.001, le=86_400)]


def split_commas(value: object) -> object:
    """Read `a,b` as a list of two."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)]


class BaseServiceSettings(BaseSettings):
    """The base of all settings, also of a project's own."""

    model_config = SettingsConfigDict(
        arbitrary_types_allowed=True,
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
        use_attribute_docstrings=True,
    )

    environment: Literal["development", "staging", "production"] = "production"
    """Where the service runs. Unset means production, where the strictest rules apply."""


def in_production(data: dict[str, Any]) -> bool:
    """Return whether the settings read so far are those of production."""
    # An environment that is not valid is not in `data`: it counts as production.
    return bool(data.get("environment", "production") == "production")
