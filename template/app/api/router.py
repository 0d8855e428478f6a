"""A router for services of many routes."""

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope


class Router(APIRouter):
    """A router that looks at its routes only for paths that contain its prefix.

    FastAPI compares a path with one route after the other, and with those of an included router
    twice. So a request would pay for all routes before its own.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether one of the routes fits."""
        if self.prefix.partition("{")[0] not in scope["path"]:
            return Match.NONE, {}
        return super().matches(scope)
