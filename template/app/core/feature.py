"""A feature of the service, and how it registers."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    contextmanager,
)
from dataclasses import dataclass, field
from typing import Any

import click
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from app.core.config import Settings
from app.server.rate_limit import Strategy
from app.settings.base import BaseServiceSettings

State = Mapping[str, Any]
"""What the parts of the lifespan have opened so far; requests get it as `request.state`."""

Part = Callable[[Settings, State], AbstractAsyncContextManager[State]]
"""A part of the lifespan: it opens something at start, adds it to the state, and closes it."""

Check = Callable[[State], Awaitable[object]]
"""Raises when a dependency is down. It needs no timeout of its own."""


def _no_middleware(_settings: Settings) -> Sequence[Middleware]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Everything that a feature adds to the service. Each field may be left out."""

    routers: Sequence[APIRouter] = ()
    """Routes of version 1 of the API."""

    part: Part | None = None
    """Its part of the lifespan. Parts open in the order of the features and close in reverse."""

    checks: Mapping[str, Check] = field(default_factory=dict)
    """Optional dependencies that `/health` reports on: while one fails, the service is degraded."""

    commands: Sequence[click.Command] = ()
    """Commands of `uv run app`."""

    middleware: Callable[[Settings], Sequence[Middleware]] = _no_middleware
    """Middleware around the routes, inside of all other middleware."""

    observers: Callable[[Settings], Sequence[Middleware]] = _no_middleware
    """Middleware around all other middleware: it sees all requests and all responses."""

    settings: Sequence[type[BaseServiceSettings]] = ()
    """Settings of its own, which are read and checked at start."""

    rate_limit: Callable[[Settings], Strategy] | None = None
    """Replaces the strategy that counts requests per address."""

    install: Callable[[FastAPI, Settings], None] | None = None
    """Adds anything else to the app, such as routes outside of version 1."""

    server: Callable[[Settings, int], AbstractContextManager[Mapping[str, Any]]] | None = None
    """Wraps a server with this number of processes, and returns options for uvicorn."""

    reset: Callable[[State], Awaitable[object]] | None = None
    """Clears what it keeps outside of the database. The tests call it before each test."""


def settings_of_features(features: Iterable[Feature]) -> list[type[BaseServiceSettings]]:
    """Return the classes of all settings that features have of their own."""
    return [kind for feature in features for kind in feature.settings]


@contextmanager
def server_options(
    features: Iterable[Feature], settings: Settings, workers: int = 1
) -> Iterator[dict[str, Any]]:
    """Yield the options for uvicorn that the features need, while the server runs."""
    options: dict[str, Any] = {}
    with ExitStack() as stack:
        for feature in features:
            if feature.server is not None:
                options |= stack.enter_context(feature.server(settings, workers))
        yield options
