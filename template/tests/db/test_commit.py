"""Actions that wait for the end of a transaction."""

import asyncio
from contextlib import suppress

from sqlalchemy import text

from app.core.config import Settings
from app.db.commit import after_transaction, on_commit
from app.dependencies.database import DBSession
from app.main import create_app
from app.utils.exceptions import NotFoundError
from tests.conftest import SessionFactory, client_of, running


async def test_on_commit_runs_once_and_only_for_what_is_committed(
    session_factory: SessionFactory,
) -> None:
    done: list[str] = []
    async with session_factory() as session:
        on_commit(session, lambda: done.append("rolled back"))
        await session.execute(text("SELECT 1"))
        await session.rollback()
        await session.commit()
        assert not done
        with suppress(LookupError):
            async with session.begin_nested():
                on_commit(session, lambda: done.append("savepoint rolled back"))
                raise LookupError
        async with session.begin_nested():
            on_commit(session, lambda: done.append("savepoint released"))
        assert not done
        await session.commit()
        assert done == ["savepoint released"]
        await session.execute(text("SELECT 1"))
        await session.commit()
        assert done == ["savepoint released"]


async def test_after_transaction_runs_however_the_commit_ends(
    settings: Settings,
) -> None:
    """A commit that fails or is interrupted may have worked; one that was not tried has not."""
    done: list[str] = []
    app = create_app(settings.model_copy(update={"request_timeout": 0.3}))

    @app.get("/change/{end}")
    async def change(session: DBSession, end: str) -> None:
        async def note() -> None:
            done.append(end)

        after_transaction(session, note)
        if end == "error":
            raise NotFoundError("no")
        if end == "slow commit":
            commit = session.commit

            async def commit_slowly() -> None:
                await commit()
                await asyncio.sleep(60)

            session.commit = commit_slowly  # type: ignore[method-assign]
        if end == "failing commit":
            await session.execute(
                text("CREATE TEMP TABLE once (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
            )
            await session.execute(text("INSERT INTO once VALUES (1), (1)"))

    async with running(app) as state, client_of(app, state) as client:
        for end in ("error", "failing commit", "slow commit", "commit"):
            await client.get(f"/change/{end}")
    assert done == ["failing commit", "slow commit", "commit"]
