"""Version 1 of the API."""

from collections.abc import Iterable

from fastapi import APIRouter

from app.core.feature import Feature


def build_router(features: Iterable[Feature]) -> APIRouter:
    """Return the routes of all features."""
    router = APIRouter()
    for feature in features:
        for routes in feature.routers:
            router.include_router(routes)
    return router
