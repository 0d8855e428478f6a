"""Metrics of the accounts: alerts see the first event."""

import pytest
from prometheus_client import REGISTRY

from app.core.config import Settings
from app.main import create_app
from tests.conftest import client_of, running


@pytest.mark.usefixtures("app")
def test_security_events_begin_at_zero() -> None:
    labels = {"event": "login_failed"}
    assert REGISTRY.get_sample_value("fastapi_security_events_total", labels) is not None


async def test_the_limit_under_auth_begins_at_zero(settings: Settings) -> None:
    limited = create_app(settings.model_copy(update={"rate_limit_enabled": True}))
    async with running(limited) as state, client_of(limited, state) as client:
        await client.get("/live")
    assert REGISTRY.get_sample_value("fastapi_rate_limited_total", {"limit": "auth"}) is not None
