"""The base of all settings: where they are read from, and where the service runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
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


@dataclass(frozen=True)
class UsedIf:
    """Marks a field: while the setting `switch` is off, a wrong value is replaced by the default.

    The switch must come before the field. Platforms set variables for all programs, and a value
    that is not used must not stop the start.
    """

    switch: str


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


LowerCase = BeforeValidator(_lower)
UpperCase = BeforeValidator(_upper)

CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_commas)]


class BaseServiceSettings(BaseSettings):
    """The base of all settings, also of a project's own. An empty variable counts as unset."""

    model_config = SettingsConfigDict(
        arbitrary_types_allowed=True,
        defer_build=True,  # most classes are only parts of others, and validate nothing themselves
        env_file=".env",
        env_ignore_empty=True,  # so that an empty variable does not hide a file of `SECRETS`
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
        use_attribute_docstrings=True,
    )

    environment: Annotated[Literal["development", "staging", "production"], LowerCase] = (
        "production"
    )
    """Where the service runs. Unset means production, where the strictest rules apply."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _default_while_off(
        cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> object:
        try:
            return handler(value)
        except ValidationError:
            field = cls.model_fields[info.field_name or ""]
            for mark in field.metadata:
                if isinstance(mark, UsedIf) and info.data.get(mark.switch) is False:
                    return field.get_default()
            raise

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value
            for name, value in values.items()
            if not isinstance(value, str) or value.strip()
        }


def in_production(data: dict[str, Any]) -> bool:
    """Return whether the settings read so far are those of production."""
    # An environment that is not valid is not in `data`: it counts as production.
    return bool(data.get("environment", "production") == "production")
