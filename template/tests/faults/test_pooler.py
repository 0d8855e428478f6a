"""X7: the service behind a connection pooler in transaction mode.

DB_POOLER=true DATABASE_URL=… MIGRATION_DATABASE_URL=… make test ARGS=tests/faults/test_pooler.py
"""

from collections.abc import Iterator
from itertools import count

import httpx2
import pytest
from sqlalchemy import URL
from structlog.testing import capture_logs

from app.core.config import Settings
from app.db.migrations import upgrade
from app.main import create_app
from tests.conftest import client_of, running
from tests.databases import POOLER, execute
from tests.load import under_load
from tests.server import WITH_ROUTES, Service, serving

pytestmark = pytest.mark.skipif(POOLER is None, reason="needs a pooler: DB_POOLER=true")

REQUESTS = 500


@pytest.fixture
def direct(settings: Settings) -> Iterator[URL]:
    """PostgreSQL itself, with a table of marks."""
    assert settings.migration_database_url
    execute(settings.migration_database_url, "CREATE TABLE marks (number int)")
    yield settings.migration_database_url
    execute(settings.migration_database_url, "DROP TABLE marks")


@pytest.fixture
def service(settings: Settings) -> Iterator[Service]:
    """The service, with more connections than the pooler has to the server."""
    with serving(
        settings,
        program=WITH_ROUTES,
        RATE_LIMIT_ENABLED="false",
        DB_POOL_SIZE="20",
        DB_STATEMENT_TIMEOUT="1",
    ) as service:
        yield service


def test_load(service: Service, settings: Settings, direct: URL) -> None:
    """X7: sessions are shared, every statement has its deadline, and nothing stays in a session."""
    numbers = count()

    def ask(client: httpx2.Client) -> httpx2.Response:
        number = next(numbers)
        if number % 5 == 0:
            return client.get(f"{service.address}/query?seconds=0.01")
        return client.post(f"{service.address}/marks/{number}")

    service.wait_for("/ready", 200)
    with under_load(ask, clients=16) as load:
        load.enter("loaded", REQUESTS)
    assert set(load.answers["loaded"]) == {"200"}
    assert service.get("/query?seconds=60").status_code == 503  # cancelled by the server
    stored = execute(direct, "SELECT number FROM marks")
    assert len(set(stored)) == len(stored) > REQUESTS / 2
    for _ in range(10):  # whichever session it is
        assert execute(settings.database_url, "SHOW lock_timeout") == [("0",)]
        prepared = execute(settings.database_url, "SELECT name FROM pg_prepared_statements")
        assert {name for (name,) in prepared} <= {""}


@pytest.mark.usefixtures("direct")
def test_lock_of_migrations_is_released(settings: Settings, direct: URL) -> None:
    """X7: also where the pooler is not known, so that the next migration does not wait for ever."""
    for _ in range(3):
        upgrade(settings.database_url, lock_timeout=1)
    held = execute(direct, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
    assert held == [(0,)]
    for _ in range(10):  # whichever session it is
        assert execute(settings.database_url, "SHOW lock_timeout") == [("0",)]


async def test_pooler_that_is_not_known(settings: Settings) -> None:
    """X7: the log says in the pooler's own words what it refuses, and names the setting."""
    app = create_app(settings.model_copy(update={"db_pooler": False}))
    async with running(app) as state, client_of(app, state) as client:
        with capture_logs() as lines:
            answers = [await client.get(path) for path in ("/ready", "/health")]
    assert [answer.status_code for answer in answers] == [503, 503]
    reasons = {line["reason"] for line in lines if line["event"] != "request"}
    assert reasons == {"unsupported startup parameter: statement_timeout; set DB_POOLER=true"}
