"""Settings of the database."""

from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_settings import NoDecode
from sqlalchemy import URL

from app.settings.base import PLACEHOLDER_PASSWORDS, Seconds, in_production
from app.settings.database_url import parse_database_url
from app.settings.log import LogSettings


class DatabaseSettings(LogSettings):
    """Address, connections and timeouts of PostgreSQL."""

    database_url: Annotated[
        URL,
        NoDecode,
        BeforeValidator(parse_database_url),
        Field(examples=["postgresql://localhost/example"]),
    ]
    """PostgreSQL, as postgresql://user:password@host:5432/database; add ?ssl=require for TLS."""

    db_pool_size: Annotated[int, Field(ge=1)] = 5
    """Connections that each process keeps open."""

    db_max_overflow: Annotated[int, Field(ge=0)] = 10
    """Connections that each process may add under load."""

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

    @field_validator("database_url")
    @classmethod
    def _no_placeholder_password_in_production(cls, url: URL, info: ValidationInfo) -> URL:
        # No password is allowed: a socket, a client certificate or a password file may replace it.
        if url.password is not None and in_production(info.data):
            password = str(url.password).casefold()
            if password in PLACEHOLDER_PASSWORDS or password == (url.username or "").casefold():
                raise ValueError("has a placeholder password, which production refuses")
        return url
