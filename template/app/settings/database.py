"""Settings of the database."""

from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode
from sqlalchemy import URL

from app.settings.base import PLACEHOLDER_PASSWORDS, Seconds, in_production
from app.settings.database_url import parse_database_url
from app.settings.log import LogSettings


def _parse_optional_url(value: object) -> URL | None:
    return parse_database_url(value) if value else None


class DatabaseSettings(LogSettings):
    """Address, connections and timeouts of PostgreSQL."""

    database_url: Annotated[
        URL,
        NoDecode,
        BeforeValidator(parse_database_url),
        Field(examples=["postgresql://localhost/example"]),
    ]
    """PostgreSQL, as postgresql://user:password@host:5432/database; ?sslmode=require for TLS."""

    db_pooler: bool = False
    """Whether a connection pooler, such as PgBouncer, is before PostgreSQL, as true or false."""

    db_read_only: bool = False
    """Whether the database is read-only on purpose, such as a replica, as true or false."""

    migration_database_url: Annotated[
        URL | None, NoDecode, BeforeValidator(_parse_optional_url)
    ] = None
    """PostgreSQL for migrations, past a pooler or with other rights; empty for DATABASE_URL."""

    migration_lock_timeout: Seconds = 600
    """Seconds that a migration waits while another process migrates."""

    db_pool_size: Annotated[int, Field(ge=1)] = 15
    """Connections that each process may keep open. It opens them when it needs them."""

    db_max_overflow: Annotated[int, Field(ge=0)] = 0
    """Connections that each process may add under load; each closes after its use."""

    db_pool_timeout: Seconds = 5
    """Seconds that a request waits for a free connection before it gets a 503."""

    db_pool_recycle: Annotated[int, Field(ge=1)] = 1800
    """Seconds after which a connection is replaced, even a healthy one."""

    db_connect_timeout: Seconds = 5
    """Seconds to wait for PostgreSQL to accept a connection."""

    db_statement_timeout: Seconds = 10
    """Seconds after which PostgreSQL cancels a statement."""

    db_lock_timeout: Seconds = 5
    """Seconds that a statement waits for a lock."""

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _no_placeholder_password_in_production(
        cls, url: URL | None, info: ValidationInfo
    ) -> URL | None:
        # No password is allowed: a socket, a client certificate or a password file may replace it.
        if url and url.password is not None and in_production(info.data):
            password = str(url.password).casefold()
            if password in PLACEHOLDER_PASSWORDS or password == (url.username or "").casefold():
                raise ValueError("has a placeholder password, which production refuses")
        return url
