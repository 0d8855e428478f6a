"""Wrong passwords slow down the attacker, and no other user (OWASP ASVS 6.3.1)."""

import asyncio
import time
from collections.abc import Callable
from hashlib import sha256
from math import inf, log2

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text, update

from app.core.config import Settings
from app.features import State
from app.models.login_failure import LoginFailure
from app.repositories.login_failure import MEMORY, LoginFailureRepository
from app.services.throttle import ACCOUNT, ADDRESS, PAIR, PROVIDER, SITE
from tests.accounts import ME, Tokens, attempt, login, prove, register
from tests.conftest import SessionFactory, client_of

HOME, ELSEWHERE = "198.51.100.1", "203.0.113.9"

At = Callable[[str], httpx2.AsyncClient]


@pytest.fixture
def at(app: FastAPI, state: State, session_factory: SessionFactory) -> At:
    """Clients of the service at any address."""
    return lambda address: client_of(app, {**state, "session_factory": session_factory}, address)


async def fail(client: httpx2.AsyncClient, times: int, username: str = "ada") -> list[int]:
    return [(await attempt(client, username, "wrong")).status_code for _ in range(times)]


async def pass_time(session_factory: SessionFactory, seconds: float) -> None:
    """Move all failures into the past."""
    past = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    async with session_factory.begin() as session:
        await session.execute(
            update(LoginFailure).values(last_failed_at=LoginFailure.last_failed_at - past)
        )


async def test_c4_guessing_one_password_slows_down(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """After fifty wrong passwords, the right one has to wait, then works."""
    await register(client, "ada")
    assert await fail(client, 50) == [401] * 5 + [429] * 45
    refused = await attempt(client, "ada")
    assert (refused.status_code, refused.json()["error_code"]) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 2
    await pass_time(session_factory, int(refused.headers["retry-after"]))
    await login(client, "ada")


async def test_c4_delays_double_up_to_a_cap(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """Whether or not the account exists."""
    await fail(client, 5, "nobody")
    delays = []
    for _ in range(13):
        delay = int((await attempt(client, "nobody")).headers["retry-after"])
        delays.append(delay)
        await pass_time(session_factory, delay)
        assert await fail(client, 1, "nobody") == [401]
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]


@pytest.mark.usefixtures("committed")
async def test_c4_success_forgives(client: httpx2.AsyncClient) -> None:
    await register(client, "ada")
    for _ in range(3):
        assert await fail(client, 4) == [401] * 4
        await login(client, "ada")


async def test_c4_failures_are_forgotten(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    assert await fail(client, 6) == [401] * 5 + [429]
    await pass_time(session_factory, MEMORY.total_seconds())
    assert await fail(client, 6) == [401] * 5 + [429]


def test_delays_are_bounded() -> None:
    for back_off in (PAIR, SITE, PROVIDER, ACCOUNT, ADDRESS):
        assert back_off.delay(10**6) == back_off.longest < MEMORY.total_seconds()


@pytest.mark.usefixtures("committed")
async def test_c4_the_count_survives_the_401(client: httpx2.AsyncClient, state: State) -> None:
    await fail(client, 3)
    async with state["engine"].connect() as connection:
        counts = (await connection.scalars(select(LoginFailure.failures))).all()
    assert counts == [3] * 5


async def test_c5_nobody_locks_somebody_else_out(
    client: httpx2.AsyncClient, at: At, session_factory: SessionFactory
) -> None:
    """An attacker at one address never slows down the owner at another."""
    await register(client, "ada")
    session = await login(at(HOME), "ada")
    for _ in range(8):
        await fail(at(ELSEWHERE), 8)
        await pass_time(session_factory, 10)
    assert await fail(at(ELSEWHERE), 1) == [429]
    await login(at("192.0.2.44"), "ada")
    assert (await at(HOME).get(ME, headers=session.bearer)).status_code == 200


async def guess_from_everywhere(at: At) -> None:
    """Guess one account's password from addresses of many providers."""
    for number in range(ACCOUNT.free // PAIR.free):
        assert await fail(at(f"10.{number}.0.1"), PAIR.free) == [401] * PAIR.free


@pytest.mark.usefixtures("committed")
async def test_c5_x20_many_networks_delay_unknown_ones_only(
    client: httpx2.AsyncClient, at: At, session_factory: SessionFactory
) -> None:
    """X20: all addresses wait then, except those of earlier logins: only failures there count."""
    await register(client, "ada")
    await login(at(HOME), "ada")
    await guess_from_everywhere(at)
    refused = await attempt(at("192.0.2.44"), "ada")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) <= 30
    await login(at(HOME), "ada")
    await pass_time(session_factory, 30)
    await login(at("192.0.2.44"), "ada")


async def test_x20_four_guessers_do_not_delay_an_owner_at_unknown_networks(
    client: httpx2.AsyncClient, at: At, session_factory: SessionFactory
) -> None:
    """X20: each guesser has a whole /32, takes a new /64 for each guess, and never waits.

    In an hour, the owner logs in from 22 networks that the service has never seen. Time passes
    only where the test says so.
    """
    await register(client, "ada")
    guesses, logins = 0, list[int]()
    for half_minute in range(120):
        for bot in range(4):
            provider = f"2001:{0xDB8 + bot:x}"
            while await fail(at(f"{provider}:{guesses:x}:{half_minute:x}::1"), 1) == [401]:
                guesses += 1
        if half_minute % 5 == 4 and len(logins) < 22:
            logins.append((await attempt(at(f"10.{half_minute}.0.1"), "ada")).status_code)
        await pass_time(session_factory, 30)
    assert logins == [200] * 22
    # Each provider: 15 at once, 10 within the next 17 minutes, then one in ten minutes or less.
    assert 4 * PROVIDER.free <= guesses <= 4 * 31


@pytest.mark.parametrize(
    ("form", "free"),
    [
        ("203.0.113.{n}", SITE.free),
        ("203.0.{n}.113", PROVIDER.free),
        ("2001:db8:1:{n:x}::1", SITE.free),
        ("2001:db8:{n:x}::1", PROVIDER.free),
    ],
)
async def test_x20_guesses_add_up_in_wider_networks(at: At, form: str, free: int) -> None:
    """X20: otherwise, each address of a block would have a limit of its own."""
    statuses = [(await fail(at(form.format(n=n)), 1))[0] for n in range(free + 5)]
    assert statuses == [401] * free + [429] * 5
    assert await fail(at("192.0.2.1"), 1) == [401]
    assert await fail(at(form.format(n=1)), 1, "eve") == [401]


async def test_x20_one_guesser_does_not_block_its_wider_networks(
    at: At, session_factory: SessionFactory
) -> None:
    """X20: after hours of guesses at one address, another one nearby may try at once."""
    waits = 0
    for _ in range(30):
        while await fail(at(HOME), 1) == [401]:
            pass
        wait = int((await attempt(at(HOME), "ada", "wrong")).headers["retry-after"])
        waits += wait
        await pass_time(session_factory, wait)
    assert waits > 4 * 3600
    assert await fail(at("198.51.7.7"), 1) == [401]


@pytest.mark.usefixtures("committed")
async def test_c5_home_is_no_free_ride(client: httpx2.AsyncClient, at: At) -> None:
    """Guesses from the owner's network are slowed down like all others."""
    await register(client, "ada")
    await login(at(HOME), "ada")
    assert await fail(at(HOME), 8) == [401] * 5 + [429] * 3


async def test_c6_one_address_many_accounts(at: At, session_factory: SessionFactory) -> None:
    """Fifty leaked passwords can be tried, then one in half a minute."""
    client = at(ELSEWHERE)
    statuses = [(await attempt(client, f"user{n}", "leaked")).status_code for n in range(200)]
    assert statuses == [401] * 50 + [429] * 150
    assert (await attempt(at(HOME), "user1", "mine")).status_code == 401
    await pass_time(session_factory, 30)
    assert [(await attempt(client, f"other{n}")).status_code for n in (1, 2)] == [401, 429]


@pytest.mark.parametrize("neighbour", ["2001:db8::2", "2001:db8::ffff:1"])
async def test_c6_an_ipv6_client_is_one_however_many_addresses_it_has(
    at: At, neighbour: str
) -> None:
    assert await fail(at("2001:db8::1"), 5) == [401] * 5
    assert await fail(at(neighbour), 1) == [429]
    assert await fail(at("2001:db8:0:1::1"), 1) == [401]


@pytest.mark.usefixtures("committed")
async def test_c6_neighbours_of_an_attacker_go_on(client: httpx2.AsyncClient, at: At) -> None:
    """Behind one router: those who have logged in from there before are not affected."""
    await register(client, "ada")
    await login(at(HOME), "ada")
    for n in range(60):
        await attempt(at(HOME), f"user{n}", "leaked")
    assert (await attempt(at(HOME), "stranger")).status_code == 429
    await login(at(HOME), "ada")


@pytest.mark.usefixtures("committed")
async def test_c7_guesses_at_once_get_no_further(
    client: httpx2.AsyncClient, settings: Settings
) -> None:
    await register(client, "ada")
    started = time.monotonic()
    responses = await asyncio.gather(*(attempt(client, "ada", "wrong") for _ in range(100)))
    waits = int(log2(1 + time.monotonic() - started))  # 1 s, then 2 s
    statuses = [response.status_code for response in responses]
    at_once = settings.argon2_concurrency  # so many see the same counter, also after each wait
    assert PAIR.free <= statuses.count(401) < PAIR.free + at_once * (1 + waits)
    assert statuses.count(429) == 100 - statuses.count(401)


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("trick", ["none", "refresh", "rename"])
async def test_c4_the_current_password_cannot_be_guessed_either(
    client: httpx2.AsyncClient, tokens: Tokens, trick: str
) -> None:
    """Otherwise, a stolen session would allow unlimited guesses."""
    change = {"current_password": "wrong", "new_password": "another good one"}
    statuses: list[int] = []
    refused_since = inf
    client.headers.update(tokens.bearer)
    await prove(client)  # so that the account can be renamed
    for number in range(7):
        response = await client.put(f"{ME}/password", json=change, headers=tokens.bearer)
        if time.monotonic() - refused_since > 0.9:  # after 1 s, one more may try
            break
        statuses.append(response.status_code)
        if len(statuses) == 5:
            refused_since = time.monotonic()
        if trick == "refresh":
            tokens = Tokens((await tokens.renew(client)).json())
        elif trick == "rename":
            name = {"username": f"ada{number}"}
            assert (await client.put(ME, json=name, headers=tokens.bearer)).status_code == 200
    assert len(statuses) >= 5
    assert statuses == ([403] * 5 + [429] * 2)[: len(statuses)]


async def test_c5_a_stolen_session_blocks_no_change_elsewhere(at: At, tokens: Tokens) -> None:
    for address, status in {ELSEWHERE: 429, HOME: 403}.items():
        for _ in range(PAIR.free + 1 if address == ELSEWHERE else 1):
            change = {"current_password": "wrong", "new_password": "another good one"}
            client = at(address)
            response = await client.put(f"{ME}/password", json=change, headers=tokens.bearer)
        assert response.status_code == status


@pytest.mark.usefixtures("committed")
async def test_c4_a_refresh_forgives_nothing(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    """Only a login with the password does."""
    assert await fail(client, 5) == [401] * 5
    assert (await tokens.renew(client)).status_code == 200
    assert await fail(client, 1) == [429]


async def test_c6_busy_networks_are_forgiven_as_time_goes(
    at: At, session_factory: SessionFactory
) -> None:
    """Behind one router, many users mistype."""
    client = at(HOME)
    for number in range(ADDRESS.free):
        await attempt(client, f"user{number}", "mistyped")
        await pass_time(session_factory, ADDRESS.leak.total_seconds())
    statuses = [(await attempt(client, f"other{n}", "mistyped")).status_code for n in range(5)]
    assert statuses == [401] * 5


async def test_names_and_addresses_are_not_stored(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """A user may have typed the password into the wrong field."""
    await fail(client, 1, "hunter2")
    async with session_factory() as session:
        rows = await session.scalars(text("SELECT login_failures::text FROM login_failures"))
        stored = "".join(rows)
    for word in ("hunter2", "127.0.0.1", "account\0hunter2", "pair\0hunter2\0127.0.0.1/32"):
        for form in (word.encode(), sha256(word.encode()).digest()):
            assert form.hex() not in stored


async def test_t16_what_is_forgotten_is_purged_by_an_index(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    await fail(client, 1)
    await pass_time(session_factory, MEMORY.total_seconds())
    await fail(client, 1, "eve")
    async with session_factory.begin() as session:
        # All counters of ada; that of the address has another failure.
        assert await LoginFailureRepository(session).purge() == 4
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await session.scalars(
            text("EXPLAIN DELETE FROM login_failures WHERE last_failed_at <= now()")
        )
        assert "ix_login_failures_last_failed_at" in "\n".join(plan)
