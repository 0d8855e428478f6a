"""Rate limits per user, and under `/auth`."""

from collections.abc import AsyncIterator
from secrets import token_urlsafe

import httpx2
import pytest
from fastapi import FastAPI

from app.core.config import Settings
from app.features import State
from app.main import create_app
from app.server.rate_limit import InProcessRateLimiter
from tests.accounts import AUTH, ME, attempt, login, register
from tests.conftest import SessionFactory, client_of, with_state


@pytest.fixture(scope="module")
def limited_app(settings: Settings) -> FastAPI:
    """The service with small limits."""
    limits = {
        "rate_limit_enabled": True,
        "rate_limit_per_minute": 10,
        "rate_limit_auth_per_minute": 5,
        "rate_limit_address_per_minute": 25,
    }
    return create_app(settings.model_copy(update=limits))


@pytest.fixture
def limited(state: State, session_factory: SessionFactory) -> State:
    """The state of a process that has counted nothing yet."""
    return {**state, "session_factory": session_factory, "rate_limiter": InProcessRateLimiter()}


@pytest.fixture
async def client(limited_app: FastAPI, limited: State) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(limited_app, limited) as client:
        yield client


async def test_user_is_the_same_at_every_address(
    limited_app: FastAPI, limited: State, client: httpx2.AsyncClient
) -> None:
    await register(client, "ada")
    tokens = await login(client, "ada")
    async with client_of(limited_app, limited, "192.0.2.1") as elsewhere:
        statuses = [
            (await caller.get(ME, headers=tokens.bearer)).status_code
            for caller in (client, elsewhere) * 10
        ]
        assert statuses == [200] * 10 + [429] * 10
        # A client with the same address has a separate count.
        assert (await elsewhere.get("/")).status_code == 200


async def test_x21_many_accounts_at_one_address_share_its_limit(
    limited_app: FastAPI, limited: State, client: httpx2.AsyncClient
) -> None:
    """X21: each account has its limit, and all of them together have that of their address."""
    accounts = []
    for number, name in enumerate(("ada", "bob", "eve", "sue")):
        async with client_of(limited_app, limited, f"192.0.2.{number}") as elsewhere:
            await register(elsewhere, name)
            accounts.append(await login(elsewhere, name))
    answers = [
        await client.get(ME, headers=account.bearer) for account in accounts for _ in range(12)
    ]
    statuses = [answer.status_code for answer in answers]
    # Ten of each account; what its own limit refuses does not count for its neighbours.
    assert statuses == ([200] * 10 + [429] * 2) * 2 + [200] * 5 + [429] * 19
    limits = [answer.headers["ratelimit-limit"] for answer in answers]
    assert [limits[n] for n in (0, 11, 24, 28, 29, 47)] == ["10", "10", "25", "25", "25", "25"]
    assert answers[28].headers["ratelimit-remaining"] == "0"
    # An account that others have left no room at one address goes on at another.
    async with client_of(limited_app, limited, "192.0.2.9") as elsewhere:
        assert (await elsewhere.get(ME, headers=accounts[3].bearer)).status_code == 200


async def test_x21_one_account_is_never_held_by_the_limit_of_its_address(
    settings: Settings, limited: State
) -> None:
    """X21: the limit of an address is at least that of a user."""
    limits = {
        "rate_limit_enabled": True,
        "rate_limit_per_minute": 10,
        "rate_limit_address_per_minute": 5,
    }
    app = create_app(settings.model_copy(update=limits))
    async with client_of(app, limited) as client:
        await register(client, "ada")
        tokens = await login(client, "ada")
        answers = [await client.get(ME, headers=tokens.bearer) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]


async def test_o5_tokens_that_are_not_ours_are_nobody(
    limited_app: FastAPI, limited: State, client: httpx2.AsyncClient
) -> None:
    """Otherwise each invented token would have a limit of its own, and use memory."""
    await register(client, "ada")
    tokens = await login(client, "ada")
    invented = [f"Bearer {token_urlsafe(32)}" for _ in range(20)]
    invented += [f"Bearer {tokens.access[:-2]}xx", f"Bearer {tokens.refresh}", "Basic YTpi", "x"]
    statuses = []
    async with client_of(limited_app, limited, "192.0.2.1") as stranger:
        for header in invented:
            answer = await stranger.get("/", headers={"Authorization": header})
            statuses.append(answer.status_code)
    assert statuses == [200] * 10 + [429] * 14


async def test_c6_passwords_are_tried_less_often(
    limited_app: FastAPI, limited: State, client: httpx2.AsyncClient
) -> None:
    """By address only: neither other accounts nor a valid token give further attempts."""
    await register(client, "ada")
    tokens = await login(client, "ada")
    assert (await client.get(f"{AUTH}/sessions", headers=tokens.bearer)).status_code == 200
    statuses = [(await attempt(client, f"victim {number}")).status_code for number in range(4)]
    assert statuses == [401, 401, 429, 429]
    with_token = await client.post(f"{AUTH}/logout-all", headers=tokens.bearer)
    assert with_token.status_code == 429
    assert with_token.headers["cache-control"] == "no-store"
    assert (await client.get("/")).status_code == 200  # elsewhere they have their usual limit
    async with client_of(limited_app, limited, "192.0.2.1") as elsewhere:
        assert (await attempt(elsewhere, "ada")).status_code == 200


async def test_path_that_a_proxy_lengthens_is_known(limited_app: FastAPI, limited: State) -> None:
    transport = httpx2.ASGITransport(with_state(limited_app, limited), root_path="/service")
    async with httpx2.AsyncClient(transport=transport, base_url="http://test/service") as client:
        answer = await client.post("/api/v1/auth/login")
        assert answer.headers["ratelimit-limit"] == "5"
        assert answer.headers["cache-control"] == "no-store"
        assert "ratelimit-limit" not in (await client.get("/live")).headers
