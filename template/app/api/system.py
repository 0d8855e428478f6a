"""Endpoints for operators and probes."""

from enum import Enum

from fastapi import FastAPI, Request, Response, status

from app import PROJECT_NAME, __version__
from app.dependencies.health import HealthServiceDep
from app.schemas.health import Health, Liveness, Readiness, Welcome
from app.server.paths import public_path

TAGS = {"system": "Name and version, and the state of the service for probes and operators."}


async def root(request: Request) -> Welcome:
    """Return name and version."""
    docs = public_path(request.scope, "/docs")
    return Welcome(message=f"Welcome to {PROJECT_NAME}", version=__version__, docs=docs)


async def live() -> Liveness:
    """Return 200 while the process is alive, even if its dependencies are down."""
    return Liveness()


async def ready(health: HealthServiceDep) -> Readiness:
    """Return 200 when the service can take requests.

    The database is up, its schema is new enough, and this process is not shutting down.
    """
    await health.require_ready()
    return Readiness()


async def show_health(health: HealthServiceDep, response: Response) -> Health:
    """Report the state of each dependency, for people and dashboards."""
    report = await health.report()
    if report.status == "unhealthy":
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return report


def add_routes(app: FastAPI) -> None:
    """Add the endpoints to the app itself: an included router would compare each path twice."""
    tags: list[str | Enum] = list(TAGS)
    app.add_api_route("/", root, tags=tags)
    app.add_api_route("/live", live, tags=tags)
    app.add_api_route("/ready", ready, tags=tags)
    app.add_api_route(
        "/health",
        show_health,
        tags=tags,
        responses={503: {"model": Health, "description": "The database is down"}},
    )
