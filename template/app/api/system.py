"""What operators and probes ask: who are you, do you live, are you ready."""

from fastapi import APIRouter, Response, status

from app import PROJECT_NAME, __version__
from app.dependencies.health import HealthServiceDep
from app.schemas.health import Health, Liveness, Readiness, Welcome

router = APIRouter(tags=["system"])


@router.get("/")
async def root() -> Welcome:
    """Say what runs here."""
    return Welcome(message=f"Welcome to {PROJECT_NAME}", version=__version__, docs="/docs")


@router.get("/live")
async def live() -> Liveness:
    """Answer as long as the event loop turns; a dependency's failure must not restart us."""
    return Liveness()


@router.get("/ready")
async def ready(health: HealthServiceDep) -> Readiness:
    """Answer 200 when requests may come.

    The database is there, its schema is new enough, and this process is not about to stop.
    """
    await health.require_ready()
    return Readiness()


@router.get("/health", responses={503: {"model": Health, "description": "The database is away"}})
async def show_health(health: HealthServiceDep, response: Response) -> Health:
    """Report on each part, for people and dashboards."""
    report = await health.report()
    if report.status == "unhealthy":
        response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return report
