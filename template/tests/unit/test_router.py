"""Routers that look at their routes only where they can fit."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from app.api.router import Router
from tests.conftest import client_of


class CountedRoute(APIRoute):
    """A route that knows how often a path was compared with it."""

    compared = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        type(self).compared += 1
        return super().matches(scope)


async def answer() -> str:
    return "here"


def app_with(router: APIRouter, prefix: str = "") -> FastAPI:
    router.add_api_route("/", answer)
    router.add_api_route("/{number}", answer)
    app = FastAPI()
    app.include_router(router, prefix=prefix)
    app.add_api_route("/elsewhere", answer)
    return app


async def status(app: FastAPI, path: str, method: str = "GET") -> int:
    async with client_of(app, {}) as client:
        return (await client.request(method, path)).status_code


@pytest.mark.parametrize(
    ("prefix", "above", "path"),
    [
        ("/things", "", "/things/7"),
        ("/things", "/api/v1", "/api/v1/things/"),
        ("/things", "/{tenant}", "/acme/things/7"),
        ("/{tenant}/things", "/api", "/api/acme/things/7"),
        ("/of/{tenant}/things", "", "/of/acme/things/7"),
        ("", "/api", "/api/7"),
    ],
)
async def test_routes_are_found(prefix: str, above: str, path: str) -> None:
    app = app_with(Router(prefix=prefix), above)
    assert await status(app, path) == 200
    assert await status(app, path, "DELETE") == 405
    assert await status(app, "/elsewhere") == 200
    assert await status(app, "/elsewhere/7/8") == 404


async def test_slash_at_the_end_is_corrected() -> None:
    assert await status(app_with(Router(prefix="/things")), "/things") == 307


async def test_other_paths_are_not_compared() -> None:
    app = app_with(Router(prefix="/things", route_class=CountedRoute))
    await status(app, "/elsewhere")
    assert CountedRoute.compared == 0
    await status(app, "/things/7")
    assert CountedRoute.compared > 0
