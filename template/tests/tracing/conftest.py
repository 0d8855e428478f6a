"""The service with all requests traced, and a collector."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
import structlog
from fastapi import APIRouter, BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import text

from app.core.config import Settings
from app.dependencies.database import DBSession
from app.features import State
from app.main import create_app
from tests.conftest import SessionFactory, client_of, running
from tests.tracing.receiver import Receiver, receiving

Capture = pytest.CaptureFixture[str]
Flush = Callable[[], Awaitable[Receiver]]
Tracing = Callable[..., AbstractAsyncContextManager[httpx2.AsyncClient]]


@pytest.fixture(scope="session")
def collector() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def traced(settings: Settings, collector: Receiver) -> Settings:
    """Settings with which all requests are traced."""
    return settings.model_copy(
        update={
            "otel_enabled": True,
            "otel_service_name": "traced-service",
            "otel_exporter_otlp_endpoint": collector.address,
            "otel_traces_sampler_arg": 1.0,
            "slow_query_seconds": 0.01,
        }
    )


log = structlog.get_logger("test")
routes = APIRouter()
"""What the tests of the traces ask for. Their modules add routes of their own."""


@routes.get("/things/{thing_id}")
async def thing(thing_id: int, session: DBSession) -> int:
    log.info("thing_shown")
    return await session.scalar(text("SELECT :id + 1"), {"id": thing_id}) or 0


@routes.get("/slow")
async def slow(session: DBSession) -> None:
    await session.execute(text("SELECT pg_sleep(0.02)"))


@routes.get("/mistake")
async def mistake(session: DBSession) -> None:
    await session.execute(text("SELECT :secret::int"), {"secret": "hunter2"})


@routes.get("/hang")
async def hang(session: DBSession) -> None:
    async with asyncio.timeout(0.5):
        await session.execute(text("SELECT pg_sleep(5)"))


@routes.get("/crash")
async def crash() -> None:
    raise KeyError("hunter2")


@routes.get("/half")
async def half() -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"half"
        raise KeyError("half")

    return StreamingResponse(parts())


@routes.get("/later")
async def later(tasks: BackgroundTasks) -> None:
    async def work() -> None:
        log.info("done_later")

    tasks.add_task(work)


@pytest.fixture(scope="session")
async def traced_app(traced: Settings) -> FastAPI:
    app = create_app(traced)
    app.include_router(routes)
    return app


@pytest.fixture(scope="session", autouse=True)
async def traced_state(traced_app: FastAPI) -> AsyncIterator[State]:
    """Started before all others of the process, so that `trace.get_tracer` returns its tracers."""
    async with running(traced_app) as state:
        yield state


@pytest.fixture
async def client(
    traced_app: FastAPI, traced_state: State, session_factory: SessionFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the traced service, whose commits are real."""
    assert session_factory  # it cleans up
    async with client_of(traced_app, traced_state) as client:
        yield client


@pytest.fixture
def flush(collector: Receiver) -> Flush:
    """Send all spans, and return the collector, without earlier spans."""
    collector.clear()

    async def send() -> Receiver:
        provider = trace.get_tracer_provider()
        assert isinstance(provider, TracerProvider)
        await asyncio.to_thread(provider.force_flush)
        return collector

    return send


@pytest.fixture
def tracing(traced: Settings, collector: Receiver) -> Tracing:
    """A service that traces a share of its requests; at the end, it has sent all spans."""
    collector.clear()

    @asynccontextmanager
    async def service(share: float, **changes: object) -> AsyncIterator[httpx2.AsyncClient]:
        values = {"otel_traces_sampler_arg": share, **changes}
        app = create_app(traced.model_copy(update=values))
        app.include_router(routes)
        async with running(app) as state, client_of(app, state) as client:
            yield client

    return service


def requests(capsys: Capture) -> list[dict[str, Any]]:
    """Return the log's lines of requests."""
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return [line for line in lines if line["event"] == "request"]
