"""What the commands for accounts do."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from secrets import token_urlsafe

import click
from pydantic import ValidationError
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.audit import AuditEvent, AuditTrail
from app.accounts.breached import BreachedPasswords
from app.accounts.permissions import Role
from app.core.config import Settings, load_settings
from app.core.security import get_password_hash
from app.db.errors import explain_access_errors, sqlstate_of
from app.db.session import build_engine, build_session_factory
from app.models.user import User
from app.repositories.login_failure import LoginFailureRepository
from app.repositories.user import UserRepository
from app.repositories.user_session import UserSessionRepository
from app.schemas.user import UserCreate
from app.utils.exceptions import ConflictError, InvalidFieldError
from app.utils.logging import configure_logging


def create_admin(email: str, username: str, full_name: str, *, generate_password: bool) -> None:
    """Create an account with the role admin. Ask for its password, or generate it.

    Raises:
        ClickException: a value breaks a rule of accounts, or is taken.
    """
    settings = load_settings()
    configure_logging(settings)
    if generate_password:
        password = token_urlsafe(24)
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        data = UserCreate.model_validate(
            {"email": email, "username": username, "full_name": full_name, "password": password}
        )
    except ValidationError as error:
        faults = [
            f"{fault['loc'][0]}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_input=False)
        ]
        raise click.ClickException("\n".join(faults)) from None
    asyncio.run(_create_admin(settings, data))
    click.echo(f"Created the admin {data.username}.")
    if generate_password:
        click.echo(f"The password, which is shown only now: {password}")


def purge_sessions() -> None:
    """Delete expired sessions and old login failures."""
    sessions, failures = asyncio.run(_purge(load_settings()))
    click.echo(f"Deleted {sessions} expired sessions and {failures} forgotten login failures.")


async def _create_admin(settings: Settings, data: UserCreate) -> None:
    password = data.password.get_secret_value()
    user = User(
        **data.model_dump(exclude={"password"}),
        hashed_password=get_password_hash(password, settings),
        role=Role.ADMIN,
    )
    breached = BreachedPasswords(settings)
    async with _transaction(settings) as session, aclosing(breached):
        audit = AuditTrail(session, origin=None)
        try:
            await breached.refuse(password, "password", audit)
            await UserRepository(session).add(user)
            audit.record_change(
                AuditEvent.USER_REGISTERED,
                target_id=user.id,
                role=user.role,
                operator=f"uid {os.getuid()} on {socket.gethostname()}",
            )
        except InvalidFieldError as error:
            raise click.ClickException(f"{error.field}: {error.detail}") from None
        except ConflictError as error:
            raise click.ClickException(error.detail) from None


async def _purge(settings: Settings) -> tuple[int, int]:
    async with _transaction(settings) as session:
        known_for = timedelta(days=settings.known_network_days)
        sessions = await UserSessionRepository(session).purge(known_for)
        return sessions, await LoginFailureRepository(session).purge()


@asynccontextmanager
async def _transaction(settings: Settings) -> AsyncGenerator[AsyncSession]:
    engine = build_engine(settings)
    try:
        with explain_access_errors(settings.database_url):
            async with build_session_factory(engine).begin() as session:
                yield session
    except ProgrammingError as error:
        if sqlstate_of(error) != "42P01":  # undefined_table
            raise
        raise click.ClickException("The schema is behind: run `app migrate` first.") from None
    finally:
        await engine.dispose()
