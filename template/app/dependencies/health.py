"""The health service of this process."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Request

from app.repositories.health import HealthRepository
from app.services.health import HealthService


async def get_health_service(request: Request) -> HealthService:
    """Return the health service for the connections of this process."""
    state = request.state
    return HealthService(
        HealthRepository(
            state.probe_engine, state.renewal, may_be_read_only=state.settings.db_read_only
        ),
        {name: partial(check, request.scope["state"]) for name, check in state.checks.items()},
        state.revisions,
        state.drain,
        outcomes=state.recent_outcomes,
        environment=state.settings.environment,
    )


HealthServiceDep = Annotated[HealthService, Depends(get_health_service)]
