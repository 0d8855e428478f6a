"""Actions that wait for the end of a transaction.

`on_commit` is for what must happen only if the changes are stored, such as counting them.
`after_transaction` is for what must happen if they may be stored, such as invalidating a cache.
"""

from collections.abc import Awaitable, Callable

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

_ON_COMMIT = "on_commit"
_AFTER_TRANSACTION = "after_transaction"


def on_commit(session: AsyncSession, action: Callable[[], object]) -> None:
    """Call `action` when the session's transaction is committed, and only then.

    After a rollback, also of the savepoint in which this was called, it is not called.
    """
    sync_session = session.sync_session
    if _ON_COMMIT not in sync_session.info:
        sync_session.info[_ON_COMMIT] = []
        event.listen(sync_session, "after_commit", _run)
        event.listen(sync_session, "after_soft_rollback", _forget)
    sync_session.info[_ON_COMMIT].append((sync_session.get_nested_transaction(), action))


def after_transaction(session: AsyncSession, action: Callable[[], Awaitable[None]]) -> None:
    """Await `action`, which must not raise, when the request's transaction has ended.

    It is awaited before the response is sent, also if the commit fails or is interrupted. Then it
    is unknown whether the changes are stored.
    """
    session.info.setdefault(_AFTER_TRANSACTION, []).append(action)


async def commit(session: AsyncSession) -> None:
    """Commit the session's transaction, then await the actions of `after_transaction`."""
    try:
        await session.commit()
    finally:
        for action in session.info.pop(_AFTER_TRANSACTION, ()):
            await action()


def _run(session: Session) -> None:
    if not session.in_nested_transaction():  # a savepoint's release commits nothing
        actions = session.info[_ON_COMMIT]
        session.info[_ON_COMMIT] = []
        for _, action in actions:
            action()


def _forget(session: Session, ended: SessionTransaction) -> None:
    session.info[_ON_COMMIT] = [
        (savepoint, action)
        for savepoint, action in session.info[_ON_COMMIT]
        if ended.nested and savepoint is not ended
    ]
