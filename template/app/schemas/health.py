"""Responses of the system endpoints."""

from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field

from app.schemas.base import Schema

PartStatus = Literal["healthy", "unhealthy"]


class Welcome(Schema):
    """Name, version and documentation."""

    message: str
    version: str
    docs: str


class Liveness(Schema):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Readiness(Schema):
    """The service can take requests."""

    status: Literal["ready"] = "ready"


class Health(Schema):
    """The state of the service and of its dependencies.

    `degraded`: an optional dependency is down. Each optional one has a field with its name.
    """

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, PartStatus] = Field(init=False)

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    database: PartStatus
    timestamp: AwareDatetime
