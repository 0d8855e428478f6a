"""What the security tests share."""

from collections.abc import AsyncIterator
from io import StringIO

import httpx2
import hypothesis
import pytest

from app.core.config import Settings
from app.features import State
from app.main import create_app
from tests.accounts import Tokens, login, register
from tests.conftest import SessionFactory, client_of

# The same examples in every run, however slow the machine.
hypothesis.settings.register_profile(
    "suite",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")


@pytest.fixture
async def tokens(client: httpx2.AsyncClient) -> Tokens:
    """The tokens of an account whose name is ada."""
    await register(client, "ada")
    return await login(client, "ada")


@pytest.fixture
async def watched_client(
    output: StringIO, state: State, session_factory: SessionFactory, settings: Settings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service while it logs everything that it ever does, into `output`."""
    assert not output.getvalue()
    app = create_app(settings.model_copy(update={"log_level": "DEBUG"}))
    async with client_of(app, {**state, "session_factory": session_factory}) as client:
        yield client
