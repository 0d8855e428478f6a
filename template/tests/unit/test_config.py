"""Wrong settings stop the service, and the message says how to fix them."""

import asyncio
import json
import os
import ssl
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from app.core.config import Settings, SettingsError, load_settings, misspelt_names
from app.db.session import build_engine
from app.main import create_app
from app.settings.base import BaseServiceSettings

URL = "postgresql://app:Zr8qkPw1@db/app"

UNESCAPED = ("a@hunter", "a#hunter", "a/hunter", "a?hunter", "@", "/hunter@#", "a@b/hunter")
"""Passwords that must be percent-encoded in a URL."""


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


def test_env_file_that_is_no_text_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """X16: in one sentence, without the bytes."""
    file = tmp_path / ".env"
    file.write_bytes(b"DATABASE_URL=postgresql://app:hunter\xff@db/app\n")
    monkeypatch.setitem(Settings.model_config, "env_file", file)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == f"The settings cannot be read: {file} is not UTF-8."
    assert caught.value.__context__ is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_env_file_without_permission_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """X16."""
    file = tmp_path / ".env"
    file.touch(mode=0o000)
    monkeypatch.setitem(Settings.model_config, "env_file", file)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == f"The settings cannot be read: {file}: Permission denied."


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="Linux has such a file")
def test_env_file_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """X16: also for root, and also when reading fails after opening."""
    monkeypatch.setitem(Settings.model_config, "env_file", "/proc/self/mem")
    with pytest.raises(SettingsError, match=r"read: /proc/self/mem: Input/output error\.$"):
        load_settings()


@pytest.mark.parametrize("empty", ["", "  "])
@pytest.mark.parametrize("place", ["environment", "env_file", "secret", "argument"])
def test_empty_value_is_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, empty: str
) -> None:
    """X15: as platforms and templates of files pass on what is not set."""
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setitem(Settings.model_config, "secrets_dir", tmp_path)
    given = {}
    for name in ("DB_POOL_SIZE", "DEBUG", "LOG_LEVEL", "API_V1_PREFIX", "DRAIN_SECONDS"):
        if place == "environment":
            monkeypatch.setenv(name, empty)
        elif place == "env_file":
            with (tmp_path / ".env").open("a") as file:
                file.write(f'{name}="{empty}"\n')
        elif place == "secret":
            (tmp_path / name.lower()).write_text(empty)
        else:
            given[name.lower()] = empty
    settings = load_settings(database_url=URL, **given)
    assert (settings.db_pool_size, settings.debug, settings.log_level) == (15, False, "INFO")
    assert (settings.api_v1_prefix, settings.drain_seconds) == ("/api/v1", 5)


def test_empty_value_hides_no_other_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """X15: compose passes on an empty variable, and the value is in a file."""
    monkeypatch.setitem(Settings.model_config, "secrets_dir", tmp_path)
    (tmp_path / "database_url").write_text(URL)
    monkeypatch.setenv("DATABASE_URL", "")
    assert load_settings().database_url.host == "db"


def test_empty_value_of_a_required_setting_is_missing() -> None:
    """X15."""
    (fault,) = faults(database_url="")
    assert fault.startswith("DATABASE_URL is missing.")


@pytest.mark.parametrize(
    ("name", "given", "understood"),
    [
        ("log_level", "info", "INFO"),
        ("log_level", " Warning ", "WARNING"),
        ("log_format", "JSON", "json"),
        ("environment", "Production", "production"),
        ("environment", "STAGING", "staging"),
        ("debug", "FALSE", False),
    ],
)
def test_case_does_not_matter(name: str, given: str, understood: object) -> None:
    """X15."""
    assert getattr(load_settings(database_url=URL, **{name: given}), name) == understood


def test_limit_that_is_off_is_not_checked() -> None:
    """X15: wrong settings of a feature that is turned off do not stop the start."""
    off = load_settings(database_url=URL, rate_limit_enabled="false", rate_limit_per_minute="0")
    assert off.rate_limit_per_minute == 100
    (fault,) = faults(database_url=URL, rate_limit_per_minute="0")
    assert fault.startswith("RATE_LIMIT_PER_MINUTE is wrong")
    found = faults(database_url=URL, rate_limit_enabled="maybe", rate_limit_per_minute="0")
    assert len(found) == 2


def test_large_limit_is_possible() -> None:
    """Up to a million a minute: GCRA's interval would be less than 60 us."""
    settings = load_settings(database_url=URL, rate_limit_per_minute="1000000")
    assert settings.rate_limit_per_minute == 1_000_000
    (fault,) = faults(database_url=URL, rate_limit_per_minute="1000001")
    assert fault.startswith("RATE_LIMIT_PER_MINUTE is wrong")


class OwnSettings(BaseServiceSettings):
    """Settings of a project's own, with all ways to name them."""

    model_config = SettingsConfigDict(env_prefix="shop_")

    currency: str = "EUR"
    """The currency."""

    door: str = Field(default="", validation_alias="SHOP_ACCESS")
    """The door."""


def test_misspelt_names_in_env_file_are_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """X15: with the nearest setting, but not those in the environment, which others use too."""
    file = tmp_path / ".env"
    file.write_text(
        "RATE_LIMIT_PER_MINUT=5\ndatabase_uri=postgresql://hunter2\nDB_POOLSIZE=\n"
        "LOG_LEVEL=info\nPOSTGRES_PASSWORD=hunter3\nSHOP_CURENCY=EUR\n"
        "SHOP_CURRENCY=EUR\nSHOP_ACCESS=x\nCOMPOSE_PROJECT_NAME=shop\n"
    )
    monkeypatch.setitem(Settings.model_config, "env_file", file)
    monkeypatch.setenv("LOG_LEVL", "info")
    assert misspelt_names([Settings, OwnSettings]) == {
        "RATE_LIMIT_PER_MINUT": "RATE_LIMIT_PER_MINUTE",
        "DATABASE_URI": "DATABASE_URL",
        "DB_POOLSIZE": "DB_POOL_SIZE",
        "SHOP_CURENCY": "SHOP_CURRENCY",
    }


def test_without_env_file_no_name_is_misspelt() -> None:
    """X15."""
    assert misspelt_names([Settings]) == {}


def test_example_has_no_misspelt_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """X15: not even those that compose alone reads."""
    monkeypatch.setitem(Settings.model_config, "env_file", ".env.example")
    assert misspelt_names([Settings]) == {}


async def test_misspelt_name_is_a_warning_at_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """X15: with the nearest setting, without the value."""
    url = settings.database_url.render_as_string(hide_password=False)
    (tmp_path / ".env").write_text(f"DATABASE_URL={url}\nRATE_LIMIT_PER_MINUT=hunter2\n")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    with redirect_stdout(StringIO()) as output:
        create_app()
    (line,) = map(json.loads, output.getvalue().splitlines())
    assert (line["event"], line["level"]) == ("unknown_setting", "warning")
    assert (line["name"], line["nearest"]) == ("RATE_LIMIT_PER_MINUT", "RATE_LIMIT_PER_MINUTE")
    assert "hunter2" not in output.getvalue()


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
    [
        ("a.org", ("a.org",)),
        (" a.org , *.b.org,", ("a.org", "*.b.org")),
        ("*", ("*",)),
        ("my_app", ("my_app",)),
    ],
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
        ("cors_origins", "http://[::1"),
        ("cors_origins", "http://[app]"),
        ("cors_origins", "http://a.org:"),
        ("cors_origins", "http://a.org:80:80"),
    ],
)
def test_malformed_names(name: str, value: str) -> None:
    (fault,) = faults(database_url=URL, **{name: value})
    assert fault.startswith(f"{name.upper()} holds something that is no")


@pytest.mark.parametrize("path", ["shop", "/", "/shop/", "/a//b", "/a b", "https://a.org/shop"])
def test_malformed_root_path(path: str) -> None:
    """X17: it begins with a slash and does not end with one."""
    (fault,) = faults(database_url=URL, root_path=path)
    assert fault.startswith("ROOT_PATH is wrong")
    assert load_settings(database_url=URL, root_path="/a/b").root_path == "/a/b"


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://my_app:3000", "http://my_app:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
        ("HTTPS://App.Example.com", "https://app.example.com"),
    ],
)
def test_origins_as_browsers_send_them(given: str, understood: str) -> None:
    """X14: with IPv6, of apps and extensions, and in lower case (RFC 6454, section 6.2)."""
    assert load_settings(database_url=URL, cors_origins=given).cors_origins == (understood,)


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
        (
            "postgresql://u@h/db?gssencmode=disable&target_session_attrs=read-write",
            "postgresql+asyncpg://u@h/db?target_session_attrs=read-write",
        ),
        ("postgresql://u:p:+%25$@[::1]/db", "postgresql+asyncpg://u:p%3A+%25%24@[::1]/db"),
        ("postgresql://u%40team:p@h/db", "postgresql+asyncpg://u%40team:p@h/db"),
    ],
)
def test_database_urls_as_platforms_write_them(given: str, understood: str) -> None:
    """F20."""
    url = load_settings(database_url=given).database_url
    assert url.render_as_string(hide_password=False) == understood


@pytest.mark.parametrize(
    "given",
    [
        "nonsense",
        "mysql://u@h/db",
        "postgresql://u@h",
        "'x'",
        "postgresql://u@h:99999/db",
        "postgresql://u@h:x/db",
        "postgresql://u@h/db?ssl=bogus",
        "postgresql://u@h/db?nonsense=1",
        "postgresql://u@h/db?target_session_attrs=master",
        "postgresql://u@h/db?sslmode=require&ssl=disable",
        "postgresql://u@h/db?ssl",
        "postgresql://u@h/db?sslmode=",
    ],
)
def test_wrong_database_urls(given: str) -> None:
    (fault,) = faults(database_url=given)
    assert fault.startswith("DATABASE_URL ")


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://app:hunter2@primary..internal/app",
        f"postgresql://app:hunter2@{'a' * 64}.internal/app",
        "postgresql://app:hunter2@/app?host=primary,standby..internal",
    ],
)
def test_impossible_host_name(given: str) -> None:
    """X11, X18: without the check, the first connection would end in a UnicodeError."""
    (fault,) = faults(database_url=given)
    assert fault.startswith("DATABASE_URL has an impossible host name")
    assert load_settings(database_url="postgresql://u@[::1]/db").database_url.host == "::1"
    assert load_settings(database_url="postgresql://u@bücher.example/db").database_url


@pytest.mark.parametrize("password", UNESCAPED)
def test_unescaped_password_is_refused(password: str) -> None:
    """X11: a part of it would be taken for the host, and be shown in errors."""
    (fault,) = faults(database_url=f"postgresql://app:{password}@db/app")
    assert fault.startswith("DATABASE_URL has an unescaped ")
    assert "percent-encode" in fault
    settings = load_settings(database_url=f"postgresql://app:{quote(password, safe='')}@db/app")
    assert (settings.database_url.password, settings.database_url.host) == (password, "db")


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://hunter@team:hunter2@db/app",
        "postgresql://db/hunter@app",
        "postgresql://db/hunter#app",
        "postgresql://app:hunter 2@db/app",
        "postgresql://app:hunter\n2@db/app",
    ],
)
def test_other_text_that_programs_read_differently(given: str) -> None:
    """X11."""
    (fault,) = faults(database_url=given)
    assert fault.startswith("DATABASE_URL has an unescaped ")


@pytest.mark.parametrize(
    ("parameter", "instead"),
    [
        ("options=-c%20x=hunter2", "ALTER DATABASE"),
        ("passfile=/hunter2", "PGPASSFILE"),
        ("service=hunter2", "PGSERVICE"),
        ("password=hunter2", "postgresql://user:password@host"),
        ("sslpassword=hunter2", "key without a password"),
        ("keepalives_idle=30", "it takes host, sslcert, sslcrl, sslkey, sslmode, sslrootcert"),
    ],
)
def test_parameter_that_is_not_supported_says_what_to_use(parameter: str, instead: str) -> None:
    """X11."""
    (fault,) = faults(database_url=f"postgresql://u@db/app?{parameter}")
    assert f"has the parameter {parameter.partition('=')[0]!r}, which is not supported" in fault
    assert instead in fault


def test_files_of_tls_are_those_that_the_driver_loads(tmp_path: Path) -> None:
    """X11: `sslrootcert` and others, as libpq has them."""
    file = tmp_path / "authority & more.pem"
    file.write_text("no certificate")
    parameters = f"sslmode=verify-full&sslrootcert={quote(str(file))}"
    settings = load_settings(database_url=f"postgresql://u@127.0.0.1:1/db?{parameters}")
    assert settings.database_url.query["ssl"] == "verify-full"

    async def connect() -> None:
        await build_engine(settings).connect()

    with pytest.raises(ssl.SSLError, match="NO_CERTIFICATE_OR_CRL_FOUND"):
        asyncio.run(connect())


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
def test_file_of_tls_that_is_missing(name: str, tmp_path: Path) -> None:
    """X11: found at start, not as a database that seems to be down."""
    url = f"postgresql://u@h/db?sslmode=require&{name}={tmp_path}/nothing"
    (fault,) = faults(database_url=url)
    assert fault.startswith(f"DATABASE_URL names a file for {name} that cannot be read")


@pytest.mark.parametrize("mode", ["", "&sslmode=prefer", "&sslmode=disable"])
def test_authority_that_nothing_would_check(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X11: libpq and asyncpg would ignore it, and accept any server."""
    monkeypatch.delenv("PGSSLMODE", raising=False)
    (tmp_path / "ca.pem").touch()
    (fault,) = faults(database_url=f"postgresql://u@h/db?sslrootcert={tmp_path}/ca.pem{mode}")
    assert "add sslmode=verify-full" in fault


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
