"""X24: the OpenAPI document describes the service as it is."""

from collections.abc import Iterator
from importlib.metadata import metadata
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from app import PROJECT_NAME, PROJECT_SLUG, main
from app.api.openapi import describe_tags
from app.core.config import Settings
from app.core.feature import Feature
from app.features import FEATURES
from app.main import create_app
from app.schemas.base import Schema
from app.server.problem import FieldError, Problem


@pytest.fixture
def document(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The document of the template's own routes."""
    monkeypatch.setattr(main, "FEATURES", FEATURES[:-1])
    return create_app(settings).openapi()


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def models(base: type[Schema] = Schema) -> Iterator[type[Schema]]:
    for model in base.__subclasses__():
        yield model
        yield from models(model)


def test_title_and_description_are_those_of_the_project(document: dict[str, Any]) -> None:
    """X24: the description is the one in pyproject.toml."""
    info = document["info"]
    assert (info["title"], info["description"]) == (PROJECT_NAME, metadata(PROJECT_SLUG)["Summary"])


def test_operation_ids_are_names_for_client_generators(app: FastAPI) -> None:
    """X24: each is the name of its function, and unique, also among the project's own."""
    names = [operation["operationId"] for operation in operations(app.openapi())]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.isidentifier()
        assert "api_v1" not in name


def test_every_tag_is_described_and_the_system_comes_last(document: dict[str, Any]) -> None:
    """X24: pages show tags in this order: the business first."""
    tags = [tag["name"] for tag in document["tags"]]
    assert all(tag["description"] for tag in document["tags"])
    assert tags[-1] == "system"
    used = [operation["tags"][0] for operation in operations(document)]
    assert set(used) == set(tags)
    assert used == sorted(used, key=tags.index)  # the paths have the same order


def test_own_tags_come_first() -> None:
    """X24: also those that the project does not describe."""
    shop = Feature(routers=[APIRouter(tags=["shop"]), APIRouter(tags=["till"])], tags={"till": "T"})
    assert describe_tags([*FEATURES[:-1], shop])[:2] == [
        {"name": "shop"},
        {"name": "till", "description": "T"},
    ]


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for operation in operations(document):
        assert operation["summary"]
        assert operation["description"]


def test_every_schema_has_a_valid_example(document: dict[str, Any]) -> None:
    """X24: mock servers and pages use them."""
    known: list[type[BaseModel]] = [*models(), FieldError, Problem]
    by_name = {model.__name__: model for model in known}
    schemas = document["components"]["schemas"]
    objects = {name: schema for name, schema in schemas.items() if "properties" in schema}
    assert objects
    for name, schema in objects.items():
        assert schema.get("examples"), name
        for example in schema["examples"]:
            by_name[name].model_validate(example)
            assert example.keys() <= schema["properties"].keys() | set(extra_fields(schema))
            assert example.keys() >= set(schema.get("required", [])), name


def extra_fields(schema: dict[str, Any]) -> set[str]:
    """Return the optional dependencies that /health names."""
    names = {name for feature in FEATURES for name in feature.checks}
    return names if isinstance(schema.get("additionalProperties"), dict) else set()


def test_fields_that_every_response_has_are_required(document: dict[str, Any]) -> None:
    """X24: clients need not handle their absence."""
    for name in ("Liveness", "Readiness"):
        assert document["components"]["schemas"][name]["required"] == ["status"]


async def test_pages_load_no_picture_from_elsewhere(client: httpx2.AsyncClient) -> None:
    """X24: the policy would block it, and the browser's console would show an error."""
    script = await client.get("/docs/assets/redoc.standalone.js")
    assert script.status_code == 200
    assert script.headers["content-type"].startswith("text/javascript")
    assert 'src:"http' not in script.text
    assert '"validatorUrl": null' in (await client.get("/docs")).text
