"""Access to the metrics, and their format."""

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from app.core.config import Settings
from app.main import create_app
from app.settings.metrics import MetricsSettings
from tests.conftest import client_of, running
from tests.counting import increase

TOKEN = "a token that nobody guesses"


async def test_text_for_people_and_openmetrics_for_prometheus(client: httpx2.AsyncClient) -> None:
    text = await client.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE fastapi_requests_total counter" in text.text
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    answer = await client.get("/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    "accept",
    [
        "text/plain;version=x",
        "application/openmetrics-text;version=..",
        "application/openmetrics-text;version=99.0.0;escaping=x",
        "*/*",
        "",
        "é",
        "," * 5000,
    ],
)
async def test_form_that_nobody_knows(client: httpx2.AsyncClient, accept: str) -> None:
    answer = await client.get("/metrics", headers=[(b"Accept", accept.encode())])
    assert answer.status_code == 200
    assert "fastapi_requests_total" in answer.text


async def test_o7_token(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"metrics_token": SecretStr(TOKEN)}))
    async with running(app) as state, client_of(app, state) as client:
        for offered in (None, "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer é"):
            headers = [] if offered is None else [(b"Authorization", offered.encode())]
            answer = await client.get("/metrics", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "fastapi" not in answer.text
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/metrics", headers=right)).status_code == 200


def test_token_cannot_be_guessed() -> None:
    with pytest.raises(ValidationError, match="fewer than 16"):
        MetricsSettings(metrics_token=SecretStr("guess me"))


async def test_switched_off(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"metrics_enabled": False}))
    async with running(app) as state, client_of(app, state) as client:
        assert (await client.get("/metrics")).status_code == 404


async def test_scraper_knows_only_the_address(settings: Settings) -> None:
    """It may use any host name, and has no rate limit."""
    update = {"allowed_hosts": ("api.example.com",), "rate_limit_enabled": True}
    app = create_app(settings.model_copy(update=update | {"rate_limit_per_minute": 2}))
    async with running(app) as state, client_of(app, state) as client:
        headers = {"Host": "10.0.0.7:8000"}
        answers = [await client.get("/metrics", headers=headers) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}


async def test_refusals_are_counted(settings: Settings) -> None:
    update = {"rate_limit_enabled": True, "rate_limit_per_minute": 2}
    app = create_app(settings.model_copy(update=update))
    refused = increase("fastapi_rate_limited_total", limit="requests")
    async with running(app) as state, client_of(app, state, "192.0.2.77") as limited:
        assert [(await limited.get("/")).status_code for _ in range(5)].count(429) == 3
    assert refused() == 3


def test_token_of_metrics_that_are_off_is_not_checked() -> None:
    """X15: and an empty one is none."""
    short = SecretStr("guess me")
    assert MetricsSettings(metrics_enabled=False, metrics_token=short).metrics_token is None
    assert MetricsSettings.model_validate({"metrics_token": ""}).metrics_token is None
