"""Wrong settings stop the service, and the message says how to fix them."""

from pathlib import Path

import pytest

from app.core.config import Settings, SettingsError, load_settings

URL = "postgresql://app:Zr8qkPw1@db/app"


# That fixture removes the developer's environment and `.env`.
pytestmark = pytest.mark.usefixtures("settings")


def faults(**values: object) -> list[str]:
    """Return the message about each wrong setting."""
    with pytest.raises(SettingsError) as caught:
        load_settings(**values)
    assert "hunter" not in str(caught.value)  # a part of the wrong values in these tests
    return [line.strip() for line in str(caught.value).splitlines()[1:-1]]


def test_production_is_the_default() -> None:
    """Without ENVIRONMENT, the strictest rules apply."""
    settings = load_settings(database_url=URL)
    assert settings.environment == "production"
    assert not settings.docs_enabled


def test_secrets_may_lie_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As container engines mount them; the environment takes precedence."""
    monkeypatch.setitem(Settings.model_config, "secrets_dir", tmp_path)
    (tmp_path / "database_url").write_text(f"{URL}\n")
    assert load_settings().database_url.host == "db"
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:Zr8qkPw1@elsewhere/app")
    assert load_settings().database_url.host == "elsewhere"


def test_secret_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(Settings.model_config, "secrets_dir", tmp_path)
    (tmp_path / "database_url").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r'cannot be read: .*"database_url"') as caught:
        load_settings()
    assert caught.value.__context__ is None


@pytest.mark.parametrize(("environment", "seconds"), [("development", 0), ("staging", 5)])
def test_only_development_stops_at_once(environment: str, seconds: int) -> None:
    assert load_settings(environment=environment, database_url=URL).drain_seconds == seconds
    assert load_settings(database_url=URL, drain_seconds=0.5).drain_seconds == 0.5


def test_missing_setting_is_named_with_its_fix() -> None:
    (fault,) = faults()
    assert fault.startswith("DATABASE_URL is missing. PostgreSQL, as postgresql://user:password@")


def test_all_faults_are_named_at_once_and_no_value_is() -> None:
    """C21: one failed start reports all errors."""
    values = {
        "debug": "true",
        "log_level": "hunter1",
        "database_url": "sqlite:///hunter2",
        "db_pool_size": "hunter3",
        "api_v1_prefix": "hunter4",
    }
    found = faults(**values)
    assert [fault.split()[0] for fault in found] == [
        "DEBUG",
        "LOG_LEVEL",
        "API_V1_PREFIX",
        "DATABASE_URL",
        "DB_POOL_SIZE",
    ]


def test_production_needs_to_know_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A14."""
    monkeypatch.delenv("ALLOWED_HOSTS")
    (fault,) = faults(database_url=URL)
    assert fault.startswith("ALLOWED_HOSTS is missing. The names this service is called by")
    assert load_settings(environment="staging", database_url=URL).allowed_hosts == ("*",)


@pytest.mark.parametrize(
    ("given", "understood"),
    [("a.org", ("a.org",)), (" a.org , *.b.org,", ("a.org", "*.b.org")), ("*", ("*",))],
)
def test_lists_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, given: str, understood: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", given)
    assert load_settings(database_url=URL).allowed_hosts == understood


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_hosts", "https://a.org"),
        ("allowed_hosts", '["a.org"]'),
        ("allowed_hosts", "a*.org"),
        ("cors_origins", "a.org"),
        ("cors_origins", "https://a.org/"),
        ("cors_origins", "https://*.a.org"),
        ("cors_origins", "null"),
    ],
)
def test_malformed_names(name: str, value: str) -> None:
    (fault,) = faults(database_url=URL, **{name: value})
    assert fault.startswith(f"{name.upper()} holds something that is no")


def test_cookies_are_not_for_every_site() -> None:
    """C21: any page could act for its visitors."""
    (fault,) = faults(database_url=URL, cors_origins="*", cors_credentials=True)
    assert fault.startswith("CORS_CREDENTIALS would let every web site act")
    load_settings(database_url=URL, cors_origins="*")


def test_original_error_with_its_values_is_not_chained() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(database_url="mysql://hunter2")
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("password", ["postgres", "Change-Me", "password", "app", ""])
def test_production_refuses_placeholder_passwords(password: str) -> None:
    (fault,) = faults(environment="production", database_url=f"postgresql://app:{password}@db/app")
    assert fault.startswith("DATABASE_URL has a placeholder password")


def test_development_takes_placeholder_passwords() -> None:
    load_settings(environment="development", debug=True, database_url="postgresql://a:a@db/app")


def test_broken_environment_does_not_open_a_back_door() -> None:
    found = faults(environment="prod", debug=True, database_url="postgresql://app:app@db/app")
    assert [fault.split()[0] for fault in found] == ["ENVIRONMENT", "DEBUG", "DATABASE_URL"]


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("postgres://u:p%40%2F@h/db", "postgresql+asyncpg://u:p%40%2F@h/db"),
        (" postgresql://u@h:6432/db ", "postgresql+asyncpg://u@h:6432/db"),
        ("postgresql+asyncpg://u@/db?host=/run/pg", "postgresql+asyncpg://u@/db?host=%2Frun%2Fpg"),
        ("postgresql://u@h/db?sslmode=require", "postgresql+asyncpg://u@h/db?ssl=require"),
        (
            "postgresql://u@h/db?sslmode=require&channel_binding=require&connect_timeout=5",
            "postgresql+asyncpg://u@h/db?ssl=require",
        ),
    ],
)
def test_database_urls_as_platforms_write_them(given: str, understood: str) -> None:
    """F20."""
    url = load_settings(database_url=given).database_url
    assert url.render_as_string(hide_password=False) == understood


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        "mysql://u@h/db",
        "postgresql://u@h",
        "'x'",
        "postgresql://u@h:99999/db",
        "postgresql://u@h:x/db",
        "postgresql://u@h/db?ssl=bogus",
        "postgresql://u@h/db?sslrootcert=x",
        "postgresql://u@h/db?nonsense=1",
    ],
)
def test_wrong_database_urls(given: str) -> None:
    (fault,) = faults(database_url=given)
    assert fault.startswith("DATABASE_URL ")


def test_verified_tls_needs_an_authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = "postgresql://u@h/db?ssl=verify-full"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    (fault,) = faults(database_url=url)
    assert "PGSSLROOTCERT" in fault
    (tmp_path / "ca.pem").touch()
    monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "ca.pem"))
    assert load_settings(database_url=url).database_url.query == {"ssl": "verify-full"}


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "0.0001"])
def test_timeouts_are_limits(seconds: str) -> None:
    """For PostgreSQL, 0 means no limit."""
    (fault,) = faults(database_url=URL, db_statement_timeout=seconds)
    assert fault.startswith("DB_STATEMENT_TIMEOUT")


def test_password_is_not_shown() -> None:
    """C22: settings may end up in a log."""
    assert "Zr8qkPw1" not in repr(load_settings(database_url=URL))
