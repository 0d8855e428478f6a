"""What happens with a commit."""

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession


def when_committed(session: AsyncSession, action: Callable[[], object]) -> None:
    """Do `action` with the next commit of the session; after a rollback, never."""
    event.listen(session.sync_session, "after_commit", lambda _session: action(), once=True)
