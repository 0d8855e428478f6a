"""Metrics of the pool and of commits."""

import asyncio

import pytest
from fastapi import FastAPI
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from app.core.config import Settings
from app.features import State
from app.main import create_app
from tests.conftest import running
from tests.counting import value
from tests.waiting import until

IN_USE = {"state": "in_use"}
IDLE = {"state": "idle"}
NAME = "fastapi_database_connections"


@pytest.fixture
def pooled(settings: Settings) -> FastAPI:
    return create_app(settings.model_copy(update={"db_pool_size": 2, "db_max_overflow": 3}))


async def hold(state: State, end: asyncio.Event | None = None, *, die: bool = False) -> None:
    """Use a connection, until `end` if there is one."""
    async with state["engine"].connect() as connection:
        await connection.execute(text("SELECT 1"))
        if end:
            await end.wait()
        if die:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


@pytest.mark.parametrize("die", [False, True])
async def test_connections_in_use_and_idle(pooled: FastAPI, die: bool) -> None:
    """Also when connections overflow the pool or break, and when the pool is closed."""
    in_use, idle = value(NAME, **IN_USE), value(NAME, **IDLE)
    async with running(pooled) as state:
        assert value(f"{NAME}_max") == 5
        end = asyncio.Event()
        holders = [asyncio.create_task(hold(state, end, die=die)) for _ in range(4)]
        await until(lambda: value(NAME, **IN_USE) == in_use + 4)
        assert value(NAME, **IDLE) == idle
        end.set()
        results = await asyncio.gather(*holders, return_exceptions=True)
        assert [isinstance(result, Exception) for result in results] == [die] * 4
        assert value(NAME, **IN_USE) == in_use
        assert value(NAME, **IDLE) == (idle if die else idle + 2)
        await hold(state)
    assert (value(NAME, **IN_USE), value(NAME, **IDLE)) == (in_use, idle)


async def test_database_that_refuses(settings: Settings, empty_database: URL) -> None:
    """A connection that could not be checked out was never in use."""
    app = create_app(settings.model_copy(update={"database_url": empty_database}))
    in_use, idle = value(NAME, **IN_USE), value(NAME, **IDLE)
    name = empty_database.database
    async with running(app) as state, running(create_app(settings)) as other:
        await hold(state)
        assert value(NAME, **IDLE) == idle + 1
        async with other["probe_engine"].connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(text(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'))
            end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :n"
            await connection.execute(text(end), {"n": name})
        for _ in range(3):
            with pytest.raises(DBAPIError):
                await hold(state)
        assert (value(NAME, **IN_USE), value(NAME, **IDLE)) == (in_use, idle)
