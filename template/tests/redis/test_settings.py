"""F20: `REDIS_URL` in all forms that people and platforms use."""

import pytest

from app.core.config import SettingsError, load_settings
from app.redis.client import build_redis

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
        "",
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


def test_password_is_not_shown() -> None:
    """C22."""
    settings = load_settings(database_url=DATABASE, redis_url="redis://:hunter2@cache")
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in repr(build_redis(settings))


@pytest.mark.parametrize(
    ("name", "value"),
    [("cache_prefix", ""), ("cache_prefix", "a b"), ("cache_ttl", 0), ("redis_timeout", 0)],
)
def test_other_settings_have_bounds(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=name.upper()):
        load_settings(database_url=DATABASE, **{name: value})
