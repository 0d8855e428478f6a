"""`app check` says what is not right, in a line each."""

from collections.abc import Awaitable

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import URL

from app import main
from app.cli import cli
from app.core.config import Settings
from app.core.feature import Feature, State
from app.features import FEATURES

OTHERS = [name for feature in FEATURES for name in feature.checks]


def check(url: URL) -> Result:
    """Check a development service with this database."""
    given = url.render_as_string(hide_password=False)
    return CliRunner(env={"ENVIRONMENT": "development", "DATABASE_URL": given}).invoke(
        cli, ["check"]
    )


def test_everything_is_right(settings: Settings) -> None:
    """X15."""
    result = check(settings.database_url)
    names = ["settings", "database", "schema", *OTHERS]
    assert result.output.splitlines() == [f"{name}: ok" for name in names]
    assert result.exit_code == 0


def test_wrong_settings_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """X15."""
    monkeypatch.setenv("DB_POOL_SIZE", "hunter2")
    result = check(settings.database_url)
    assert "DB_POOL_SIZE is wrong" in result.output
    assert "hunter2" not in result.output
    assert result.exit_code == 1


@pytest.mark.usefixtures("settings")
def test_database_that_is_away_is_named_without_the_password() -> None:
    """X15: what depends on it is not called right."""
    url = URL.create("postgresql", "app", "hunter2", "127.0.0.1", 1, "app")
    result = check(url)
    lines = dict(line.split(": ", 1) for line in result.output.splitlines())
    assert lines["settings"] == "ok"
    assert "check DATABASE_URL" in lines["database"]
    assert lines["schema"] == "The database cannot be asked."
    assert "hunter2" not in result.output
    assert result.exit_code == 1


@pytest.mark.usefixtures("settings")
def test_schema_that_is_behind_is_named_with_its_fix(empty_database: URL) -> None:
    """X15."""
    result = check(empty_database)
    (line,) = [line for line in result.output.splitlines() if line.startswith("schema")]
    assert line.startswith("schema: It is empty, but ")
    assert line.endswith(" is needed: run `app migrate`.")
    assert "database: ok" in result.output
    assert result.exit_code == 1


def failing(_state: State) -> Awaitable[object]:
    error = OSError("the shop is closed")
    error.add_note("Check SHOP_URL.")
    raise error


async def silent(_state: State) -> None:
    raise TimeoutError


def test_checks_of_a_project_are_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """X15: with the notes of their errors, which say what to do."""
    shop = Feature(checks={"shop": failing, "mail": silent})
    monkeypatch.setattr(main, "FEATURES", [*FEATURES[:-1], shop])
    result = check(settings.database_url)
    assert "shop: OSError: the shop is closed. Check SHOP_URL." in result.output.splitlines()
    assert "mail: TimeoutError" in result.output.splitlines()
    assert "database: ok" in result.output
    assert result.exit_code == 1
