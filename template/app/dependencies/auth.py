"""Authentication and authorisation of requests."""

from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from structlog.contextvars import bind_contextvars

from app.accounts.audit import AuditEvent, AuditTrail
from app.accounts.bearer import access_claims
from app.accounts.caller import Caller
from app.accounts.origin import Origin
from app.accounts.permissions import Permission, Role, is_permitted
from app.core.security import refuse_token
from app.db.errors import translate_database_errors
from app.dependencies.database import DBSession
from app.repositories.login_failure import LoginFailureRepository
from app.repositories.user import UserRepository
from app.repositories.user_session import UserSessionRepository, find_caller
from app.server.address import client_address
from app.services.auth import AuthService, identify
from app.services.throttle import LoginThrottle
from app.services.user import UserService
from app.utils.exceptions import ForbiddenError

# The URL is set when the app is built: see app/features/accounts.py.
bearer_token = OAuth2PasswordBearer(tokenUrl="", auto_error=False)


async def get_auth_service(request: Request, session: DBSession) -> AuthService:
    """Return the auth service over the request's session."""
    state, origin = request.state, Origin.of(request)
    bind_contextvars(ip_address=str(origin.address))
    return AuthService(
        settings=state.settings,
        origin=origin,
        users=UserRepository(session),
        sessions=UserSessionRepository(session),
        throttle=LoginThrottle(LoginFailureRepository(session), state.settings),
        passwords=state.passwords,
        breached=state.breached_passwords,
        audit=AuditTrail(session, origin),
        commit=session.commit,
    )


AuthServiceDep = Annotated[AuthService, Depends(get_auth_service)]


async def get_user_service(auth: AuthServiceDep) -> UserService:
    """Return the user service over the request's session."""
    return UserService(auth.users, auth.sessions, auth)


UserServiceDep = Annotated[UserService, Depends(get_user_service)]


async def get_current_user(
    request: Request, _token: Annotated[str | None, Depends(bearer_token)]
) -> Caller:
    """Return the caller.

    It reads over a connection of its own. So a dependency that comes before it must not query: it
    would hold one connection while it waits for another.

    Raises:
        UnauthorizedError: there is no valid token, or its session has ended.
    """
    # `_token` is for the OpenAPI document: the rate limit may have verified the token already.
    state = request.state
    claims = access_claims(request.scope, state.settings)
    identity = identify(claims) if claims else refuse_token()
    async with translate_database_errors():
        caller = await find_caller(state.session_factory, identity.sid, identity.sub)
    if caller is None:
        refuse_token()
    bind_contextvars(
        ip_address=str(client_address(request.scope)), user_id=caller.id, username=caller.username
    )
    return caller


CurrentUser = Annotated[Caller, Depends(get_current_user)]

Guard = Callable[[Caller, AuthService], Awaitable[Caller]]


def require_role(*roles: Role) -> Guard:
    """Return a dependency that requires one of these roles and returns the caller.

    Raises:
        ForbiddenError: the caller has another role.
    """

    async def check(user: CurrentUser, auth: AuthServiceDep) -> Caller:
        if user.role not in roles:
            _forbid(auth, role="/".join(roles))
        return user

    return check


def require_permission(permission: Permission) -> Guard:
    """Return a dependency that requires `permission` and returns the caller.

    Raises:
        ForbiddenError: the caller lacks it.
    """

    async def check(user: CurrentUser, auth: AuthServiceDep) -> Caller:
        if not is_permitted(user.role, permission):
            _forbid(auth, permission=permission)
        return user

    return check


CurrentAdmin = Annotated[Caller, Depends(require_role(Role.ADMIN))]


def _forbid(auth: AuthService, **needed: str) -> NoReturn:
    auth.audit.record(AuditEvent.ACCESS_FORBIDDEN, target_id=None, **needed)
    raise ForbiddenError("Your account may not do this.")
