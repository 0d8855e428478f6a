"""The OpenAPI document: names of operations, tags and their order, error responses."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.api import system
from app.core.feature import Feature
from app.server.problem import PROBLEM_MEDIA_TYPE, Problem

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {"model": Problem, "description": "A problem, as RFC 9457 describes it"},
}


def operation_id(route: APIRoute) -> str:
    """Return the name of the route's function; generated clients name their methods by it."""
    return route.name


def describe_tags(features: Sequence[Feature]) -> list[dict[str, str]]:
    """Return all tags in the order of the pages: the project's own first, the system's last."""
    described: dict[str, str] = {}
    for feature in reversed(features):
        for router in feature.routers:
            described |= dict.fromkeys(map(str, router.tags), "")
        described |= feature.tags
    described |= system.TAGS
    return [
        {"name": name} | ({"description": text} if text else {}) for name, text in described.items()
    ]


def change_document(app: FastAPI, change: Callable[[dict[str, Any]], None]) -> None:
    """Let `change` alter the OpenAPI document when it is built, which happens once."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        is_built = app.openapi_schema is not None
        document = build()
        if not is_built:
            change(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the documented way to extend it


def order_paths(document: dict[str, Any]) -> None:
    """Give the paths the order of the tags; those without a tag come last."""
    order = [tag["name"] for tag in document["tags"]]

    def rank(path: tuple[str, dict[str, Any]]) -> int:
        tags = next(iter(path[1].values())).get("tags")
        return order.index(tags[0]) if tags and tags[0] in order else len(order)

    document["paths"] = dict(sorted(document["paths"].items(), key=rank))


def describe_problems(document: dict[str, Any]) -> None:
    """Give documented errors their media type; FastAPI has no parameter for it."""
    for path in document["paths"].values():
        for operation in path.values():
            # FastAPI puts it under the route's own media type.
            (schema,) = operation["responses"]["default"]["content"].values()
            operation["responses"]["default"]["content"] = {PROBLEM_MEDIA_TYPE: schema}
