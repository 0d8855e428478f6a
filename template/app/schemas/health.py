"""The answers of the system endpoints."""

from typing import Literal

from pydantic import AwareDatetime

from app.schemas.base import Schema

PartStatus = Literal["healthy", "unhealthy"]


class Welcome(Schema):
    """What runs here, and where to read about it."""

    message: str
    version: str
    docs: str


class Liveness(Schema):
    """The event loop turns."""

    status: Literal["alive"] = "alive"


class Readiness(Schema):
    """Requests may come."""

    status: Literal["ready"] = "ready"


class Health(Schema):
    """The state of the service and of each part it needs.

    `degraded`: a part is away that the service can do without.
    """

    status: Literal["healthy", "degraded", "unhealthy"]
    version: str
    environment: str
    database: PartStatus
    timestamp: AwareDatetime
