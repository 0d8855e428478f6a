"""Fixtures of the security tests."""

from collections.abc import AsyncIterator
from io import StringIO

import httpx2
import hypothesis
import pytest
from fastapi import FastAPI

from app.core.config import Settings
from app.features import State
from app.main import create_app
from tests.accounts import Tokens, login, register, sign_in
from tests.conftest import SessionFactory, client_of

# The same examples in every run, without a time limit.
hypothesis.settings.register_profile(
    "suite",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")

SERVER_DECIDES: list[dict[str, object]] = [
    {"id": 1},
    {"role": "admin"},
    {"is_active": True},
    {"is_superuser": True},
    {"hashed_password": "x"},
    {"email_key": "x"},
    {"owner_id": 1},
    {"created_at": "2026-01-01T00:00:00Z"},
]
"""Fields that no client may send."""


@pytest.fixture
async def tokens(client: httpx2.AsyncClient) -> Tokens:
    """The tokens of the account ada."""
    await register(client, "ada")
    return await login(client, "ada")


@pytest.fixture
async def eve(
    app: FastAPI, state: State, session_factory: SessionFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of another account."""
    async with client_of(app, {**state, "session_factory": session_factory}) as client:
        await sign_in(client, "eve")
        yield client


@pytest.fixture
async def watched_client(
    output: StringIO, state: State, session_factory: SessionFactory, settings: Settings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service with the most verbose log, in `output`."""
    assert not output.getvalue()
    app = create_app(settings.model_copy(update={"log_level": "DEBUG"}))
    async with client_of(app, {**state, "session_factory": session_factory}) as client:
        yield client
