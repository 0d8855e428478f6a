"""Everything that is stored about a user, as one JSON document."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app.core.feature import Export
from app.models.user_session import UserSession
from app.repositories.user_session import UserSessionRepository
from app.schemas.auth import StoredSession

SessionFactory = async_sessionmaker[AsyncSession]
Row = TypeVar("Row")


async def export_document(
    account: BaseModel, exports: Mapping[str, Export], sessions: SessionFactory, user_id: int
) -> AsyncGenerator[str]:
    """Yield the document in small parts: the account, and the list of each export.

    If an export fails, the document ends early and is no valid JSON.
    """
    yield f'{{"account":{account.model_dump_json()}'
    for name, export in exports.items():
        yield f",{json.dumps(name)}:["
        comma = ""
        async for row in export(sessions, user_id):
            yield comma + row.model_dump_json()
            comma = ","
        yield "]"
    yield "}"


async def in_pages(
    sessions: SessionFactory,
    read: Callable[[AsyncSession, Row | None], Awaitable[Sequence[Row]]],
) -> AsyncIterator[Row]:
    """Yield all rows; `read` returns those of one page, after the last row of the page before.

    Each page has a session of its own, so that a slow client holds no connection, and memory is
    bounded by a page.
    """
    last = None
    while True:
        async with sessions() as session:
            page = await read(session, last)
        if not page:
            return
        for row in page:
            yield row
        last = page[-1]


async def export_sessions(sessions: SessionFactory, user_id: int) -> AsyncIterator[StoredSession]:
    """Yield the user's sessions, also those that have ended: they have addresses."""

    async def read(session: AsyncSession, last: UserSession | None) -> Sequence[UserSession]:
        return await UserSessionRepository(session).stored(
            user_id, last.id if last else None, limit=100
        )

    async for stored in in_pages(sessions, read):
        yield StoredSession.model_validate(stored)
