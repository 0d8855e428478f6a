"""Templates of routes, wherever they are declared."""

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.metrics.route_template import route_template


async def answer(book: int = 0) -> int:
    return book


async def plain(_request: object) -> Response:
    return Response()


def service() -> FastAPI:
    """An app with all kinds of routes."""
    inner = APIRouter(prefix="/inner")
    inner.get("/{book}")(answer)
    outer = APIRouter(prefix="/outer")
    outer.include_router(inner)
    mounted = FastAPI()
    mounted.get("/things/{book}")(answer)
    app = FastAPI()
    app.get("/")(answer)
    app.get("/own/{book}")(answer)
    app.include_router(outer, prefix="/api")
    app.mount("/sub", mounted)
    app.mount("/files", Starlette(routes=[Route("/a", plain), Mount("/deep", Starlette())]))
    return app


class Watch:
    """Records the template of each request, as the middleware does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        self.seen = route_template(scope)


@pytest.mark.parametrize("root_path", ["", "/behind/a/proxy"])
@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/", "/"),
        ("/own/1", "/own/{book}"),
        ("/own/x", "/own/{book}"),
        ("/api/outer/inner/1", "/api/outer/inner/{book}"),
        ("/sub/things/1", "/sub/things/{book}"),
        ("/sub/nothing", "/sub/{path}"),
        ("/files/nothing", "/files/{path}"),
        ("/nothing", "unmatched"),
        ("/api/outer/inner/1/nothing", "unmatched"),
    ],
)
async def test_template_has_all_its_prefixes(path: str, template: str, root_path: str) -> None:
    watch = Watch(service())
    transport = httpx2.ASGITransport(watch, root_path=root_path)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.get(f"{root_path}{path}")
    assert watch.seen == template


async def test_wrong_method_has_its_route() -> None:
    watch = Watch(service())
    transport = httpx2.ASGITransport(watch)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.delete("/api/outer/inner/1")).status_code == 405
    assert watch.seen == "/api/outer/inner/{book}"
