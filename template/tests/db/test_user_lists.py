"""Lists of many accounts: what a page reads does not grow with the table."""

from collections.abc import AsyncIterator, Iterator
from typing import get_args

import pytest
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from app.core.config import Settings
from app.db.migrations import upgrade
from app.db.session import build_engine
from app.repositories.user import UserRepository
from app.schemas.pagination import MAX_ROWS
from app.schemas.user import UserPageQuery, UserSort
from tests.databases import execute, new_database, settings_for
from tests.plans import recorded, rows_read

# A few are admins, a few others inactive; half of the names begin with "a".
USERS = """
INSERT INTO users (
    email, email_key, username, username_key, hashed_password, role, is_active, created_at
)
SELECT '', name || '@example.com', '', name, '!',
    CASE WHEN n % 5000 = 7 THEN 'admin' ELSE 'user' END, n % 5000 <> 8, now() + n * interval '1 s'
FROM generate_series(1, {}) n,
    LATERAL (SELECT CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END || md5(n::text)) AS named (name)
"""

LAST = MAX_ROWS // 20


@pytest.fixture(scope="module", params=[40_000, pytest.param(200_000, marks=pytest.mark.soak)])
def many(request: pytest.FixtureRequest, server_url: str) -> Iterator[URL]:
    """A database with this number of accounts."""
    with new_database(server_url) as url:
        upgrade(url)
        execute(url, USERS.format(request.param), "VACUUM ANALYZE")
        yield url


@pytest.fixture(scope="module")
async def engine(many: URL, settings: Settings) -> AsyncIterator[AsyncEngine]:
    engine = build_engine(settings.model_copy(update=settings_for(many)))
    yield engine
    await engine.dispose()


@pytest.mark.parametrize(
    ("query", "page", "bound"),
    [
        ({}, 1, 50),
        ({}, LAST, MAX_ROWS + 50),
        # All that match are read and sorted.
        ({"q": "a%"}, 1, 50),
        ({"q": "A123"}, 1, 100),
        ({"role": "admin"}, 1, 100),
        ({"is_active": False}, 1, 100),
        ({"is_active": False, "role": "user", "q": "a"}, 1, 100),
        # The first of the order are enough; "a" is in the second half of some.
        ({"role": "user", "is_active": True}, 1, 50),
        ({"role": "user", "is_active": True}, LAST, MAX_ROWS + 50),
    ],
    ids=str,
)
async def test_page_reads_little_in_every_order(
    engine: AsyncEngine, query: dict[str, object], page: int, bound: int
) -> None:
    for sort in get_args(UserSort):
        asked = UserPageQuery.model_validate({**query, "sort": sort, "page": page})
        async with AsyncSession(engine) as session:
            users = UserRepository(session)
            with recorded(engine) as statements:
                counted = await users.count(asked.q, role=asked.role, is_active=asked.is_active)
                await users.page(
                    asked.q,
                    role=asked.role,
                    is_active=asked.is_active,
                    sort=sort,
                    offset=asked.offset,
                    limit=asked.page_size,
                    few=counted <= MAX_ROWS,
                )
        counting, reading = [await rows_read(engine, statement) for statement in statements]
        # With the role as a parameter, a prepared statement would keep one plan for all roles.
        assert asked.role is None or f"'{asked.role}'" in statements[1][0]
        assert counting <= MAX_ROWS + 50
        assert reading <= bound, sort


async def test_beginning_of_most_names_reads_little(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        users = UserRepository(session)
        with recorded(engine) as statements:
            assert await users.count("a", role=None, is_active=None) == MAX_ROWS + 1
            await users.page(
                "a", role=None, is_active=None, sort="-created_at", offset=0, limit=20, few=False
            )
    counting, reading = [await rows_read(engine, statement) for statement in statements]
    assert counting <= 3 * MAX_ROWS
    assert reading <= 100
