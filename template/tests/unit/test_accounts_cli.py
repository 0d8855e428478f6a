"""Commands for accounts."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from click.testing import CliRunner
from sqlalchemy import URL

from app.cli import cli
from app.core.config import Settings
from tests.accounts import ME, PASSWORD, login
from tests.breaches import LEAKED, Breaches, breaches, digest_of
from tests.databases import execute
from tests.waiting import PATIENCE

ADMIN = ["create-admin", "--email", "boss@example.com", "--username", "boss"]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """A runner for the test database, which it leaves empty."""
    monkeypatch.setenv("ENVIRONMENT", "development")
    monkeypatch.setenv("DATABASE_URL", settings.database_url.render_as_string(hide_password=False))
    yield CliRunner()
    execute(settings.database_url, "DELETE FROM users", "DELETE FROM login_failures")


def accounts(settings: Settings) -> list[tuple[object, ...]]:
    return execute(settings.database_url, "SELECT username, role FROM users")


def test_asks_for_what_is_missing(run: CliRunner, settings: Settings) -> None:
    answers = f"boss@example.com\nboss\n{PASSWORD}\n{PASSWORD}\n"
    result = run.invoke(cli, ["create-admin"], input=answers)
    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert accounts(settings) == [("boss", "admin")]
    assert '"event": "user_registered"' in result.output  # O11: who, from where
    assert f'"operator": "uid {os.getuid()} on ' in result.output


async def test_generated_password_is_shown_once_and_works(
    run: CliRunner, client: httpx2.AsyncClient
) -> None:
    result = await asyncio.to_thread(run.invoke, cli, [*ADMIN, "--generate-password"])
    assert result.exit_code == 0, result.output
    password = result.output.splitlines()[-1].rpartition(" ")[2]
    assert len(password) >= 32
    assert result.output.count(password) == 1
    tokens = await login(client, "boss", password)
    assert (await client.get(ME, headers=tokens.bearer)).json()["role"] == "admin"


@pytest.mark.parametrize(
    ("arguments", "password", "said"),
    [
        (["--email", "x"], PASSWORD, "email: "),
        (["--username", "admin"], PASSWORD, "username: is reserved"),
        ([], "password", "password: is one of the most common passwords"),
        ([], "hunter2", "password: String should have at least 8 characters"),
    ],
)
def test_same_rules_as_for_everybody(
    run: CliRunner, settings: Settings, arguments: list[str], password: str, said: str
) -> None:
    result = run.invoke(cli, [*ADMIN, *arguments], input=f"{password}\n{password}\n")
    assert result.exit_code == 1
    assert said in result.output
    assert "hunter2" not in result.output
    assert accounts(settings) == []


@pytest.fixture
async def lookup(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Breaches]:
    """A service of breached passwords, which commands ask."""
    monkeypatch.setattr("app.accounts.breached.TIMEOUT", PATIENCE)
    async with breaches() as service:
        monkeypatch.setenv("BREACHED_PASSWORDS_URL", service.url)
        yield service


async def create_by_hand(run: CliRunner, password: str) -> tuple[int, str]:
    """Type `password` twice; return the exit code and the output."""
    typed = f"{password}\n{password}\n"
    result = await asyncio.to_thread(run.invoke, cli, ADMIN, input=typed)
    return result.exit_code, result.output


async def test_x26_breached_password_is_refused(
    run: CliRunner, settings: Settings, lookup: Breaches
) -> None:
    """X26: an admin needs a good one as well."""
    exit_code, output = await create_by_hand(run, LEAKED)
    assert (exit_code, await asyncio.to_thread(accounts, settings)) == (1, [])
    assert "password: is known from a data breach" in output
    exit_code, output = await create_by_hand(run, PASSWORD)
    assert (exit_code, await asyncio.to_thread(accounts, settings)) == (0, [("boss", "admin")])
    assert "password_not_checked" not in output
    assert lookup.paths == [f"/range/{digest_of(each)[:5]}" for each in (LEAKED, PASSWORD)]


async def test_x26_password_that_cannot_be_checked_is_accepted(
    run: CliRunner, settings: Settings, lookup: Breaches
) -> None:
    """X26: with a warning in the audit trail."""
    lookup.faulty = b""
    exit_code, output = await create_by_hand(run, LEAKED)
    assert (exit_code, await asyncio.to_thread(accounts, settings)) == (0, [("boss", "admin")])
    assert '"event": "password_not_checked"' in output


def test_taken_name(run: CliRunner, settings: Settings) -> None:
    for exit_code in (0, 1):
        result = run.invoke(cli, [*ADMIN, "--generate-password"])
        assert result.exit_code == exit_code
    assert "is taken" in result.output
    assert len(accounts(settings)) == 1


def test_purge_tells_what_it_did(run: CliRunner, settings: Settings) -> None:
    """T16."""
    assert run.invoke(cli, [*ADMIN, "--generate-password"]).exit_code == 0
    execute(
        settings.database_url,
        "INSERT INTO user_sessions (id, user_id, refresh_hash, created_at, expires_at) SELECT"
        " gen_random_uuid(), id, '', now() - interval '90 days', now() + n * interval '1 day'"
        " FROM users, generate_series(-2, 1) AS n",
        "INSERT INTO login_failures VALUES ('a', 1, now() - interval '2 hours'), ('b', 1, now())",
    )
    result = run.invoke(cli, ["purge-sessions"])
    assert result.exit_code == 0
    assert "3 expired sessions and 1 forgotten login failures" in result.output
    assert execute(settings.database_url, "SELECT count(*) FROM user_sessions") == [(1,)]


@pytest.mark.parametrize("command", [[*ADMIN, "--generate-password"], ["purge-sessions"]])
def test_what_is_missing_is_told_in_words(
    run: CliRunner, empty_database: URL, command: list[str]
) -> None:
    url = empty_database.render_as_string(hide_password=False)
    result = run.invoke(cli, command, env={"DATABASE_URL": url})
    assert (result.exit_code, "app migrate" in result.output) == (1, True)
    away = {"DATABASE_URL": "postgresql://app:hunter2@127.0.0.1:1/app"}
    result = run.invoke(cli, command, env=away)
    assert (result.exit_code, "check DATABASE_URL" in result.output) == (1, True)
    assert "hunter2" not in result.output
