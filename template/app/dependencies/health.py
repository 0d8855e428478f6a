"""The health service of this process."""

from typing import Annotated

from fastapi import Depends, Request

from app.repositories.health import HealthRepository
from app.services.health import HealthService


async def get_health_service(request: Request) -> HealthService:
    """Return the health service over the process's engine."""
    state = request.state
    return HealthService(
        HealthRepository(state.probe_engine), state.revisions, state.settings.environment
    )


HealthServiceDep = Annotated[HealthService, Depends(get_health_service)]
