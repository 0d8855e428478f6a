"""Login, refresh and logout."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID, uuid4

from pydantic import ValidationError

from app.accounts.audit import AuditEvent, AuditTrail
from app.accounts.breached import BreachedPasswords
from app.accounts.caller import Caller
from app.accounts.origin import Origin
from app.accounts.passwords import PasswordService
from app.core.security import (
    create_access_token,
    create_refresh_token,
    hash_token,
    refuse_token,
    verify_token,
)
from app.models.user import User
from app.models.user_session import UserSession
from app.repositories.user import UserRepository
from app.repositories.user_session import UserSessionRepository
from app.schemas.auth import Identity, TokenPair
from app.schemas.user import UserCreate
from app.services.throttle import Attempt, LoginThrottle
from app.settings.accounts import AuthSettings
from app.utils.exceptions import (
    ForbiddenError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
)

PROOF_LIFETIME = timedelta(minutes=10)
"""How long a password that was sent again counts for sensitive changes in its session."""


class ReauthenticationRequiredError(ForbiddenError):
    """The caller must send the password again."""

    error_code = "reauthentication_required"


@dataclass(frozen=True, slots=True)
class AuthService:
    """Accounts and their sessions.

    A session is a row, and every request checks it, so **an access token stops working at once**
    when its session ends. A session ends by logout, by revocation, after
    `REFRESH_TOKEN_EXPIRE_DAYS` without a refresh, after `SESSION_MAX_DAYS` in any case, and when
    the account's role, status or password changes (except the session that changes the password).

    A refresh token works once. A used token that is sent again means that it was stolen, so the
    session ends (RFC 9700, section 4.14.2). Clients must not refresh twice at the same time.

    `commit` stores what must survive the error that follows, and returns the connection.
    """

    settings: AuthSettings
    origin: Origin
    users: UserRepository
    sessions: UserSessionRepository
    throttle: LoginThrottle
    passwords: PasswordService
    breached: BreachedPasswords
    audit: AuditTrail
    commit: Callable[[], Awaitable[None]]

    async def register_user(self, data: UserCreate) -> User:
        """Create an account.

        Raises:
            ConflictError: the e-mail address or the username is taken.
            InvalidFieldError: the password is known from a data breach.
            ServiceUnavailableError: too many passwords wait to be hashed.
        """
        password = data.password.get_secret_value()
        await self.breached.refuse(password, "password", self.audit)
        async with self.passwords.turn(self.origin.network):
            hashed = await self.passwords.hash(password)
        user = await self.users.add(
            User(**data.model_dump(exclude={"password"}), hashed_password=hashed)
        )
        self.audit.record_change(AuditEvent.USER_REGISTERED, target_id=user.id, user_id=user.id)
        return user

    async def authenticate_user(self, username: str, password: str) -> User:
        """Return the account with this e-mail address or username, if the password is right.

        Unknown, inactive and wrong give the same response, in the same time.

        Raises:
            UnauthorizedError: the password is wrong, or there is no such active account.
            TooManyRequestsError: it was wrong too often recently.
            ServiceUnavailableError: too many passwords wait to be checked.
        """
        async with self.passwords.turn(self.origin.network):
            user, last_login = await self.users.find_for_login(
                username,
                self.origin.network,
                timedelta(days=self.settings.known_network_days),
            )
            attempt = self.throttle.login(username, self.origin, last_login)
            return await self._require_password(user, password, attempt)

    async def reauthenticate(self, caller: Caller, password: str) -> User:
        """Check that the caller knows the password, and return the account.

        For `PROOF_LIFETIME`, the session is proved then.

        Raises:
            ForbiddenError: the password is wrong.
            TooManyRequestsError: it was wrong too often recently.
            ServiceUnavailableError: too many passwords wait to be checked.
            UnauthorizedError: the session has ended meanwhile.
        """
        await self.commit()  # so that no connection is held while waiting for a turn
        async with self.passwords.turn(self.origin.network):
            user = await self.users.get(caller.id)
            attempt = self.throttle.reauthentication(caller.id, self.origin)
            try:
                user = await self._require_password(user, password, attempt)
            except UnauthorizedError:
                raise ForbiddenError("The current password is wrong.") from None
        if not await self.sessions.prove(caller.session_id):
            refuse_token()
        self.audit.record_change(AuditEvent.REAUTHENTICATED, target_id=caller.id)
        await self.commit()  # nor afterwards
        return user

    async def require_proof(self, caller: Caller) -> None:
        """Check that the password was sent again recently: the access token may be stolen.

        Raises:
            ReauthenticationRequiredError: it was not (OWASP ASVS 7.5.1).
        """
        if not await self.sessions.is_proved(caller.session_id, PROOF_LIFETIME):
            raise ReauthenticationRequiredError(
                "Send your password to /auth/reauthenticate first, then repeat this request."
            )

    async def login(self, username: str, password: str) -> TokenPair:
        """Start a session.

        Raises:
            The errors of `authenticate_user`.
        """
        user = await self.authenticate_user(username, password)
        session_id = uuid4()
        pair = self._issue(str(user.id), session_id)
        started = await self.sessions.start(
            session_id, user, hash_token(pair.refresh_token), self.origin, self._lifetime
        )
        if not started:
            self._refuse_login(user)
        self.audit.record_change(AuditEvent.LOGIN_SUCCEEDED, target_id=user.id, user_id=user.id)
        return pair

    async def refresh_access_token(self, refresh_token: str) -> TokenPair:
        """Return the session's next pair of tokens. The given token works no more.

        Raises:
            UnauthorizedError: the token is not valid, or the session has ended. If the token was
                used before, the session ends now.
        """
        identity = self._identify(refresh_token)
        pair = self._issue(str(identity.sub), identity.sid)
        renewed = await self.sessions.rotate(
            identity.sid,
            spent=hash_token(refresh_token),
            fresh=hash_token(pair.refresh_token),
            lifetime=self._lifetime,
            max_age=timedelta(days=self.settings.session_max_days),
        )
        if not renewed:
            if await self.sessions.revoke(identity.sub, only=identity.sid):
                await self.commit()
                self.audit.record(AuditEvent.REFRESH_TOKEN_REUSED, target_id=identity.sub)
            refuse_token()
        return pair

    async def logout(self, user_id: int, refresh_token: str) -> None:
        """End the session of a refresh token.

        Raises:
            UnauthorizedError: it is not a token of this user.
        """
        identity = self._identify(refresh_token)
        if identity.sub != user_id:
            refuse_token()
        if await self.sessions.revoke(user_id, only=identity.sid):
            self.audit.record_change(
                AuditEvent.LOGGED_OUT, target_id=user_id, session_id=str(identity.sid)
            )

    async def logout_all(self, user_id: int) -> None:
        """End all of the user's sessions."""
        count = await self.sessions.revoke(user_id)
        self.audit.record_change(
            AuditEvent.LOGGED_OUT_EVERYWHERE, target_id=user_id, sessions=count
        )

    async def list_sessions(self, user_id: int) -> Sequence[UserSession]:
        """Return the user's active sessions."""
        return await self.sessions.of_user(user_id)

    async def end_session(self, user_id: int, session_id: UUID) -> None:
        """End one of the user's sessions.

        Raises:
            NotFoundError: there is none with this id, or it belongs to another user.
        """
        if not await self.sessions.revoke(user_id, only=session_id):
            raise NotFoundError(f"There is no session {session_id}.")
        self.audit.record_change(
            AuditEvent.SESSION_ENDED, target_id=user_id, session_id=str(session_id)
        )

    async def _require_password(self, user: User | None, password: str, attempt: Attempt) -> User:
        """Return the account if it is active and this is its password."""
        if seconds := await self.throttle.seconds_to_wait(attempt):
            self.audit.record(
                AuditEvent.LOGIN_THROTTLED, target_id=user.id if user else None, retry_after=seconds
            )
            raise TooManyRequestsError("Too many wrong passwords: wait a little.", seconds)
        old = user.hashed_password if user else None
        is_right = await self.passwords.verify(password, old)
        if user and is_right and self.passwords.is_outdated(user.hashed_password):
            new = await self.passwords.hash(password)
            is_right = await self.users.replace_hash(user.id, old=user.hashed_password, new=new)
        if user is None or not is_right or not user.is_active:
            await self.throttle.record_failure(attempt)
            await self.commit()
            self._refuse_login(user)
        return user

    def _refuse_login(self, user: User | None) -> NoReturn:
        self.audit.record(AuditEvent.LOGIN_FAILED, target_id=user.id if user else None)
        raise UnauthorizedError("The username or the password is wrong.")

    def _identify(self, refresh_token: str) -> Identity:
        return identify(verify_token(refresh_token, kind="refresh", settings=self.settings))

    def _issue(self, subject: str, session_id: UUID) -> TokenPair:
        settings = self.settings
        return TokenPair(
            access_token=create_access_token(subject, session_id=session_id, settings=settings),
            refresh_token=create_refresh_token(subject, session_id=session_id, settings=settings),
            expires_in=settings.access_token_expire_minutes * 60,
        )

    @property
    def _lifetime(self) -> timedelta:
        days = min(self.settings.refresh_token_expire_days, self.settings.session_max_days)
        return timedelta(days=days)


def identify(claims: Mapping[str, Any]) -> Identity:
    """Return the subject of a token's claims.

    Raises:
        UnauthorizedError: they name none.
    """
    try:
        return Identity.model_validate(claims)
    except ValidationError:
        refuse_token()
