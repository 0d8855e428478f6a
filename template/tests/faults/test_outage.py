"""Outages of the database, seen by clients."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import count

import httpx2
import pytest

from app.core.config import Settings
from app.db.migrations import upgrade
from app.settings.database_url import parse_database_url
from dev.binaries import reachable_binaries
from dev.postgres import initialise, running_server
from dev.process import throwaway_home
from tests.databases import execute
from tests.load import under_load
from tests.server import WITH_ROUTES, serving

PASSING = "503 with Retry-After"

Start = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def own(settings: Settings) -> Iterator[tuple[Settings, Start]]:
    """Settings that name a server of the test's own, and what runs it for as long as a block."""
    with throwaway_home("pg-") as home, tempfile.TemporaryFile() as log:
        binaries, data = reachable_binaries(home), home / "data"
        initialise(binaries, data, "--username=postgres", "--auth=trust")

        @contextmanager
        def start() -> Iterator[None]:
            options = ("listen_addresses=", f"unix_socket_directories={home}")
            # QUIT is an immediate shutdown: afterwards, the server has to recover.
            with running_server(binaries, data, options, log=log, stop_signal="QUIT"):
                yield

        url = parse_database_url(f"postgresql://postgres@/postgres?host={home}")
        yield settings.model_copy(update={"database_url": url}), start


def test_f2_database_away_at_start(own: tuple[Settings, Start]) -> None:
    """F2: the process waits for its database without a crash, then continues by itself."""
    settings, start = own
    with serving(settings) as service:
        assert service.get("/live").status_code == 200
        assert service.get("/ready").status_code == 503
        assert service.get("/health").json()["database"] == "unhealthy"
        with start():
            upgrade(settings.database_url)
            service.wait_for("/ready", 200)
        assert service.process.poll() is None


@pytest.mark.soak
def test_f3_restart_under_load(own: tuple[Settings, Start]) -> None:
    """F3: while the database crashes and recovers, clients get a 503 and no other error.

    What was confirmed to them is there afterwards, and no connection that died is left in the pool.
    """
    settings, start = own
    numbers = count()
    confirmed: list[tuple[object, ...]] = []

    def mark(client: httpx2.Client) -> httpx2.Response:
        number = next(numbers)
        response = client.post(f"{service.address}/marks/{number}")
        if response.status_code == 200:
            confirmed.append((number,))
        return response

    with (
        serving(settings, program=WITH_ROUTES, RATE_LIMIT_ENABLED="false") as service,
        ExitStack() as server,
    ):
        server.enter_context(start())
        upgrade(settings.database_url)
        execute(settings.database_url, "CREATE TABLE marks (number int)")
        service.wait_for("/ready", 200)
        with under_load(mark) as load:
            load.enter("running")
            load.enter("away", load.clients)
            server.close()
            load.enter("without a database")
            server.enter_context(start())
            service.wait_for("/ready", 200)
            load.enter("back", 500)
        kept = execute(settings.database_url, "SELECT number FROM marks")
    assert set(load.answers["running"]) == set(load.answers["back"]) == {"200"}
    assert set(load.answers["away"]) <= {"200", PASSING}
    assert PASSING in load.answers["without a database"]
    assert set(load.answers["without a database"]) <= {"200", PASSING}
    assert set(confirmed) <= set(kept)
