"""F1: logins are limited also while Redis is down."""

from pydantic import SecretStr

from app.core.config import Settings
from app.main import create_app
from tests.accounts import AUTH
from tests.conftest import client_of, running


async def test_logins_are_limited_without_redis(settings: Settings, away: str) -> None:
    """Then the process counts alone."""
    values = {
        "redis_url": SecretStr(away),
        "circuit_breaker_recovery_timeout": 60,
        "rate_limit_enabled": True,
    }
    app = create_app(settings.model_copy(update=values))
    async with running(app) as state, client_of(app, state) as client:
        tried = [(await client.post(f"{AUTH}/login")).status_code for _ in range(31)]
    assert tried == [422] * 30 + [429]
