"""Every request is counted, with a bounded set of labels."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from app.core.config import Settings
from app.main import create_app
from tests.conftest import client_of, running
from tests.counting import increase, value
from tests.waiting import until


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    """The service with a few more routes."""
    app = create_app(settings)
    things = APIRouter(prefix="/things")

    @things.get("/{thing_id}")
    async def thing(thing_id: int) -> int:
        return thing_id

    @things.get("/{thing_id}/broken")
    async def broken(thing_id: int) -> int:
        raise KeyError(thing_id)

    @things.get("/{thing_id}/half")
    async def half(thing_id: int) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"half"
            raise KeyError(thing_id)

        return StreamingResponse(parts())

    @things.get("/{thing_id}/later")
    async def later(thing_id: int, tasks: BackgroundTasks) -> int:
        async def work() -> None:
            await asyncio.sleep(0.1)
            raise KeyError(thing_id)

        tasks.add_task(work)
        return thing_id

    @things.get("/{thing_id}/slow")
    async def slow(thing_id: int) -> int:
        await asyncio.gather(app.state.go.wait(), asyncio.sleep(0.03))
        return thing_id

    app.include_router(things, prefix="/api/v1")
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as state, client_of(app, state) as client:
        yield client


THING = "/api/v1/things/{thing_id}"


async def test_counted_by_method_route_and_status(client: httpx2.AsyncClient) -> None:
    good = increase("fastapi_requests_total", method="GET", endpoint=THING, status="200")
    bad = increase("fastapi_requests_total", method="GET", endpoint=THING, status="422")
    wrong = increase("fastapi_requests_total", method="DELETE", endpoint=THING, status="405")
    timed = increase("fastapi_request_duration_seconds_count", method="GET", endpoint=THING)
    for path in ("/1", "/2", "/x"):
        await client.get(f"/api/v1/things{path}")
    await client.delete("/api/v1/things/1")
    assert (good(), bad(), wrong(), timed()) == (2, 1, 1, 3)


async def test_head_is_counted_by_its_route(client: httpx2.AsyncClient) -> None:
    """X14: HEAD has no route of its own; also when it fails."""
    good = increase("fastapi_requests_total", method="HEAD", endpoint=THING, status="200")
    broken = f"{THING}/broken"
    crash = increase("fastapi_requests_total", method="HEAD", endpoint=broken, status="500")
    assert (await client.head("/api/v1/things/1")).status_code == 200
    assert (await client.head("/api/v1/things/1/broken")).status_code == 500
    assert (good(), crash()) == (1, 1)


async def test_errors_are_counted_by_their_code(client: httpx2.AsyncClient) -> None:
    """The error code of the response; or that the response was incomplete."""
    bad = increase("fastapi_errors_total", type="unprocessable_content", endpoint=THING)
    crash = increase(
        "fastapi_errors_total", type="internal_server_error", endpoint=f"{THING}/broken"
    )
    cut = increase("fastapi_errors_total", type="broken_off", endpoint=f"{THING}/half")
    answer = await client.get("/api/v1/things/x")
    assert answer.json()["error_code"] == "unprocessable_content"
    await client.get("/api/v1/things/1/broken")
    with pytest.raises(KeyError):
        await client.get("/api/v1/things/1/half")
    assert (bad(), crash(), cut()) == (1, 1, 1)


async def test_duration_and_progress(app: FastAPI, client: httpx2.AsyncClient) -> None:
    app.state.go = asyncio.Event()
    labels = {"method": "GET", "endpoint": f"{THING}/slow"}
    took = increase("fastapi_request_duration_seconds_sum", **labels)
    quick = increase("fastapi_request_duration_seconds_bucket", **labels, le="0.025")
    before = value("fastapi_requests_in_progress")
    requests = [asyncio.create_task(client.get("/api/v1/things/1/slow")) for _ in range(3)]
    await until(lambda: value("fastapi_requests_in_progress") == before + 3)
    app.state.go.set()
    await asyncio.gather(*requests)
    assert value("fastapi_requests_in_progress") == before
    assert took() >= 0.09
    assert quick() == 0


async def test_background_work_is_not_part_of_the_answer(client: httpx2.AsyncClient) -> None:
    """Neither its duration nor its failure counts."""
    endpoint = f"{THING}/later"
    took = increase("fastapi_request_duration_seconds_sum", method="GET", endpoint=endpoint)
    cut = increase("fastapi_errors_total", type="broken_off", endpoint=endpoint)
    good = increase("fastapi_requests_total", method="GET", endpoint=endpoint, status="200")
    with capture_logs() as lines:
        await client.get("/api/v1/things/1/later")
    assert "unhandled_error" in [line["event"] for line in lines]
    assert (good(), cut()) == (1, 0)
    assert took() < 0.1


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics"])
async def test_probes_and_scrapes_do_not_count(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200
    assert f'endpoint="{path}"' not in (await client.get("/metrics")).text


async def test_o6_no_client_can_make_series(client: httpx2.AsyncClient) -> None:
    """Any path and any method count under a bounded set of labels."""

    def series() -> set[str]:
        return {
            f"{sample.name}{sample.labels}"
            for metric in REGISTRY.collect()
            for sample in metric.samples
            if metric.name.startswith("fastapi")
        }

    async def strange(number: int) -> None:
        word = uuid4().hex
        await client.request(f"M{word}", "/")
        await client.get(f"/{word}?{word}={word}", headers={word: word, "User-Agent": word})
        await client.get(f"/api/v1/things/{number + 1000}")
        await client.get("/", headers={"Host": word})

    await strange(0)
    before = series()
    for number in range(500):
        await strange(number)
    assert series() == before
    assert not {name for name in before if "/1000" in name}


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("fastapi_requests_total", {"method": "GET", "endpoint": "/health", "status": "500"}),
        ("fastapi_requests_total", {"method": "GET", "endpoint": "/health", "status": "503"}),
        ("fastapi_requests_total", {"method": "GET", "endpoint": "unmatched", "status": "500"}),
    ],
)
@pytest.mark.usefixtures("app")
def test_alerts_see_the_first_failure(name: str, labels: dict[str, str]) -> None:
    """Prometheus sees an increase only in an existing series."""
    assert REGISTRY.get_sample_value(name, labels) is not None


async def test_limits_begin_at_zero(settings: Settings) -> None:
    limited = create_app(settings.model_copy(update={"rate_limit_enabled": True}))
    async with running(limited) as state, client_of(limited, state) as client:
        await client.get("/live")
    assert (
        REGISTRY.get_sample_value("fastapi_rate_limited_total", {"limit": "requests"}) is not None
    )
