"""Rate limits, and how clients are identified."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI

from app.core.config import Settings
from app.features import State
from app.main import create_app
from app.server.rate_limit import InProcessRateLimiter
from tests.conftest import client_of

ORIGIN = "https://app.example.com"


@pytest.fixture(scope="module")
def limited_app(settings: Settings) -> FastAPI:
    """The service with small limits."""
    limits = {
        "rate_limit_enabled": True,
        "rate_limit_per_minute": 10,
        "cors_origins": (ORIGIN,),
    }
    return create_app(settings.model_copy(update=limits))


@pytest.fixture
def limited(state: State) -> State:
    """The state of a process that has counted nothing yet."""
    return {**state, "rate_limiter": InProcessRateLimiter()}


@pytest.fixture
async def client(limited_app: FastAPI, limited: State) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(limited_app, limited) as client:
        yield client


async def test_answers_tell_what_is_left(client: httpx2.AsyncClient) -> None:
    """Errors have the headers as well, but not requests that the limiter does not count."""
    first = await client.get("/")
    assert first.headers["ratelimit-limit"] == "10"
    assert first.headers["ratelimit-policy"] == "10;w=60"
    assert first.headers["ratelimit-remaining"] == "9"
    assert first.headers["ratelimit-reset"] == "60"
    missing = await client.get("/nothing")
    assert (missing.status_code, missing.headers["ratelimit-remaining"]) == (404, "8")
    for probe in ("/live", "/ready"):
        assert "ratelimit-limit" not in (await client.get(probe)).headers


async def test_o4_refusal_says_when_to_come_back(client: httpx2.AsyncClient) -> None:
    """O12: it has the headers of all responses."""
    answers = [await client.get("/", headers={"Origin": ORIGIN}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    refusal = answers[-1]
    assert refusal.headers["content-type"] == "application/problem+json"
    assert refusal.json()["error_code"] == "too_many_requests"
    assert refusal.json()["request_id"] == refusal.headers["x-request-id"]
    assert re.fullmatch(r"Try again in \d+ s\.", refusal.json()["detail"])
    assert 1 <= int(refusal.headers["retry-after"]) <= 60
    assert refusal.headers["ratelimit-remaining"] == "0"
    assert refusal.headers["access-control-allow-origin"] == ORIGIN
    exposed = refusal.headers["access-control-expose-headers"]
    assert {"RateLimit-Remaining", "Retry-After"} <= set(exposed.split(", "))
    assert refusal.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in refusal.headers
    # Probes are never refused.
    assert (await client.get("/live")).status_code == 200


async def test_headers_of_a_large_limit_have_its_burst(settings: Settings, limited: State) -> None:
    values = {"rate_limit_enabled": True, "rate_limit_per_minute": 12_000}
    async with client_of(create_app(settings.model_copy(update=values)), limited) as client:
        answer = await client.get("/")
    assert answer.headers["ratelimit-limit"] == "12000"
    assert answer.headers["ratelimit-policy"] == "12000;w=60;burst=10000"
    assert answer.headers["ratelimit-remaining"] == "9999"
    assert answer.headers["ratelimit-reset"] == "1"


async def test_o3_forwarding_headers_change_nothing(client: httpx2.AsyncClient) -> None:
    """The server decides which header to trust: see tests/faults/test_server.py."""
    statuses = []
    for number in range(50):
        forged = f"192.0.2.{number}"
        headers = {"X-Forwarded-For": forged, "X-Real-IP": forged, "Forwarded": f"for={forged}"}
        statuses.append((await client.get("/", headers=headers)).status_code)
    assert statuses.count(200) == 10


@pytest.mark.parametrize(
    ("addresses", "passing"),
    [
        (["2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:a::"], 10),  # one /64
        (["2001:db8::1", "2001:db8:0:1::1"], 20),
        (["192.0.2.1", "::ffff:192.0.2.1"], 10),  # one address in two forms
        (["192.0.2.1", "192.0.2.2"], 20),
        (["", "no address"], 10),  # Unix sockets share one
    ],
)
async def test_o3_client_is_an_address_or_a_network(
    limited_app: FastAPI, limited: State, addresses: list[str], passing: int
) -> None:
    statuses = []
    for number in range(30):
        address = addresses[number % len(addresses)]
        async with client_of(limited_app, limited, address) as client:
            statuses.append((await client.get("/")).status_code)
    assert statuses.count(200) == passing


async def test_limit_can_be_turned_off(settings: Settings, limited: State) -> None:
    values = {"rate_limit_enabled": False, "rate_limit_per_minute": 1}
    async with client_of(create_app(settings.model_copy(update=values)), limited) as client:
        for _ in range(3):
            answer = await client.get("/")
            assert answer.status_code == 200
            assert "ratelimit-limit" not in answer.headers
