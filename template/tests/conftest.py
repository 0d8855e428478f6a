"""One database for the run, one rolled-back transaction for each test."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, delete
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from starlette.types import Receive, Scope, Send

from app.core.config import Settings
from app.core.events import State
from app.db.migrations import upgrade
from app.main import create_app
from app.models import Base
from dev.postgres import throwaway_server
from tests.databases import new_database

SessionFactory = async_sessionmaker[AsyncSession]


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A server to make databases on: the one `DATABASE_URL` names, else one of our own."""
    if given := os.environ.get("DATABASE_URL"):
        yield given
    else:
        with throwaway_server() as url:
            yield url


@pytest.fixture(scope="session")
def settings(server_url: str) -> Iterator[Settings]:
    """Settings for a migrated database, untouched by the developer's own."""
    with pytest.MonkeyPatch.context() as patch, new_database(server_url) as url:
        for name in Settings.model_fields:
            patch.delenv(name.upper(), raising=False)
        patch.setitem(Settings.model_config, "env_file", None)
        settings = Settings.model_validate({"environment": "development", "database_url": url})
        upgrade(settings.database_url)
        yield settings


@pytest.fixture
def empty_database(server_url: str) -> Iterator[URL]:
    """A database of the test's own, before any migration."""
    with new_database(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def app(settings: Settings) -> FastAPI:
    return create_app(settings)


@pytest.fixture(scope="session")
async def state(app: FastAPI) -> AsyncIterator[State]:
    """What the lifespan built."""
    async with running(app) as state:
        yield state


@pytest.fixture
def committed() -> None:
    """Make this test's commits real, so that several connections see them."""


@pytest.fixture
async def session_factory(
    state: State, request: pytest.FixtureRequest
) -> AsyncIterator[SessionFactory]:
    """Sessions of the service: in one transaction that is rolled back, unless `committed`."""
    if "committed" in request.fixturenames:
        yield state["session_factory"]
        async with state["engine"].begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                await connection.execute(delete(table))
        return
    async with state["engine"].connect() as connection:
        transaction = await connection.begin()
        yield async_sessionmaker(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        await transaction.rollback()


@pytest.fixture
async def client(
    app: FastAPI, state: State, session_factory: SessionFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service, in this process."""
    async with client_of(app, {**state, "session_factory": session_factory}) as client:
        yield client


@asynccontextmanager
async def running(app: FastAPI) -> AsyncGenerator[State]:
    """Start the app, as a server does, and yield what its lifespan built."""
    async with app.router.lifespan_context(app) as state:
        yield cast("State", state)


def client_of(app: FastAPI, state: Mapping[str, Any]) -> httpx2.AsyncClient:
    """Return a client of `app` whose requests get `state`, as a server passes it on."""

    async def app_with_state(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    transport = httpx2.ASGITransport(app_with_state)
    return httpx2.AsyncClient(transport=transport, base_url="http://test")
