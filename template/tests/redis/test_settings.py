"""F20: `REDIS_URL` in all forms that people and platforms use."""

from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from app.core.config import SettingsError, load_settings
from app.main import create_app
from app.redis.client import build_redis
from tests.conftest import running

# That fixture removes the developer's environment and `.env`.
pytestmark = pytest.mark.usefixtures("settings")

DATABASE = "postgresql://app:Zr8qkPw1@db/app"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache", {"host": "cache"}),
        (" redis://cache:6380/2 ", {"host": "cache", "port": 6380, "db": 2}),
        ("rediss://user:p%40ss@cache:6380/2", {"username": "user", "password": "p@ss", "db": 2}),
        ("valkey://:x%2Fy@cache", {"host": "cache", "password": "x/y"}),
        ("valkeys://cache?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem", {"host": "cache"}),
        ("unix:///run/redis.sock?db=1", {"path": "/run/redis.sock", "db": 1}),
        ("redis://[::1]:6379", {"host": "::1"}),
    ],
)
def test_urls_are_understood(url: str, expected: dict[str, object]) -> None:
    settings = load_settings(database_url=DATABASE, redis_url=url)
    pool = build_redis(settings).connection_pool
    assert pool.connection_kwargs.items() >= expected.items()
    assert ("SSL" in pool.connection_class.__name__) == url.startswith(("rediss", "valkeys"))


@pytest.mark.parametrize(
    "url",
    [
        "hunter2",
        "http://hunter2",
        "redis://",
        "redis:///0",
        "unix://",
        "redis://cache:hunter2",
        "redis://cache:99999",
        "redis://cache/hunter2",
        "redis://cache?hunter2=1",
        "redis://cache?decode_responses=true",
        "redis://cache?socket_timeout=60",
        "redis://cache?retry=5",
        "rediss://cache?ssl_cert_reqs=hunter2",
        "redis://[hunter2",
    ],
)
def test_what_cannot_work_is_named_without_its_value(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(database_url=DATABASE, redis_url=url)
    (fault,) = str(caught.value).splitlines()[1:-1]
    assert fault.startswith("  REDIS_URL ")
    assert fault.endswith("as redis://user:password@host:6379/0; rediss:// for TLS.")
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    "password", ["a@hunter", "a#hunter", "a/hunter", "a?hunter", "@", "/hunter@#", "a@b/hunter"]
)
@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey"])
def test_unescaped_password_is_refused(scheme: str, password: str) -> None:
    """X11: a part of it would be taken for the host, and be shown in errors."""
    with pytest.raises(SettingsError) as caught:
        load_settings(database_url=DATABASE, redis_url=f"{scheme}://:{password}@cache/0")
    (fault,) = str(caught.value).splitlines()[1:-1]
    assert fault.startswith("  REDIS_URL has an unescaped ")
    assert "percent-encode" in fault
    assert "hunter" not in fault
    url = f"{scheme}://:{quote(password, safe='')}@cache/0"
    pool = build_redis(load_settings(database_url=DATABASE, redis_url=url)).connection_pool
    assert pool.connection_kwargs["password"] == password
    assert pool.connection_kwargs["host"] == "cache"


@pytest.mark.parametrize("url", ["redis://cache/0#hunter", "redis://:hun ter@c", "redis://c\nx"])
def test_other_text_that_programs_read_differently(url: str) -> None:
    """X11."""
    with pytest.raises(SettingsError, match="REDIS_URL has an unescaped "):
        load_settings(database_url=DATABASE, redis_url=url)


@pytest.mark.parametrize("host", ["cache..internal", "a" * 64])
def test_impossible_host_name(host: str) -> None:
    """X11."""
    with pytest.raises(SettingsError, match="REDIS_URL has an impossible host name"):
        load_settings(database_url=DATABASE, redis_url=f"redis://{host}/0")


def test_missing_url_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL")
    with pytest.raises(SettingsError, match="REDIS_URL is missing"):
        load_settings(database_url=DATABASE)


def test_placeholder_password_is_refused_in_production() -> None:
    """C21: but no password is allowed."""
    url = "redis://:changeme@cache"
    with pytest.raises(SettingsError, match="REDIS_URL has a placeholder password"):
        load_settings(database_url=DATABASE, redis_url=url)
    load_settings(database_url=DATABASE, redis_url=url, environment="staging")
    load_settings(database_url=DATABASE, redis_url="redis://cache")


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("redis://cache", True),
        ("rediss://cache", True),
        ("redis://:Zr8qkPw1@cache", False),
        ("rediss://cache?ssl_certfile=/client.pem&ssl_keyfile=/client.key", False),
        ("unix:///run/redis.sock", False),
    ],
)
@pytest.mark.parametrize("environment", ["production", "staging"])
async def test_redis_without_a_password_is_a_warning_in_production(
    url: str, is_open: bool, environment: str
) -> None:
    """X26: ASVS 13.2.1. The start connects to nothing."""
    settings = load_settings(database_url=DATABASE, redis_url=url, environment=environment)
    app = create_app(settings)
    with capture_logs() as lines:
        async with running(app):
            pass
    warned = [line["log_level"] for line in lines if line["event"] == "redis_without_password"]
    assert warned == (["warning"] if is_open and environment == "production" else [])


def test_password_is_not_shown() -> None:
    """C22."""
    settings = load_settings(database_url=DATABASE, redis_url="redis://:hunter2@cache")
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in repr(build_redis(settings))


@pytest.mark.parametrize(
    ("name", "value"),
    [("cache_prefix", "/"), ("cache_prefix", "a b"), ("cache_ttl", 0), ("redis_timeout", 0)],
)
def test_other_settings_have_bounds(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        load_settings(database_url=DATABASE, **{name: value})


def test_cache_that_is_off_is_not_checked() -> None:
    """X15: only its own settings, not the prefix, which rate limits use as well."""
    settings = load_settings(database_url=DATABASE, cache_enabled=False, cache_ttl=0)
    assert settings.cache_ttl == 300
    with pytest.raises(SettingsError, match="CACHE_PREFIX"):
        load_settings(database_url=DATABASE, cache_enabled=False, cache_prefix="a b")
