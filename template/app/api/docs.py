"""The API's documentation, served without a CDN."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse, Response

from app.server.paths import public_path

ASSETS = Path(str(files("fastapi_offline"))) / "static"

# It also blocks what the bundles would fetch from other hosts.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; worker-src blob:; "
    "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
}

# ReDoc has no option to leave out its maker's logo; without a picture, it shows the text alone.
LOGO, NO_PICTURE = "https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,"

router = APIRouter(include_in_schema=False)


def add_docs(app: FastAPI, *, style: str = "") -> None:
    """Serve Swagger UI and ReDoc for the app's OpenAPI document, with more CSS for Swagger UI."""
    app.state.docs_style = style
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=ASSETS), name="docs-assets")


@router.get("/docs")
async def swagger_ui(request: Request) -> HTMLResponse:
    """Show the API, to try it."""
    root = public_path(request.scope, "")
    page = get_swagger_ui_html(
        openapi_url=f"{root}/openapi.json",
        title=request.app.title,
        swagger_js_url=f"{root}/docs/assets/swagger-ui-bundle.js",
        swagger_css_url=f"{root}/docs/assets/swagger-ui.css",
        swagger_favicon_url=f"{root}/docs/assets/favicon.png",
        swagger_ui_parameters={"validatorUrl": None},  # it would send the document's URL elsewhere
    )
    style = f"<style>{request.app.state.docs_style}</style></head>"
    return HTMLResponse(bytes(page.body).decode().replace("</head>", style), headers=HEADERS)


@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """Show the API, to read."""
    root = public_path(request.scope, "")
    page = get_redoc_html(
        openapi_url=f"{root}/openapi.json",
        title=request.app.title,
        redoc_js_url=f"{root}/docs/assets/redoc.standalone.js",
        redoc_favicon_url=f"{root}/docs/assets/favicon.png",
        with_google_fonts=False,
    )
    page.headers.update(HEADERS)
    return page


@router.get("/docs/assets/redoc.standalone.js")
async def redoc_script() -> Response:
    """Return ReDoc without the picture that it would load from its maker."""
    headers = {"Cache-Control": "max-age=3600"}
    return Response(_redoc_without_logo(), headers=headers, media_type="text/javascript")


@cache
def _redoc_without_logo() -> bytes:
    script = (ASSETS / "redoc.standalone.js").read_text(encoding="utf-8")
    return script.replace(LOGO, NO_PICTURE).encode()
