"""X26: passwords that are known from data breaches (OWASP ASVS 6.2.12)."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from io import StringIO
from itertools import count
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from app.accounts import breached
from app.accounts.breached import MAX_CALLS, MAX_FAILURES, MAX_SIZE, BreachedPasswords
from app.core.config import Settings, SettingsError, load_settings
from app.features import State
from app.main import create_app
from app.models.user import User
from tests.accounts import AUTH, ME, PASSWORD, attempt, login, profile, register, sign_in
from tests.breaches import FAULTS, LEAKED, Breaches, breaches, digest_of
from tests.conftest import SessionFactory, client_of, running
from tests.waiting import PATIENCE, until

KNOWN = "is known from a data breach: choose another one"


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Breaches]:
    """A service of breached passwords, which has time to answer on a busy machine."""
    monkeypatch.setattr(breached, "TIMEOUT", PATIENCE)
    async with breaches() as service:
        yield service


@pytest.fixture
def checking(settings: Settings, service: Breaches) -> Settings:
    """Settings with which new passwords are looked up at `service`."""
    return settings.model_copy(update={"breached_passwords_url": service.url})


@asynccontextmanager
async def looking_up(
    app: FastAPI, state: Mapping[str, Any], settings: Settings
) -> AsyncGenerator[httpx2.AsyncClient]:
    """Yield a client of the service, which looks new passwords up as `settings` say."""
    lookup = BreachedPasswords(settings)
    async with aclosing(lookup), client_of(app, {**state, "breached_passwords": lookup}) as client:
        yield client


@pytest.fixture
def now(state: State, session_factory: SessionFactory) -> dict[str, Any]:
    """The state of this test's requests."""
    return {**state, "session_factory": session_factory}


@pytest.fixture
async def client(
    app: FastAPI, now: dict[str, Any], checking: Settings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service, which looks new passwords up."""
    async with looking_up(app, now, checking) as client:
        yield client


@pytest.fixture
async def watched(
    output: StringIO, now: dict[str, Any], checking: Settings
) -> AsyncIterator[httpx2.AsyncClient]:
    """Like `client`, with the most verbose log, in `output`."""
    assert not output.getvalue()
    app = create_app(checking.model_copy(update={"log_level": "DEBUG"}))
    async with looking_up(app, now, checking) as client:
        yield client


async def try_password(client: httpx2.AsyncClient, password: str) -> httpx2.Response:
    """Register ada with `password`."""
    return await client.post(f"{AUTH}/register", json=profile("ada") | {"password": password})


async def change(client: httpx2.AsyncClient, new: str, current: str = PASSWORD) -> httpx2.Response:
    body = {"current_password": current, "new_password": new}
    return await client.put(f"{ME}/password", json=body)


def assert_refused(response: httpx2.Response, field: str) -> None:
    """Check that the response is the one to a common password."""
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["errors"] == [{"loc": ["body", field], "msg": KNOWN, "type": "value_error"}]
    assert (problem["error_code"], LEAKED in response.text) == ("unprocessable_content", False)


async def test_x26_registration_refuses_a_breached_password(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """X26: as it refuses a common one; no account exists then."""
    response = await try_password(client, LEAKED)
    assert_refused(response, "password")
    common = (await try_password(client, "password")).json()
    assert response.json().keys() == common.keys()
    assert response.json()["detail"] == common["detail"]
    async with session_factory() as session:
        assert await session.scalar(select(func.count()).select_from(User)) == 0


async def test_x26_change_refuses_a_breached_password(client: httpx2.AsyncClient) -> None:
    """X26: the current one stays."""
    await sign_in(client, "ada")
    assert_refused(await change(client, LEAKED), "new_password")
    assert (await attempt(client, "ada", LEAKED)).status_code == 401
    await login(client, "ada")


async def test_x26_other_passwords_are_accepted(
    client: httpx2.AsyncClient, service: Breaches
) -> None:
    """X26: also when the padding has their hash, which is a line with the count 0."""
    new = "another good one"
    service.counts |= {digest_of(PASSWORD): 0, digest_of(new): 0}
    await sign_in(client, "ada")
    assert (await change(client, new)).status_code == 204
    await login(client, "ada", new)
    assert service.paths == [f"/range/{digest_of(each)[:5]}" for each in (PASSWORD, new)]


async def test_x26_case_of_the_answer_does_not_matter(
    client: httpx2.AsyncClient, service: Breaches
) -> None:
    """X26: own mirrors may write hashes in lower case."""
    service.counts = {f"{digest_of(LEAKED)[:5]}{digest_of(LEAKED)[5:].lower()}": 1}
    assert_refused(await try_password(client, LEAKED), "password")


async def test_x26_five_digits_of_the_hash_travel_and_no_more(
    client: httpx2.AsyncClient, service: Breaches
) -> None:
    """X26: neither more of it, nor anything about the account; the size tells nothing."""
    await try_password(client, LEAKED)
    await register(client, "ada")
    prefixes = [digest_of(each)[:5] for each in (LEAKED, PASSWORD)]
    for prefix, head in zip(prefixes, service.requests, strict=True):
        request, *headers = head.strip().split("\r\n")
        assert request == f"GET /range/{prefix} HTTP/1.1"
        values = dict(header.lower().split(": ", 1) for header in headers)
        assert values.pop("host") == f"127.0.0.1:{service.port}"
        assert "/" in values.pop("user-agent")
        assert values == {
            "accept": "*/*",
            "accept-encoding": "identity",
            "add-padding": "true",
            "connection": "keep-alive",
        }


async def test_x26_connections_are_used_again(
    client: httpx2.AsyncClient, service: Breaches
) -> None:
    """X26: a new one would cost each registration two round trips more."""
    for name in ("ada", "eve", "zoe"):
        await register(client, name)
    assert (len(service.requests), service.connections) == (3, 1)


def lines(output: StringIO) -> list[dict[str, Any]]:
    """Return the lines of the audit trail about passwords that were not checked."""
    every = [json.loads(line) for line in output.getvalue().splitlines()]
    return [line for line in every if line["event"] == "password_not_checked"]


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize(("response", "failure"), FAULTS.values(), ids=FAULTS.keys())
async def test_x26_what_cannot_be_checked_is_accepted(
    watched: httpx2.AsyncClient,
    service: Breaches,
    output: StringIO,
    response: bytes,
    failure: str,
) -> None:
    """X26: and one warning says why, for a registration and for a change."""
    service.faulty = response
    ada = (await register(watched, "ada", password=LEAKED))["id"]
    watched.headers.update((await login(watched, "ada", LEAKED)).bearer)
    assert (await change(watched, PASSWORD, current=LEAKED)).status_code == 204
    found = [
        (line["level"], line["audit"], line["failure"], line.get("user_id"), line["target_id"])
        for line in lines(output)
    ]
    assert found == [
        ("warning", True, failure, None, None),
        ("warning", True, failure, ada, ada),
    ]
    assert len(service.requests) == 2  # none is repeated, no redirect is followed


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("part", [b"x" * 1000, None], ids=["endless", "silent"])
async def test_x26_slow_and_endless_answers_are_given_up(
    watched: httpx2.AsyncClient,
    service: Breaches,
    output: StringIO,
    monkeypatch: pytest.MonkeyPatch,
    part: bytes | None,
) -> None:
    """X26: by their size, or by their time."""
    if part:
        service.endless = part
    else:
        service.may_answer.clear()
        monkeypatch.setattr(breached, "TIMEOUT", 0.2)
    async with asyncio.timeout(PATIENCE / 2):
        await register(watched, "ada", password=LEAKED)
    (line,) = lines(output)
    reason = f"Its answer is larger than {MAX_SIZE} bytes." if part else "It takes too long."
    assert line["failure"] == reason


@pytest.mark.usefixtures("committed")
async def test_x26_answers_that_trickle_are_given_up(
    watched: httpx2.AsyncClient,
    service: Breaches,
    output: StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X26: each part comes in time, but all of them never do."""
    service.endless = b"0"
    monkeypatch.setattr(breached, "TIMEOUT", 0.2)
    await register(watched, "ada", password=LEAKED)
    assert [line["failure"] for line in lines(output)] == ["It takes too long."]


@pytest.mark.usefixtures("committed")
async def test_x26_an_outage_delays_few_requests(
    watched: httpx2.AsyncClient, service: Breaches, output: StringIO
) -> None:
    """X26: after five failures, no call is made; each password that is not checked has a line."""
    service.faulty = b""
    for number in range(MAX_FAILURES + 2):
        await register(watched, f"ada{number}", password=LEAKED)
    assert len(service.requests) == MAX_FAILURES
    assert [line["failure"] for line in lines(output)] == [
        *["It does not answer."] * MAX_FAILURES,
        *["The circuit of breached_passwords is open."] * 2,
    ]


@pytest.fixture
def quick_recovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the circuit breaker probe soon; used before a client is made."""
    monkeypatch.setattr(breached, "RECOVERY_TIMEOUT", 0.05)


@pytest.mark.usefixtures("committed", "quick_recovery")
async def test_x26_a_service_that_is_back_is_asked_again(
    watched: httpx2.AsyncClient, service: Breaches, output: StringIO
) -> None:
    """X26: a probe call finds that out."""
    service.faulty = b""
    async with asyncio.timeout(PATIENCE):
        for number in range(MAX_FAILURES):
            await register(watched, f"ada{number}", password=LEAKED)
        service.faulty = None
        for number in count():
            body = profile(f"eve{number}") | {"password": LEAKED}
            response = await watched.post(f"{AUTH}/register", json=body)
            if response.status_code != 201:
                break
    assert_refused(response, "password")
    changes = [json.loads(line) for line in output.getvalue().splitlines()]
    states = [line["state"] for line in changes if line["event"] == "circuit_changed"]
    assert states == ["open", "half_open", "closed"]


@pytest.mark.usefixtures("committed")
async def test_x26_closed_port(
    output: StringIO, app: FastAPI, now: dict[str, Any], checking: Settings
) -> None:
    """X26."""
    async with breaches() as service:
        gone = service.url
    settings = checking.model_copy(update={"breached_passwords_url": gone})
    async with looking_up(app, now, settings) as client:
        await register(client, "ada", password=LEAKED)
    assert [line["failure"] for line in lines(output)] == ["It does not answer."]


@pytest.mark.usefixtures("committed")
async def test_x26_silent_name_server_takes_one_thread(
    app: FastAPI, now: dict[str, Any], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X26: a lookup cannot be cancelled, and other lookups need the threads of the event loop."""
    waiting: list[str] = []
    answered = threading.Event()

    def look_up(*_args: object, **_options: object) -> list[object]:
        waiting.append(threading.current_thread().name)
        answered.wait(PATIENCE)
        return []

    monkeypatch.setattr(breached, "TIMEOUT", 0.2)
    url = {"breached_passwords_url": "https://silent.invalid/range/"}
    async with looking_up(app, now, settings.model_copy(update=url)) as client:
        monkeypatch.setattr("socket.getaddrinfo", look_up)
        tries = [try_password(client, f"{LEAKED} {number}") for number in range(3)]
        statuses = sorted(response.status_code for response in await asyncio.gather(*tries))
        monkeypatch.undo()
        answered.set()
    assert statuses == [201, 409, 409]  # they register the same name
    assert waiting == ["breached_passwords_0"]


@pytest.mark.usefixtures("committed")
@pytest.mark.parametrize("response", [None, b"", FAULTS["500"][0]], ids=["fine", "closed", "500"])
async def test_x26_no_log_line_has_a_part_of_the_hash(
    watched: httpx2.AsyncClient, service: Breaches, output: StringIO, response: bytes | None
) -> None:
    """X26: beside a name, five digits would leave one password of a million to guess."""
    service.faulty = response
    await try_password(watched, LEAKED)
    await register(watched, "eve")
    assert len(service.requests) == 2
    log = output.getvalue().casefold()
    for password in (LEAKED, PASSWORD):
        digest = digest_of(password).casefold()
        for secret in (password, f"/{digest[:5]}", f'"{digest[:5]}', digest[5:]):
            assert secret not in log


async def test_x26_only_passwords_that_are_valid_are_looked_up(
    client: httpx2.AsyncClient, service: Breaches
) -> None:
    """X26: the other rules come first, and so does the current password."""
    for password in ("short", "x" * 129, "password", "ada@example.com"):
        assert (await try_password(client, password)).status_code == 422
    assert service.requests == []
    await sign_in(client, "ada")
    service.requests.clear()
    for password in ("short", "x" * 129, "password", "ada@example.com"):
        assert (await change(client, password)).status_code == 422
    assert (await change(client, LEAKED, current="not the password")).status_code == 403
    assert service.requests == []


async def test_x26_a_rate_limit_covers_the_calls(checking: Settings, service: Breaches) -> None:
    """X26: strangers cannot make the service send any number of them."""
    limit = {"rate_limit_enabled": True, "rate_limit_auth_per_minute": 2}
    app = create_app(checking.model_copy(update=limit))
    async with running(app) as state, client_of(app, state) as client:
        statuses = [(await try_password(client, LEAKED)).status_code for _ in range(4)]
    assert statuses == [422, 422, 429, 429]
    assert len(service.requests) == 2


async def test_x26_few_calls_at_the_same_time(
    client: httpx2.AsyncClient, service: Breaches
) -> None:
    """X26: many registrations at once wait for each other, and each is checked."""
    service.may_answer.clear()
    tries = [asyncio.create_task(try_password(client, LEAKED)) for _ in range(MAX_CALLS + 5)]
    await until(lambda: len(service.requests) == MAX_CALLS)
    service.may_answer.set()
    for response in await asyncio.gather(*tries):
        assert_refused(response, "password")
    assert service.connections == MAX_CALLS


@pytest.mark.usefixtures("committed")
async def test_x26_a_call_holds_no_database_connection_and_no_turn(
    client: httpx2.AsyncClient, service: Breaches, state: State, settings: Settings
) -> None:
    """X26: so a slow service delays no request of others."""
    await sign_in(client, "ada")
    service.requests.clear()
    service.may_answer.clear()
    tries = [
        asyncio.create_task(each) for each in (try_password(client, LEAKED), change(client, LEAKED))
    ]
    await until(lambda: len(service.requests) == 2)
    assert state["engine"].pool.checkedout() == 0  # type: ignore[attr-defined]  # of this pool
    assert state["passwords"]._turns._value == settings.argon2_concurrency
    service.may_answer.set()
    assert [response.status_code for response in await asyncio.gather(*tries)] == [422, 422]


async def test_x26_no_call_by_default(
    app: FastAPI,
    now: dict[str, Any],
    settings: Settings,
    checking: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X26: with the setting, the same test sees one."""
    calls: list[str] = []
    send = httpx2.AsyncHTTPTransport.handle_async_request

    async def watched(self: httpx2.AsyncHTTPTransport, request: httpx2.Request) -> httpx2.Response:
        calls.append(str(request.url))
        return await send(self, request)

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", watched)
    async with looking_up(app, now, settings) as client:
        await register(client, "ada", password=LEAKED)
    assert calls == []
    async with looking_up(app, now, checking) as client:
        assert_refused(await try_password(client, LEAKED), "password")
    assert calls == [f"{checking.breached_passwords_url}{digest_of(LEAKED)[:5]}"]


async def test_x26_certificates_are_verified(settings: Settings) -> None:
    """X26: otherwise, anyone on the way could say that a password is fine."""
    url = {"breached_passwords_url": "https://mirror.internal/range/"}
    async with aclosing(BreachedPasswords(settings.model_copy(update=url))) as lookup:
        assert lookup._client
        transport = lookup._client._transport
        assert isinstance(transport, httpx2.AsyncHTTPTransport)
        context = transport._pool._ssl_context
        assert context
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


URLS = {
    "https://api.pwnedpasswords.com/range/": "https://api.pwnedpasswords.com/range/",
    "https://api.pwnedpasswords.com/range": "https://api.pwnedpasswords.com/range/",
    "https://mirror.internal:8443": "https://mirror.internal:8443/",
    "http://localhost:8080/range/": "http://localhost:8080/range/",
    "http://127.0.0.2/range": "http://127.0.0.2/range/",
    "http://[::1]:8080/range": "http://[::1]:8080/range/",
}


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(("given", "used"), URLS.items())
def test_x26_urls_that_are_fine(monkeypatch: pytest.MonkeyPatch, given: str, used: str) -> None:
    monkeypatch.setenv("BREACHED_PASSWORDS_URL", given)
    settings = load_settings(database_url="postgresql://app:Zr8qkPw1@db/app")
    assert settings.breached_passwords_url == used


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("api.pwnedpasswords.com/hunter2", "must begin with https:// and name a host"),
        ("ftp://hunter2/range/", "must begin with https:// and name a host"),
        ("https:///hunter2/", "must begin with https:// and name a host"),
        ("http://hunter2.example/range/", "must begin with https://: http:// is for this machine"),
        ("http://10.0.0.1/hunter2/", "must begin with https://: http:// is for this machine"),
        ("http://127.0.0.1.hunter2.example/", "must begin with https://: http:// is for this"),
        ("https://ada:hunter2@mirror/range/", "must have no user, no password"),
        ("https://mirror/range/?key=hunter2", "must have no user, no password"),
        ("https://mirror/range/#hunter2", "must have no user, no password"),
        ("https://mirror/hunter2 range/", "has an unescaped space"),
        ("https://mirror:99999999/hunter2/", "is no address"),
        (f"https://{'hunter2' * 10}.example/", "is no address"),
        ("https://hunter2..example/", "is no address"),
        ("https://[hunter2/", "is no address"),
    ],
)
def test_x26_urls_that_cannot_work_are_named(
    monkeypatch: pytest.MonkeyPatch, url: str, reason: str
) -> None:
    """X26: in one line each, without the value."""
    monkeypatch.setenv("BREACHED_PASSWORDS_URL", url)
    with pytest.raises(SettingsError) as caught:
        load_settings(database_url="postgresql://app:Zr8qkPw1@db/app")
    (line,) = str(caught.value).splitlines()[1:-1]
    assert line.strip().startswith(f"BREACHED_PASSWORDS_URL {reason}")
    assert "hunter2" not in str(caught.value)
