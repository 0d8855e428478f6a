"""Settings that production refuses (OWASP ASVS 13)."""

import os
import subprocess
import sys
from secrets import token_hex, token_urlsafe

import pytest

from app.core.config import SettingsError, load_settings

URL = "postgresql://app:Zr8qkPw1@db/app"
KEY = token_urlsafe(48)

pytestmark = pytest.mark.usefixtures("settings")

WEAK = {
    "missing": ({"JWT_SECRET_KEY": ""}, "JWT_SECRET_KEY is missing"),
    "short": (
        {"JWT_SECRET_KEY": "hunter2"},
        "JWT_SECRET_KEY is shorter than the 32 bytes of HS256",
    ),
    "placeholder": ({"JWT_SECRET_KEY": "change-me-" * 5}, "JWT_SECRET_KEY is no random key"),
    "hidden": (
        {"JWT_SECRET_KEY": f"My-Secret-{token_urlsafe(32)}"},
        "JWT_SECRET_KEY is no random key",
    ),
    "monotonous": ({"JWT_SECRET_KEY": "hunter2" * 6}, "JWT_SECRET_KEY is no random key"),
    "previous": ({"JWT_PREVIOUS_SECRET_KEY": "hunter2" * 6}, "JWT_PREVIOUS_SECRET_KEY is no"),
    "longer hash": (
        {"JWT_SECRET_KEY": "hunter2" * 6, "JWT_ALGORITHM": "HS512"},
        "JWT_SECRET_KEY is shorter than the 64 bytes of HS512",
    ),
    "none": ({"JWT_ALGORITHM": "none"}, "JWT_ALGORITHM is wrong"),
    "asymmetric": ({"JWT_ALGORITHM": "RS256"}, "JWT_ALGORITHM is wrong"),
    "argon2": ({"ARGON2_MEMORY_COST": "8"}, "ARGON2_TIME_COST is too low"),
    "argon2 threads": (
        {"ARGON2_MEMORY_COST": "400", "ARGON2_TIME_COST": "100", "ARGON2_PARALLELISM": "51"},
        "ARGON2_PARALLELISM takes",
    ),
    "debug": ({"DEBUG": "true"}, "DEBUG must be off"),
    "sqlite": ({"DATABASE_URL": "sqlite:///hunter2"}, "DATABASE_URL"),
    "password": ({"DATABASE_URL": "postgresql://app:app@db/app"}, "DATABASE_URL has a placeholder"),
    "lifetime": ({"ACCESS_TOKEN_EXPIRE_MINUTES": "0"}, "ACCESS_TOKEN_EXPIRE_MINUTES"),
}


@pytest.mark.parametrize(("values", "fault"), WEAK.values(), ids=WEAK.keys())
def test_c21_t2_weak_settings_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], fault: str
) -> None:
    for name, value in ({"DATABASE_URL": URL, "JWT_SECRET_KEY": KEY} | values).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    (line,) = str(caught.value).splitlines()[1:-1]
    assert line.strip().startswith(fault)
    assert "hunter2" not in str(caught.value)


def test_c21_the_process_ends_and_names_all_of_them() -> None:
    weak = {"JWT_SECRET_KEY": "hunter2", "DEBUG": "true", "DATABASE_URL": "sqlite:///hunter3"}
    ended = subprocess.run(
        [sys.executable, "-c", "from app.cli import cli; cli()", "serve"],
        env=os.environ | weak | {"ENVIRONMENT": "production"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    for name in weak:
        assert name in ended.stderr
    assert "hunter" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    "key",
    [token_urlsafe(32), token_hex(32), token_urlsafe(64)],
    ids=["urlsafe 32", "hex 32", "urlsafe 64"],
)
def test_random_keys_pass(key: str) -> None:
    load_settings(database_url=URL, jwt_previous_secret_key="", jwt_secret_key=key)


def test_x15_case_of_the_algorithm_does_not_matter() -> None:
    settings = load_settings(database_url=URL, jwt_secret_key=KEY, jwt_algorithm="hs256")
    assert settings.jwt_algorithm == "HS256"


def test_x15_limit_that_is_off_is_not_checked() -> None:
    settings = load_settings(
        database_url=URL,
        jwt_secret_key=KEY,
        rate_limit_enabled=False,
        rate_limit_auth_per_minute=0,
    )
    assert settings.rate_limit_auth_per_minute == 30
    with pytest.raises(SettingsError, match="RATE_LIMIT_AUTH_PER_MINUTE"):
        load_settings(database_url=URL, jwt_secret_key=KEY, rate_limit_auth_per_minute=0)


def test_development_takes_cheap_hashes() -> None:
    load_settings(environment="development", database_url=URL, argon2_memory_cost=8)


def test_c22_keys_are_not_shown() -> None:
    settings = load_settings(
        database_url=URL, jwt_secret_key=KEY, jwt_previous_secret_key=KEY[::-1]
    )
    for secret in (KEY, KEY[::-1], "Zr8qkPw1"):
        assert secret not in repr(settings)
        assert secret not in str(settings)
