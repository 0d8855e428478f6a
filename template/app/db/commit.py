"""What happens with a commit."""

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

Action = Callable[[], object]

_ACTIONS = "when_committed"


def when_committed(session: AsyncSession, action: Action) -> None:
    """Do `action` when the changes of the session's transaction are committed.

    If they are rolled back, or the savepoint is in which this was called, it is never done.
    """
    sync_session = session.sync_session
    if _ACTIONS not in sync_session.info:
        sync_session.info[_ACTIONS] = []
        event.listen(sync_session, "after_commit", _run)
        event.listen(sync_session, "after_soft_rollback", _forget)
    sync_session.info[_ACTIONS].append((sync_session.get_nested_transaction(), action))


def _run(session: Session) -> None:
    if not session.in_nested_transaction():  # a savepoint's release commits nothing
        actions = session.info[_ACTIONS]
        session.info[_ACTIONS] = []
        for _, action in actions:
            action()


def _forget(session: Session, ended: SessionTransaction) -> None:
    session.info[_ACTIONS] = [
        (savepoint, action)
        for savepoint, action in session.info[_ACTIONS]
        if ended.nested and savepoint is not ended
    ]
