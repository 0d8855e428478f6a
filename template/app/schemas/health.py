"""Responses of the system endpoints."""

from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field

from app import PROJECT_NAME
from app.schemas.base import Schema, with_example

PartStatus = Literal["healthy", "unhealthy"]


class Welcome(Schema):
    """Name, version and documentation."""

    model_config = with_example(
        {"message": f"Welcome to {PROJECT_NAME}", "version": "0.1.0", "docs": "/docs"}
    )

    message: str
    version: str
    docs: str


class Liveness(Schema):
    """The process is alive."""

    model_config = with_example({"status": "alive"})

    status: Literal["alive"] = "alive"


class Readiness(Schema):
    """The service can take requests."""

    model_config = with_example({"status": "ready"})

    status: Literal["ready"] = "ready"


class Health(Schema):
    """The state of the service and of its dependencies.

    `degraded`: an optional dependency is down. Each optional one has a field with its name.
    """

    model_config = ConfigDict(
        extra="allow",
        **with_example(
            {
                "status": "healthy",
                "version": "0.1.0",
                "environment": "production",
                "database": "healthy",
                "timestamp": "2026-01-31T09:30:00Z",
            }
        ),
    )

    __pydantic_extra__: dict[str, PartStatus] = Field(init=False)

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    database: PartStatus
    timestamp: AwareDatetime
