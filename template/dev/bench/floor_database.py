"""The floor's database: sessions, and the base of its models."""

import os
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app.settings.database_url import parse_database_url

# One for each connection of the load: none is opened or closed while it is measured.
_engine = create_async_engine(
    parse_database_url(os.environ["DATABASE_URL"]), pool_size=32, max_overflow=0
)
_sessions = async_sessionmaker(_engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """The base of all models."""


async def get_session() -> AsyncGenerator[AsyncSession]:
    """Yield a session."""
    async with _sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
