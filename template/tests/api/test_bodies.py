"""Limits of request bodies."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request

from app import main
from app.core.config import Settings
from app.core.feature import Feature
from app.features import FEATURES
from tests.conftest import client_of

VALUES = 1_000
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def app(settings: Settings) -> FastAPI:
    """The service with routes that read any body, and limits for some paths."""
    feature = Feature(
        body_limits=lambda _: {"/small": 100, "/small/but/": 20_000, "/large": 200_000}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "FEATURES", [*FEATURES, feature])
        app = main.create_app(
            settings.model_copy(update={"max_body_size": 100_000, "max_json_values": VALUES})
        )

    @app.post("/json")
    async def read_json(body: list[Any] | dict[str, Any]) -> int:
        return len(json.dumps(body))

    @app.post("/{path:path}")
    async def read(request: Request) -> int:
        return len(await request.body())

    return app


@pytest.fixture(scope="module")
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(app, {}) as client:
        yield client


async def test_values_are_counted_before_they_are_parsed(client: httpx2.AsyncClient) -> None:
    """X1: this body is not JSON, but that is never found."""
    response = await client.post("/json", content=b"[" + b"0," * VALUES + b"!", headers=JSON)
    assert response.status_code == 413
    assert response.json()["error_code"] == "content_too_large"
    assert response.json()["detail"] == f"The body holds more than {VALUES} values."


async def test_as_many_values_as_allowed(client: httpx2.AsyncClient) -> None:
    """X1."""
    for number, status in ((VALUES - 1, 200), (VALUES, 413)):
        response = await client.post("/json", json=["x" * 20] * number)
        assert response.status_code == status


async def test_text_is_not_counted(client: httpx2.AsyncClient) -> None:
    """X1: a document within a string is one value."""
    text = json.dumps([{"a": [1, 2]}] * VALUES)
    assert (await client.post("/json", json={"text": text})).status_code == 200


async def test_values_in_many_parts(client: httpx2.AsyncClient) -> None:
    """X1: a limit that counted each part by itself could be evaded."""

    async def parts() -> AsyncIterator[bytes]:
        yield b"[0"
        for _ in range(VALUES):
            yield b",0"
        yield b"]"

    assert (await client.post("/json", content=parts(), headers=JSON)).status_code == 413


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 413),
        ("Application/JSON; charset=utf-8", 413),
        ("\tapplication/merge-patch+json ;a=b", 413),
        ("application/json;;,", 413),
        ("application/x-ndjson", 422),
        ("text/plain", 422),
        ("application/octet-stream", 422),
    ],
)
async def test_exactly_what_is_parsed_as_json_is_counted(
    client: httpx2.AsyncClient, content_type: str, status: int
) -> None:
    """X1: other bodies may contain any number of commas."""
    headers = {"content-type": content_type}
    small = await client.post("/json", content=b"[0]", headers=headers)
    assert (small.status_code == 200) == (status == 413)
    large = await client.post("/json", content=b"0," * VALUES, headers=headers)
    assert large.status_code == status


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/other", 100_000),
        ("/small", 100),
        ("/small/file", 100),
        ("/small/but/larger", 20_000),
        ("/large/file", 200_000),
    ],
)
async def test_paths_have_limits_of_their_own(
    client: httpx2.AsyncClient, path: str, limit: int
) -> None:
    """X1: the longest path counts, also behind a prefix of the server."""

    async def unannounced(size: int) -> AsyncIterator[bytes]:
        yield b"x" * size

    for size, status in ((limit, 200), (limit + 1, 413)):
        for content in (b"x" * size, unannounced(size)):
            response = await client.post(path, content=content)
            assert response.status_code == status
