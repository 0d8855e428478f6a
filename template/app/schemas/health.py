"""The answers of the system endpoints."""

from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field

from app.schemas.base import Schema

PartStatus = Literal["healthy", "unhealthy"]


class Welcome(Schema):
    """What runs here, and where to read about it."""

    message: str
    version: str
    docs: str


class Liveness(Schema):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class Readiness(Schema):
    """Requests may come."""

    status: Literal["ready"] = "ready"


class Health(Schema):
    """The state of the service and of everything it depends on.

    `degraded`: an optional dependency is away. Each of these has a field of its own name.
    """

    model_config = ConfigDict(extra="allow")

    __pydantic_extra__: dict[str, PartStatus] = Field(init=False)

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    database: PartStatus
    timestamp: AwareDatetime
