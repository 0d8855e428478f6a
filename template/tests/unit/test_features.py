"""Registration of features, and of a project in `app/project.py`."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app import main
from app.core.config import Settings, SettingsError
from app.core.events import build_lifespan
from app.core.feature import Feature, Part, State
from app.dependencies.settings import settings_of
from app.features import FEATURES
from app.main import create_app
from app.settings.base import BaseServiceSettings
from tests.conftest import client_of, running


def part(name: str, log: list[str], *, failing: bool = False) -> Part:
    """Return a part that logs its start and stop."""

    @asynccontextmanager
    async def opened(_settings: Settings, state: State) -> AsyncGenerator[State]:
        log.append(f"open {name} after {sorted(state.keys() - {'settings'})}")
        try:
            yield {name: name}
        finally:
            log.append(f"close {name}")
            if failing:
                raise LookupError

    return opened


async def test_parts_close_in_reverse_even_if_one_fails(settings: Settings) -> None:
    log: list[str] = []
    parts = [part("a", log), part("b", log, failing=True), part("c", log)]
    lifespan = build_lifespan(settings, parts)
    with pytest.raises(LookupError):
        async with lifespan(FastAPI()) as state:
            assert {state[name] for name in "abc"} == set("abc")
    assert log == [
        "open a after []",
        "open b after ['a']",
        "open c after ['a', 'b']",
        "close c",
        "close b",
        "close a",
    ]


class ShopSettings(BaseServiceSettings):
    """Settings of a project's own."""

    shop_currency: str
    """The currency of all prices, as EUR."""


router = APIRouter(prefix="/shop")


@router.get("/currency")
async def currency(own: Annotated[ShopSettings, Depends(settings_of(ShopSettings))]) -> str:
    return own.shop_currency


class Tag:
    """A middleware of a project's own."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self.app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {}).setdefault("tags", []).append(self._name)
        await self.app(scope, receive, send)


def failing_check(_state: State) -> Awaitable[object]:
    raise OSError


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the project's own feature."""

    def register(**brings: Any) -> None:
        features = [*FEATURES[:-1], Feature(**brings)]
        monkeypatch.setattr(main, "FEATURES", features)

    return register


async def test_project_adds_routes_and_settings(
    shop: Callable[..., None], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(routers=[router], settings=[ShopSettings])
    monkeypatch.setenv("SHOP_CURRENCY", "EUR")
    app = create_app(settings)
    async with running(app) as state, client_of(app, state) as client:
        assert (await client.get("/api/v1/shop/currency")).json() == "EUR"


def test_wrong_settings_of_every_kind_are_named_at_once(
    shop: Callable[..., None], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors in a project's own settings are explained like all others."""
    shop(settings=[ShopSettings])
    monkeypatch.setenv("DB_POOL_SIZE", "none")
    url = settings.database_url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError) as caught:
        create_app()
    lines = [line.strip() for line in str(caught.value).splitlines()[1:-1]]
    assert [line.split()[0] for line in lines] == ["DB_POOL_SIZE", "SHOP_CURRENCY"]
    assert lines[1] == "SHOP_CURRENCY is missing. The currency of all prices, as EUR."


async def test_project_adds_middleware_and_checks(
    shop: Callable[..., None], settings: Settings
) -> None:
    """Observers come first; a failing check degrades the service."""
    seen: list[list[str]] = []

    async def look(request_state: State) -> None:
        seen.append(request_state["tags"])

    shop(
        middleware=lambda _settings: [Middleware(Tag, name="inner")],
        observers=lambda _settings: [Middleware(Tag, name="outer")],
        checks={"shop": failing_check, "tags": look},
    )
    app = create_app(settings)
    async with running(app) as state, client_of(app, state) as client:
        answer = await client.get("/health")
    assert answer.status_code == 200
    health = answer.json()
    assert (health["status"], health["database"]) == ("degraded", "healthy")
    assert (health["shop"], health["tags"]) == ("unhealthy", "healthy")
    assert seen == [["outer", "inner"]]


def test_project_adds_commands() -> None:
    program = """
import click
from app import project_commands
greet = click.Command("greet", callback=lambda: print("hello"))
project_commands.PROJECT_COMMANDS = (greet,)
from app.cli import cli
cli(["greet"])
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert printed.stdout == "hello\n"


@pytest.mark.parametrize(
    ("file", "importer"), [("project", "features"), ("project_commands", "cli")]
)
def test_missing_project_file_is_explained(file: str, importer: str) -> None:
    """One sentence, not a traceback."""
    program = f"""
import sys
sys.modules["app.{file}"] = None
import app.{importer}
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith(f"app/{file}.py is missing: bring it back by `git checkout")


def test_project_file_that_cannot_be_imported_is_not_called_missing() -> None:
    program = """
import sys
import app
from importlib.abc import MetaPathFinder
class Broken(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "app.project":
            raise ModuleNotFoundError("No module named 'shop'", name="shop")
sys.meta_path.insert(0, Broken())
import app.features
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "No module named 'shop'" in result.stderr
    assert "is missing" not in result.stderr
