"""Names and passwords (OWASP ASVS 6)."""

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher, extract_parameters
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import event, text, update

from app.accounts import passwords
from app.accounts.names import name_key
from app.accounts.password_policy import common_passwords
from app.accounts.passwords import PasswordService
from app.core.config import Settings
from app.core.security import get_password_hash
from app.features import State
from app.main import create_app
from app.models.user import User
from app.schemas.user import UserCreate
from tests.accounts import AUTH, ME, PASSWORD, attempt, login, profile, prove, register, sign_in
from tests.conftest import SessionFactory, client_of
from tests.waiting import until

UNKNOWN, WRONG = ("nobody", PASSWORD), ("ada", "not the password")


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The memory cost of every computed hash, in order."""
    made: list[int] = []
    make, verify = PasswordHasher.hash, PasswordHasher.verify

    def counted_hash(self: PasswordHasher, password: str) -> str:
        made.append(self.memory_cost)
        return make(self, password)

    def counted_verify(self: PasswordHasher, hashed: str, password: str) -> bool:
        if hashed != "!":
            made.append(extract_parameters(hashed).memory_cost)
        return verify(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "hash", counted_hash)
    monkeypatch.setattr(PasswordHasher, "verify", counted_verify)
    return made


@pytest.fixture
async def stronger_client(
    app: FastAPI, state: State, session_factory: SessionFactory, settings: Settings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service after its Argon2 parameters were raised."""
    stronger = settings.model_copy(update={"argon2_memory_cost": 16})
    service = PasswordService(stronger)
    now = {**state, "session_factory": session_factory, "settings": stronger, "passwords": service}
    async with client_of(app, now) as client:
        yield client
    service.close()


@asynccontextmanager
async def every_turn_taken(state: State, settings: Settings) -> AsyncGenerator[None]:
    """Occupy all turns, so that password checks wait."""
    async with AsyncExitStack() as turns:
        for _ in range(settings.argon2_concurrency):
            await turns.enter_async_context(state["passwords"].turn(None))
        yield


async def deactivate(session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        await session.execute(text("UPDATE users SET is_active = false"))


async def test_c1_every_failure_makes_one_hash(
    client: httpx2.AsyncClient, session_factory: SessionFactory, hashes: list[int]
) -> None:
    """The response time does not reveal whether the account exists."""
    await register(client, "ada")
    for credentials in (UNKNOWN, WRONG, ("ada@example.com", "wrong"), ("no@example.com", "wrong")):
        hashes.clear()
        assert (await attempt(client, *credentials)).status_code == 401
        assert hashes == [8]
    await deactivate(session_factory)
    for password in (PASSWORD, "not the password"):
        hashes.clear()
        assert (await attempt(client, "ada", password)).status_code == 401
        assert hashes == [8]


@pytest.mark.parametrize("password", [PASSWORD, "not the password"])
async def test_c1_every_failure_makes_one_hash_with_new_parameters(
    client: httpx2.AsyncClient,
    stronger_client: httpx2.AsyncClient,
    session_factory: SessionFactory,
    hashes: list[int],
    password: str,
) -> None:
    """After the parameters were raised, an old hash alone would be faster than no account."""
    await register(client, "ada")
    await deactivate(session_factory)
    for credentials, made in {UNKNOWN: [16], ("ada", password): [8, 16]}.items():
        hashes.clear()
        assert (await attempt(stronger_client, *credentials)).status_code == 401
        assert hashes == made


async def test_c17_login_renews_an_outdated_hash(
    client: httpx2.AsyncClient, stronger_client: httpx2.AsyncClient, hashes: list[int]
) -> None:
    """It counts as a failure, so that the response time does not reveal it."""
    await register(client, "ada")
    for made in ([8, 16], [16]):
        hashes.clear()
        await login(stronger_client, "ada")
        assert hashes == made


async def test_c1_account_without_a_usable_password(
    client: httpx2.AsyncClient, session_factory: SessionFactory, hashes: list[int]
) -> None:
    """Any value in the column is a failure like any other."""
    await register(client, "ada")
    async with session_factory.begin() as session:
        await session.execute(text("UPDATE users SET hashed_password = '!'"))
    hashes.clear()
    assert (await attempt(client, "ada")).status_code == 401
    assert hashes == [8]


async def test_c2_failures_look_the_same(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    await register(client, "ada")
    answers = [await attempt(client, *credentials) for credentials in (UNKNOWN, WRONG)]
    await deactivate(session_factory)
    answers.append(await attempt(client, "ada"))
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    headers = [dict(answer.headers) | {"x-request-id": ""} for answer in answers]
    assert {answer.status_code for answer in answers} == {401}
    assert bodies == bodies[:1] * 3
    assert headers == headers[:1] * 3


async def test_c3_registering_a_taken_name_says_so(client: httpx2.AsyncClient) -> None:
    """Without e-mail, this cannot be avoided; it does not say which of the two is taken."""
    await register(client, "ada")
    answers = [
        await client.post(f"{AUTH}/register", json=profile("ada") | change)
        for change in ({"email": "other@example.com"}, {"username": "other"})
    ]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]


@pytest.mark.parametrize("length", [0, 1, 7, 129, 5000])
async def test_c8_lengths_that_are_refused_before_hashing(
    client: httpx2.AsyncClient, hashes: list[int], length: int
) -> None:
    body = profile("ada") | {"password": "x" * length}
    response = await client.post(f"{AUTH}/register", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "password"]
    if length == 0 or length > 128:
        assert (await attempt(client, "ada", "x" * length)).status_code == 422
    assert hashes == []


async def test_c8_enormous_passwords_are_not_even_parsed(
    client: httpx2.AsyncClient, hashes: list[int]
) -> None:
    enormous = "x" * 1_000_000
    body = profile("ada") | {"password": enormous}
    assert (await client.post(f"{AUTH}/register", json=body)).status_code == 413
    assert (await attempt(client, "ada", enormous)).status_code == 413
    assert hashes == []


@pytest.mark.parametrize("length", [8, 64, 128])
async def test_c8_lengths_that_are_fine(client: httpx2.AsyncClient, length: int) -> None:
    """Every character counts: nothing is truncated."""
    password = "é" * (length - 1)
    await register(client, "ada", password=password + "1")
    assert (await attempt(client, "ada", password + "2")).status_code == 401
    await login(client, "ada", password + "1")


@pytest.mark.parametrize(
    "password",
    [
        "with\0NUL and more",
        "🙂🙂🙂🙂🙂🙂🙂🙂",
        "  spaces around  ",
        "\u202eright to left",
        "ｆｕｌｌ ｗｉｄｔｈ",
    ],
)
async def test_c9_passwords_are_taken_as_they_are(
    client: httpx2.AsyncClient, password: str
) -> None:
    await register(client, "ada", password=password)
    await login(client, "ada", password)
    assert (await attempt(client, "ada", password.strip()[:-1])).status_code == 401


async def post(client: httpx2.AsyncClient, name: str, body: object) -> httpx2.Response:
    """Send JSON with escapes, which can contain any text."""
    headers = {"content-type": "application/json"}
    return await client.post(f"{AUTH}/{name}", content=json.dumps(body), headers=headers)


NASTY = [
    *("\0", "a\0b", "\ud800", "a\nb", "\u202eabc", "\x1b[31m", "\u200babc", "\ufeffabc", "a b"),
    *("\ufe0f", "\u17b5", "\u034f", "\u3164", "\U000e0100"),  # letters and marks, but invisible
]


@pytest.mark.parametrize("nasty", NASTY)
async def test_c9_usernames_with_control_characters(client: httpx2.AsyncClient, nasty: str) -> None:
    response = await post(client, "register", profile("ada") | {"username": f"abc{nasty}def"})
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "username"]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("field", ["email", "username", "full_name", "password"])
async def test_c9_a9_nothing_breaks_the_service(
    client: httpx2.AsyncClient, field: str, nasty: str
) -> None:
    response = await post(client, "register", profile("ada") | {field: f"{nasty}@example.com"})
    assert response.status_code in {201, 422}
    for part in ("username", "password"):
        form = {"username": "ada", "password": PASSWORD} | {part: nasty.encode("utf-8", "replace")}
        assert (await client.post(f"{AUTH}/login", data=form)).status_code in {200, 401, 422}


TEXT = st.text(st.characters(), max_size=300) | st.text("ａdmin@.\0\ud800ßﬀ-_", max_size=40)


@given(email=TEXT, username=TEXT, full_name=TEXT, password=TEXT)
def test_c9_any_text_is_taken_or_refused(
    email: str, username: str, full_name: str, password: str
) -> None:
    """There is no third way, and an accepted name can be stored and found again."""
    values = {"email": email, "username": username, "full_name": full_name, "password": password}
    for given_alone in values.items():
        try:
            data = UserCreate.model_validate(profile("ada") | dict([given_alone]))
        except ValidationError:
            continue
        for name in (data.email, data.username):
            assert name.encode()
            assert name_key(name_key(name)) == name_key(name)
        assert "@" not in data.username


async def test_c10_common_passwords(client: httpx2.AsyncClient) -> None:
    assert len(common_passwords()) >= 3000
    assert min(map(len, common_passwords())) >= 8
    for password in ("password", "PassWord", "12345678", "qwertyuiop", "ｐａｓｓｗｏｒｄ"):
        response = await client.post(
            f"{AUTH}/register", json=profile("ada") | {"password": password}
        )
        assert response.status_code == 422
        assert response.json()["errors"][0]["msg"] == "is one of the most common passwords"


@pytest.mark.parametrize(
    "password",
    ["Ada.Lovelace", "ada.lovelace@example.com", "ADA.LOVELACE", "Countess Ada", "{name}"],
)
async def test_c10_own_names(client: httpx2.AsyncClient, password: str, app: FastAPI) -> None:
    password = password.format(name=app.title.ljust(8, "!"))
    body = {
        "email": "ada.lovelace@example.com",
        "username": "countess",
        "full_name": "Countess Ada",
    }
    response = await client.post(f"{AUTH}/register", json=body | {"password": password})
    if password.endswith("!"):  # a service whose name is too short to be a password
        return
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "password"]


async def test_c10_new_passwords_follow_the_same_rules(client: httpx2.AsyncClient) -> None:
    await sign_in(client, "ada.lovelace")
    assert (await client.put(ME, json={"full_name": "Countess Ada"})).status_code == 200
    names = ("ada.lovelace", "Ada.Lovelace@Example.com", "countess ada")
    for new in ("short", "password", *names, "x" * 129):
        change = {"current_password": PASSWORD, "new_password": new}
        assert (await client.put(f"{ME}/password", json=change)).status_code == 422
    await login(client, "ada.lovelace")


def test_c10_no_rules_of_composition() -> None:
    """They make passwords worse (ASVS 6.2.5)."""
    UserCreate.model_validate(profile("ada") | {"password": "allsmallletters"})


async def test_c11_a_password_is_changed_only_with_the_current_one(
    client: httpx2.AsyncClient, hashes: list[int]
) -> None:
    await sign_in(client, "ada")
    for body in ({"password": "another good one"}, {"hashed_password": "x"}, {"new_password": "x"}):
        assert (await client.put(ME, json=body)).status_code == 422
    body = {"new_password": "another good one"}
    assert (await client.put(f"{ME}/password", json=body)).status_code == 422
    hashes.clear()
    response = await client.put(f"{ME}/password", json=body | {"current_password": "wrong"})
    assert (response.status_code, hashes) == (403, [8])
    await login(client, "ada")


@pytest.mark.usefixtures("committed")
async def test_c11_whose_password_it_is_does_not_change_with_a_name(
    client: httpx2.AsyncClient, state: State, settings: Settings
) -> None:
    """An attacker with a session renames the account and registers the old name."""
    await register(client, "ada")
    ada = await login(client, "ada")
    await register(client, "eve", password="the password of eve")
    eve = await login(client, "eve", "the password of eve")
    await prove(client, headers=ada.bearer)
    await prove(client, "the password of eve", eve.bearer)
    change = {"current_password": "the password of eve", "new_password": "now it is eve's"}
    async with every_turn_taken(state, settings):
        waiting = asyncio.create_task(client.put(f"{ME}/password", json=change, headers=ada.bearer))
        await until(lambda: state["passwords"]._waiting.total() == 1)
        for tokens, name in ((ada, "victim"), (eve, "ada")):
            response = await client.put(ME, json={"username": name}, headers=tokens.bearer)
            assert response.status_code == 200
    assert (await waiting).status_code == 403
    await login(client, "victim")


@pytest.mark.usefixtures("committed")
async def test_c11_the_current_password_is_the_one_of_now(
    client: httpx2.AsyncClient, state: State, settings: Settings
) -> None:
    """Not the one at the start of the request, which waited for a turn."""
    await sign_in(client, "ada")
    change = {"current_password": PASSWORD, "new_password": "another good one"}
    async with every_turn_taken(state, settings):
        waiting = asyncio.create_task(client.put(f"{ME}/password", json=change))
        await until(lambda: state["passwords"]._waiting.total() == 1)
        new = get_password_hash("the owner was faster", settings)
        async with state["engine"].begin() as connection:
            await connection.execute(update(User).values(hashed_password=new))
    assert (await waiting).status_code == 403
    await login(client, "ada", "the owner was faster")


async def test_c11_a_new_email_address_takes_the_password(client: httpx2.AsyncClient) -> None:
    await sign_in(client, "ada")
    new = {"email": "countess@example.com"}
    assert (await client.put(ME, json=new)).status_code == 403
    assert (await client.put(ME, json=new | {"current_password": "wrong"})).status_code == 403
    response = await client.put(ME, json=new | {"current_password": PASSWORD})
    assert (response.status_code, response.json()["email"]) == (200, "countess@example.com")
    await login(client, "countess@example.com")


async def test_c12_case_makes_no_other_username(client: httpx2.AsyncClient) -> None:
    await register(client, "ADA", email="other@example.com")
    response = await client.post(f"{AUTH}/register", json=profile("ada"))
    assert response.status_code == 409
    await login(client, "ada")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Straße", "strasse"),
        ("ｆｕｌｌ", "full"),
        ("\u212aelvin", "kelvin"),
        ("ﬁona", "fiona"),
        ("cafe\u0301", "café"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)
async def test_c12_spellings_of_one_email_name(
    client: httpx2.AsyncClient, first: str, second: str
) -> None:
    await register(client, "ada", email=f"{first}@example.com")
    body = profile("eve") | {"email": f"{second}@example.com"}
    assert (await client.post(f"{AUTH}/register", json=body)).status_code == 409
    await login(client, f"{second}@example.com")


async def test_c12_spellings_of_one_email_address(client: httpx2.AsyncClient) -> None:
    """Dots and plus signs have a meaning for some providers only, so such addresses differ."""
    await register(client, "ada", email="Ada.L@Example.COM")
    for email, status in {"ada.l@example.com": 409, "adal@example.com": 201}.items():
        body = profile("eve") | {"email": email}
        assert (await client.post(f"{AUTH}/register", json=body)).status_code == status
    await login(client, "ADA.L@EXAMPLE.COM")


@pytest.mark.parametrize(
    "name",
    [
        *("admin", "Admin", "root", "support", "adm1n", "r00t", "he1p", "sup-port", "ad.min"),
        *("a@b", "ada@x.org"),
        *("ＡＤＭＩＮ", "аdmin", "rοot", "admın", "adm\u0307in", "ad\u0323min"),
        *("ada.", "ada_", "ada-", ".ada", "_ada", "a..da", "a-_da", "ada\n"),
        *("ada\u0301", "adá", "ａｄａ", "аԁа", "ａda", "ada\u200d", "adа", "\u212aelvin", "ﬁona"),
        *("ада", "José", "田中さん", "محمد"),
    ],
)
async def test_x21_names_that_look_like_another(client: httpx2.AsyncClient, name: str) -> None:
    """X21, C13, C14: reserved, like an e-mail address, or with other letters or dots at the end."""
    body = profile("eve") | {"username": name}
    response = await client.post(f"{AUTH}/register", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["body", "username"]


@pytest.mark.parametrize("name", ["ada", "ADA", "4da", "ada-l_1.x", "user123", "x" * 32])
async def test_x21_names_that_are_accepted(client: httpx2.AsyncClient, name: str) -> None:
    """X21: the published pattern says the same as the service."""
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    for schema in ("UserCreate", "UserUpdate", "UserAdminUpdate"):
        described = schemas[schema]["properties"]["username"]
        (kind,) = (kind for kind in described.get("anyOf", [described]) if kind["type"] == "string")
        assert re.search(kind["pattern"], name)
        assert not re.search(kind["pattern"], f"{name}.")
        assert not re.search(kind["pattern"], f"{name}\u0301")
    assert (await register(client, name, email="ada@example.com"))["username"] == name


async def test_x21_accounts_with_older_names_go_on(
    client: httpx2.AsyncClient, session_factory: SessionFactory
) -> None:
    """X21: the name may stay, and be sent back unchanged; a new one follows the rule."""
    await register(client, "ada")
    older = "José.\u0130"
    async with session_factory.begin() as session:
        await session.execute(update(User).values(username=older, username_key=name_key(older)))
    client.headers.update((await login(client, older)).bearer)
    change = {"username": older, "full_name": "José", "current_password": PASSWORD}
    response = await client.put(ME, json=change)
    assert (response.status_code, response.json()["full_name"]) == (200, "José")
    for name in ("Jose\u0301", "root", "jo..se"):
        response = await client.put(ME, json={"username": name, "current_password": PASSWORD})
        assert response.status_code == 422
        assert "username" in response.json()["detail"]
    response = await client.put(ME, json={"username": "jose", "current_password": PASSWORD})
    assert response.json()["username"] == "jose"


@pytest.mark.usefixtures("committed")
async def test_c15_of_registrations_at_once_one_succeeds(client: httpx2.AsyncClient) -> None:
    bodies = [profile("ada")] * 10 + [profile("eve") | {"email": "ADA@example.com"}] * 10
    responses = await asyncio.gather(
        *(client.post(f"{AUTH}/register", json=body) for body in bodies)
    )
    assert sorted(response.status_code for response in responses) == [201] + [409] * 19


class TestFlood:
    """C16: many concurrent logins neither use all memory nor delay other requests."""

    @pytest.fixture
    async def slow_client(
        self, state: State, settings: Settings
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of a service with real hash parameters."""
        costly = settings.model_copy(
            update={"argon2_memory_cost": 19_456, "argon2_time_cost": 6, "argon2_concurrency": 1}
        )
        service = PasswordService(costly)
        # Every login is answered, however slow the machine is.
        patient = create_app(costly.model_copy(update={"request_timeout": 3600}))
        served = {**state, "settings": costly, "passwords": service}
        async with client_of(patient, served) as client:
            yield client
        service.close()

    @pytest.mark.usefixtures("committed", "session_factory")
    async def test_c16_f14_the_event_loop_goes_on(
        self, slow_client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Requests are answered from beginning to end while a hash is being computed."""
        events: list[str] = []
        verify = PasswordHasher.verify

        def noted_verify(self: PasswordHasher, hashed: str, password: str) -> bool:
            events.append("hash begins")
            try:
                return verify(self, hashed, password)
            finally:
                events.append("hash ends")

        monkeypatch.setattr(PasswordHasher, "verify", noted_verify)
        logins = asyncio.gather(*(attempt(slow_client, f"user{n}") for n in range(10)))
        answered = 0
        while not logins.done():
            before = len(events)
            assert (await slow_client.get("/live")).status_code == 200
            answered += events[-1:] == ["hash begins"] and len(events) == before
            await asyncio.sleep(0.005)
        assert {response.status_code for response in await logins} == {401}
        assert answered

    @pytest.mark.usefixtures("committed")
    async def test_c16_few_hashes_at_a_time_and_the_excess_is_turned_away(
        self,
        app: FastAPI,
        state: State,
        client: httpx2.AsyncClient,
        monkeypatch: pytest.MonkeyPatch,
        settings: Settings,
    ) -> None:
        elsewhere = client_of(app, state, "203.0.113.9")
        running = most = 0
        lock = threading.Lock()
        all_run = threading.Event()
        verify = PasswordHasher.verify

        def counted_verify(self: PasswordHasher, hashed: str, password: str) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                if running == settings.argon2_concurrency:
                    all_run.set()
            all_run.wait(timeout=10)  # the first waits for the others, also on a busy machine
            time.sleep(0.002)
            with lock:
                running -= 1
            return verify(self, hashed, password)

        monkeypatch.setattr(PasswordHasher, "verify", counted_verify)
        monkeypatch.setattr(passwords, "MAX_WAITING", 40)
        monkeypatch.setattr(passwords, "MAX_WAITING_EACH", 25)
        responses = await asyncio.gather(
            *(attempt(client, f"user{n}") for n in range(100)),
            *(attempt(elsewhere, f"user{n}") for n in range(100)),
        )
        statuses = [response.status_code for response in responses]
        # The first get turns at once; 25 wait at one address, and 15 at the other.
        assert statuses[:100].count(401) == 25 + settings.argon2_concurrency
        assert statuses[100:].count(401) == 15
        assert statuses.count(503) == 200 - statuses.count(401)
        assert most == settings.argon2_concurrency
        turned_away = next(response for response in responses if response.status_code == 503)
        assert turned_away.headers["retry-after"] == "5"

    @pytest.mark.usefixtures("committed")
    async def test_c16_whoever_waits_holds_no_connection(
        self, client: httpx2.AsyncClient, state: State, settings: Settings
    ) -> None:
        """Otherwise a queue of password changes would use up the pool."""
        await sign_in(client, "ada")
        change = {"current_password": PASSWORD, "new_password": "another good one"}
        async with every_turn_taken(state, settings):
            waiting = [asyncio.create_task(client.put(f"{ME}/password", json=change))]
            waiting += [
                asyncio.create_task(attempt(client, "ada"))
                for _ in range(settings.db_pool_size + settings.db_max_overflow + 1)
            ]
            passwords: PasswordService = state["passwords"]
            await until(lambda: passwords._waiting.total() == len(waiting))
            await until(lambda: connections_in_use(state) == 0)
            assert (await client.get(ME)).status_code == 200
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)

    @pytest.mark.usefixtures("committed")
    async def test_c16_nor_does_whoever_waits_again(
        self, client: httpx2.AsyncClient, state: State, settings: Settings
    ) -> None:
        """A change of the password needs a second turn, for the new hash."""
        await sign_in(client, "ada")
        turns = [state["passwords"].turn(None) for _ in range(settings.argon2_concurrency + 1)]
        *held, queued = turns
        for turn in held:
            await turn.__aenter__()
        change = {"current_password": PASSWORD, "new_password": "another good one"}
        changing = asyncio.create_task(client.put(f"{ME}/password", json=change))
        passwords: PasswordService = state["passwords"]
        await until(lambda: passwords._waiting.total() == 1)
        queueing = asyncio.create_task(queued.__aenter__())
        await asyncio.sleep(0)
        await held[0].__aexit__(None, None, None)
        await queueing  # the current password is checked now, and the next turn is taken
        await until(lambda: passwords._waiting.total() == 1)
        await until(lambda: connections_in_use(state) == 0)
        assert not changing.done()
        for turn in (*held[1:], queued):
            await turn.__aexit__(None, None, None)
        assert (await changing).status_code == 204


def connections_in_use(state: State) -> int:
    count: int = state["engine"].pool.checkedout()  # type: ignore[attr-defined]  # its pool has it
    return count


@pytest.fixture
def statements(state: State) -> Iterator[list[str]]:
    """The executed SQL, but for the timeouts that a pooler needs in each transaction."""
    run: list[str] = []

    def note(*args: Any) -> None:
        if "set_config" not in args[2]:
            run.append(args[2])

    event.listen(state["engine"].sync_engine, "before_cursor_execute", note)
    yield run
    event.remove(state["engine"].sync_engine, "before_cursor_execute", note)


@pytest.mark.usefixtures("committed")
async def test_work_per_request(
    client: httpx2.AsyncClient, statements: list[str], hashes: list[int]
) -> None:
    """A login takes one hash and three statements, authentication takes one statement."""
    await register(client, "ada")
    statements.clear()
    hashes.clear()
    tokens = await login(client, "ada")
    assert (len(statements), hashes) == (3, [8])
    statements.clear()
    assert (await client.get(ME, headers=tokens.bearer)).status_code == 200
    assert len(statements) == 1
    statements.clear()
    assert (await tokens.renew(client)).status_code == 200
    assert len(statements) == 1


def test_threads_end_with_the_service(settings: Settings) -> None:
    service = PasswordService(settings)
    service.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        asyncio.run(service.hash(PASSWORD))
