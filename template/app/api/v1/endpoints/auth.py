"""Registration, login and sessions."""

from typing import Annotated
from uuid import UUID

from fastapi import Form, status

from app.api.router import Router
from app.dependencies.auth import AuthServiceDep, CurrentUser
from app.schemas.auth import LoginForm, Reauthentication, RefreshToken, SessionRead, TokenPair
from app.schemas.user import UserCreate, UserRead

router = Router(prefix="/auth", tags=["auth"])


@router.post("/register", status_code=status.HTTP_201_CREATED)
async def register(data: UserCreate, auth: AuthServiceDep) -> UserRead:
    """Create an account. 409 if the e-mail address or the username is taken."""
    return UserRead.model_validate(await auth.register_user(data))


@router.post("/login")
async def login(form: Annotated[LoginForm, Form()], auth: AuthServiceDep) -> TokenPair:
    """Start a session. After several wrong passwords, 429 says how long to wait."""
    return await auth.login(form.username, form.password.get_secret_value())


@router.post("/refresh")
async def refresh(data: RefreshToken, auth: AuthServiceDep) -> TokenPair:
    """Get the next pair of tokens. Each token works once: sending it again ends the session."""
    return await auth.refresh_access_token(data.refresh_token)


@router.post("/reauthenticate", status_code=status.HTTP_204_NO_CONTENT)
async def reauthenticate(data: Reauthentication, user: CurrentUser, auth: AuthServiceDep) -> None:
    """Send your password again. For ten minutes, this session may make sensitive changes.

    403 if it is wrong. After several wrong passwords, 429 says how long to wait.
    """
    await auth.reauthenticate(user, data.password.get_secret_value())


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
async def logout(data: RefreshToken, user: CurrentUser, auth: AuthServiceDep) -> None:
    """End the session of this refresh token. Its access token stops working at once."""
    await auth.logout(user.id, data.refresh_token)


@router.post("/logout-all", status_code=status.HTTP_204_NO_CONTENT)
async def logout_all(user: CurrentUser, auth: AuthServiceDep) -> None:
    """End all of your sessions, including this one."""
    await auth.logout_all(user.id)


@router.get("/sessions")
async def list_sessions(user: CurrentUser, auth: AuthServiceDep) -> list[SessionRead]:
    """List your sessions, the most recently used first."""
    return [
        SessionRead.of(session, is_current=session.id == user.session_id)
        for session in await auth.list_sessions(user.id)
    ]


@router.delete("/sessions/{session_id}", status_code=status.HTTP_204_NO_CONTENT)
async def end_session(session_id: UUID, user: CurrentUser, auth: AuthServiceDep) -> None:
    """End one of your sessions."""
    await auth.end_session(user.id, session_id)
