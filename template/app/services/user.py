"""What can be done with accounts."""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from app.core.password_policy import refuse_guessable
from app.core.permissions import Role
from app.models.user import User
from app.models.user_session import UserSession
from app.repositories.user import UserRepository, matching
from app.repositories.user_session import UserSessionRepository
from app.schemas.pagination import numbering
from app.schemas.user import (
    PasswordChange,
    UserAdminUpdate,
    UserPage,
    UserPageQuery,
    UserRead,
    UserUpdate,
)
from app.services.auth import AuthService
from app.services.passwords import PasswordService
from app.utils.exceptions import ConflictError, ForbiddenError, NotFoundError, UnprocessableError

log = structlog.get_logger("app.security")


@dataclass(frozen=True, slots=True)
class UserService:
    """Accounts, as their owners and as admins know them.

    What an account may do is read with every request, never from a token, so a change of its role
    or status holds at once. It ends the account's sessions all the same (OWASP ASVS 7.4.2).
    """

    users: UserRepository
    sessions: UserSessionRepository
    auth: AuthService
    passwords: PasswordService

    async def update_own(self, user: User, data: UserUpdate) -> User:
        """Change the caller's own profile.

        Raises:
            ConflictError: the e-mail address or the username is taken.
            ForbiddenError: a new e-mail address, without the current password.
        """
        changes = data.model_dump(exclude_none=True, exclude={"current_password"})
        if data.email is not None and data.email != user.email:
            if data.current_password is None:
                raise ForbiddenError("A new e-mail address takes the current_password as well.")
            await self.auth.reauthenticate(user, data.current_password.get_secret_value())
        return await self._change(user, changes)

    async def change_password(self, session: UserSession, data: PasswordChange) -> None:
        """Give the caller a new password, and end all their other sessions.

        Raises:
            ForbiddenError: the current password is wrong.
            UnprocessableError: the new one is a name of the account.
        """
        user, new_password = session.user, data.new_password.get_secret_value()
        try:
            refuse_guessable(new_password, (user.email, user.username, user.full_name))
        except ValueError as error:
            raise UnprocessableError(f"The new password {error}.") from None
        await self.auth.reauthenticate(user, data.current_password.get_secret_value())
        async with self.passwords.turn():
            user.hashed_password = await self.passwords.hash(new_password)
        await self.users.flush()
        await self.sessions.revoke(user.id, but=session.id)
        log.info("password_changed", user_id=user.id)

    async def delete_own(self, user: User) -> None:
        """Delete the caller's account with all that belongs to it.

        Raises:
            ConflictError: it is the last admin.
        """
        await self._require_other_admin(user.id)
        await self.users.delete(user.id)
        log.info("user_deleted", user_id=user.id)

    async def page(self, query: UserPageQuery) -> UserPage:
        """Return one page of the accounts that match."""
        conditions = matching(query.q, role=query.role, is_active=query.is_active)
        total = await self.users.count(conditions)
        users = await self.users.page(
            conditions, sort=query.sort, offset=query.offset, limit=query.page_size
        )
        return UserPage(
            users=[UserRead.model_validate(user) for user in users], **numbering(query, total)
        )

    async def get(self, user_id: int) -> User:
        """Return an account.

        Raises:
            NotFoundError: there is none with this id.
        """
        return await self._find(user_id)

    async def update(self, admin: User, user_id: int, data: UserAdminUpdate) -> User:
        """Change any account. A new role or status ends its sessions.

        Raises:
            ConflictError: it would take an admin's own rights, or the last admin; or the e-mail
                address or the username is taken.
            NotFoundError: there is no account with this id.
        """
        loses_rights = data.role not in {None, Role.ADMIN} or data.is_active is False
        if loses_rights:
            await self._require_somebody_else(admin, user_id)
        user = await self._find(user_id, for_update=True)
        before = (user.role, user.is_active)
        await self._change(user, data.model_dump(exclude_none=True))
        if (user.role, user.is_active) != before:
            await self.sessions.revoke(user.id)
            log.warning(
                "rights_changed", target_id=user.id, role=user.role, is_active=user.is_active
            )
        return user

    async def delete(self, admin: User, user_id: int) -> None:
        """Delete any account but one's own.

        Raises:
            ConflictError: it is the admin's own, or the last admin.
            NotFoundError: there is no account with this id.
        """
        await self._require_somebody_else(admin, user_id)
        if not await self.users.delete(user_id):
            raise _not_found(user_id)
        log.warning("user_deleted", target_id=user_id)

    async def _require_somebody_else(self, admin: User, user_id: int) -> None:
        if user_id == admin.id:
            raise ConflictError("Nobody takes their own rights: ask another admin.")
        await self._require_other_admin(user_id)

    async def _require_other_admin(self, user_id: int) -> None:
        """Make sure that an admin is left without this account, until our commit.

        Two admins who remove each other wait for one another here; the second is refused.
        """
        admins = await self.users.lock_admins()
        if admins == {user_id}:
            raise ConflictError("This is the last admin: make somebody else one first.")

    async def _find(self, user_id: int, *, for_update: bool = False) -> User:
        user = await self.users.get(user_id, for_update=for_update)
        if user is None:
            raise _not_found(user_id)
        return user

    async def _change(self, user: User, changes: Mapping[str, object]) -> User:
        for name, value in changes.items():
            setattr(user, name, value)
        await self.users.flush()
        return user


def _not_found(user_id: int) -> NotFoundError:
    return NotFoundError(f"There is no user {user_id}.")
