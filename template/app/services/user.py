"""What can be done with accounts."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.accounts.audit import AuditEvent
from app.accounts.caller import Caller
from app.accounts.names import parse_username
from app.accounts.password_policy import refuse_guessable
from app.models.user import User
from app.repositories.user import UserRepository
from app.repositories.user_session import UserSessionRepository
from app.schemas.pagination import MAX_ROWS, numbering
from app.schemas.user import (
    PasswordChange,
    UserAdminUpdate,
    UserPage,
    UserPageQuery,
    UserRead,
    UserUpdate,
)
from app.services.auth import AuthService
from app.utils.exceptions import (
    ConflictError,
    ForbiddenError,
    InvalidFieldError,
    NotFoundError,
    UnprocessableError,
)


@dataclass(frozen=True, slots=True)
class UserService:
    """Operations on accounts, for their users and for admins.

    Every request reads the account's role and status from the database, never from a token, so a
    change takes effect at once. It also ends the account's sessions (OWASP ASVS 7.4.2).
    """

    users: UserRepository
    sessions: UserSessionRepository
    auth: AuthService

    async def update_own(self, caller: Caller, data: UserUpdate) -> UserRead:
        """Change the caller's own profile.

        A new e-mail address or username is a new way to log in: it requires the password.

        Raises:
            ConflictError: the e-mail address or the username is taken.
            ForbiddenError: the current password is wrong, or it has not been sent recently.
            UnprocessableError: the rule for usernames refuses the new one.
        """
        names = data.model_dump(include={"email", "username"}, exclude_none=True)
        if any(getattr(caller, field) != name for field, name in names.items()):
            if data.current_password is None:
                await self.auth.require_proof(caller)
            else:
                await self.auth.reauthenticate(caller, data.current_password.get_secret_value())
        changes = data.model_dump(exclude_none=True, exclude={"current_password"})
        return await self._change(await self._find(caller.id, for_update=True), changes)

    async def change_password(self, caller: Caller, data: PasswordChange) -> None:
        """Change the caller's password, and end all their other sessions.

        Raises:
            ConflictError: another request changed it meanwhile.
            ForbiddenError: the current password is wrong.
            InvalidFieldError: the new one is a name of the account, or known from a data breach.
        """
        new_password = data.new_password.get_secret_value()
        try:
            refuse_guessable(new_password, (caller.email, caller.username, caller.full_name))
        except ValueError as error:
            raise InvalidFieldError("new_password", str(error)) from None
        user = await self.auth.reauthenticate(caller, data.current_password.get_secret_value())
        await self.auth.breached.refuse(
            new_password, "new_password", self.auth.audit, target_id=user.id
        )
        async with self.auth.passwords.turn(self.auth.origin.network):
            new = await self.auth.passwords.hash(new_password)
        if not await self.users.replace_hash(user.id, old=user.hashed_password, new=new):
            raise ConflictError("The password was changed meanwhile.")
        await self.sessions.revoke(user.id, but=caller.session_id)
        self.auth.audit.record_change(AuditEvent.PASSWORD_CHANGED, target_id=user.id)

    async def delete_own(self, caller: Caller) -> None:
        """Delete the caller's account and all its data.

        Raises:
            ConflictError: it is the last admin.
            ForbiddenError: the password has not been sent recently.
        """
        await self.auth.require_proof(caller)
        if await self.users.lock_admins() == {caller.id}:
            raise ConflictError("You are the last admin: make another account an admin first.")
        await self.users.delete(caller.id)
        self.auth.audit.record_change(AuditEvent.USER_DELETED, target_id=caller.id)

    async def page(self, query: UserPageQuery) -> UserPage:
        """Return one page of the accounts that match."""
        role, is_active = query.role, query.is_active
        counted = await self.users.count(query.q, role=role, is_active=is_active)
        users = await self.users.page(
            query.q,
            role=role,
            is_active=is_active,
            sort=query.sort,
            offset=query.offset,
            limit=query.page_size,
            few=counted <= MAX_ROWS,
        )
        return UserPage.model_validate({"users": users, **numbering(query, counted)})

    async def get(self, user_id: int) -> UserRead:
        """Return an account.

        Raises:
            NotFoundError: there is none with this id.
        """
        return UserRead.model_validate(await self._find(user_id))

    async def update(self, admin: Caller, user_id: int, data: UserAdminUpdate) -> UserRead:
        """Change another account. A new role or status ends its sessions.

        Raises:
            ConflictError: it is the admin's own; or the e-mail address or the username is taken.
            ForbiddenError: the caller is not an admin any more.
            NotFoundError: there is no account with this id.
            UnprocessableError: the rule for usernames refuses the new one.
        """
        await self._require_admin_of_another(admin, user_id)
        user = await self._find(user_id, for_update=True)
        before = (user.role, user.is_active)
        changed = await self._change(user, data.model_dump(exclude_none=True))
        if (user.role, user.is_active) != before:
            await self.sessions.revoke(user.id)
            self.auth.audit.record_change(
                AuditEvent.RIGHTS_CHANGED,
                target_id=user.id,
                role=user.role,
                is_active=user.is_active,
            )
        return changed

    async def delete(self, admin: Caller, user_id: int) -> None:
        """Delete another account.

        Raises:
            ConflictError: it is the admin's own.
            ForbiddenError: the caller is not an admin any more.
            NotFoundError: there is no account with this id.
        """
        await self._require_admin_of_another(admin, user_id)
        if not await self.users.delete(user_id):
            raise _not_found(user_id)
        self.auth.audit.record_change(AuditEvent.USER_DELETED, target_id=user_id)

    async def _require_admin_of_another(self, admin: Caller, user_id: int) -> None:
        """Check that `admin` is an admin, and lock the admins until the commit.

        If two admins remove each other, the second waits here and is refused. So at least one admin
        always remains.
        """
        if user_id == admin.id:
            raise ConflictError("This is your own account: see /users/me.")
        if admin.id not in await self.users.lock_admins():
            self.auth.audit.record(AuditEvent.ACCESS_FORBIDDEN, target_id=user_id)
            raise ForbiddenError("Your account may not do this any more.")

    async def _find(self, user_id: int, *, for_update: bool = False) -> User:
        user = await self.users.get(user_id, for_update=for_update)
        if user is None:
            raise _not_found(user_id)
        return user

    async def _change(self, user: User, changes: Mapping[str, object]) -> UserRead:
        new = {name: value for name, value in changes.items() if getattr(user, name) != value}
        if "username" in new:
            _require_good_username(str(new["username"]))
        for name, value in new.items():
            setattr(user, name, value)
        await self.users.flush()
        if new:
            self.auth.audit.record_change(
                AuditEvent.USER_CHANGED, target_id=user.id, fields=sorted(new)
            )
        return UserRead.model_validate(user)


def _require_good_username(name: str) -> None:
    try:
        parse_username(name)
    except ValueError as error:
        raise UnprocessableError(f"The username {error}.") from None


def _not_found(user_id: int) -> NotFoundError:
    return NotFoundError(f"There is no user {user_id}.")
