"""Settings, read from the environment and from `.env`."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL

from app.db.url import parse_database_url

PLACEHOLDER_PASSWORDS = frozenset(
    {"", "admin", "app", "change-me", "changeme", "password", "postgres", "root", "secret", "test"}
)

# PostgreSQL counts in milliseconds, and takes 0 for no limit at all.
Seconds = Annotated[float, Field(ge=0.001, le=86_400)]


class SettingsError(Exception):
    """Settings are missing or wrong. The message names each one and its fix, never a value."""


class Settings(BaseSettings):
    """Everything that differs between two deployments of the same build.

    A field's docstring is also what `SettingsError` tells the operator, so it says what to write.
    """

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

    debug: bool = False
    """Log every SQL statement with its values. Never in production."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    """The least severe level that is written."""

    log_format: Literal["json", "console"] = "json"
    """`json`, one object per line, or `console`, coloured for people."""

    docs_enabled: bool = Field(default_factory=lambda data: not _in_production(data))
    """Serve /docs, /redoc and /openapi.json, as true or false. Off in production unless set."""

    api_v1_prefix: Annotated[str, Field(pattern=r"^(/[A-Za-z0-9._~-]+)+$")] = "/api/v1"
    """The path under which version 1 of the API lives, such as /api/v1."""

    max_body_size: Annotated[int, Field(ge=1)] = 1_048_576
    """The largest request body, in bytes."""

    database_url: Annotated[URL, NoDecode, BeforeValidator(parse_database_url)]
    """PostgreSQL, as postgresql://user:password@host:5432/database; add ?ssl=require for TLS."""

    db_pool_size: Annotated[int, Field(ge=1)] = 5
    """Connections that each process keeps open."""

    db_max_overflow: Annotated[int, Field(ge=0)] = 10
    """Connections that each process may open on top under load."""

    db_pool_timeout: Seconds = 5
    """Seconds that a request waits for a free connection before it gets a 503."""

    db_pool_recycle: Annotated[int, Field(ge=1)] = 1800
    """Seconds after which a connection is replaced, however healthy."""

    db_connect_timeout: Seconds = 5
    """Seconds to wait for PostgreSQL to accept a connection."""

    db_statement_timeout: Seconds = 10
    """Seconds after which PostgreSQL cancels a statement."""

    db_lock_timeout: Seconds = 5
    """Seconds that a statement waits for a lock."""

    @field_validator("debug")
    @classmethod
    def _no_debug_in_production(cls, debug: bool, info: ValidationInfo) -> bool:
        if debug and _in_production(info.data):
            raise ValueError("must be off in production")
        return debug

    @field_validator("database_url")
    @classmethod
    def _no_placeholder_password_in_production(cls, url: URL, info: ValidationInfo) -> URL:
        # No password at all is fine: a socket, a client certificate or a password file.
        if url.password is not None and _in_production(info.data):
            password = str(url.password).casefold()
            if password in PLACEHOLDER_PASSWORDS or password == (url.username or "").casefold():
                raise ValueError("has a placeholder password, which production refuses")
        return url


def _in_production(data: dict[str, Any]) -> bool:
    # An environment that is not valid is not in `data`: it counts as production.
    return bool(data.get("environment", "production") == "production")


def load_settings(**overrides: Any) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: naming every missing or wrong setting at once.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
    # Outside the `except`: the original error, which carries the values, must not be chained.
    lines = ["The settings are not usable:"]
    for fault in faults:
        if fault["type"] == "default_factory_not_called":
            continue  # only says that another setting is at fault
        name = str(fault["loc"][0])
        hint = (Settings.model_fields[name].description or "").replace("\n", " ")
        reason = "is missing" if fault["type"] == "missing" else _reason(fault["msg"])
        lines.append(f"  {name.upper()} {reason}. {hint}")
    lines.append("Set them in the environment or in `.env`; `.env.example` shows every one.")
    raise SettingsError("\n".join(lines))


def _reason(message: str) -> str:
    own = message.removeprefix("Value error, ")
    return own if own != message else f"is wrong: {message[0].lower()}{message[1:]}"
