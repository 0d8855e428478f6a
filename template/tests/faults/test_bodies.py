"""X1: what a body costs, in CPU time of the process."""

import gc
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import JsonValue

from app.core.config import Settings
from app.features import State
from app.main import create_app
from app.schemas.base import InputSchema
from tests.conftest import SessionFactory, client_of

MIB = 1_048_576

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
PARTS = {"content-type": "multipart/form-data; boundary=b"}
PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'

KEYS = json.dumps({f"{number:x}": 0 for number in range(95_000)}, separators=(",", ":")).encode()


def listed(value: bytes, number: int) -> bytes:
    return b'{"title":"x","attributes":{"a":[' + b",".join([value] * number) + b"]}}"


def text(unit: bytes) -> bytes:
    return b'{"title":"x","attributes":{"a":"' + unit * ((MIB - 100) // len(unit)) + b'"}}'


BODIES: Mapping[str, tuple[bytes, Mapping[str, str]]] = {
    "95,000 names": (KEYS, JSON),
    "9,000 names": (json.dumps(dict.fromkeys(map(str, range(9_000)))).encode(), JSON),
    "340,000 lists": (listed(b"[]", 340_000), JSON),
    "4,500 lists": (listed(b"[]", 4_500), JSON),
    "520,000 numbers": (listed(b"1", 520_000), JSON),
    "9,000 strings": (listed(b'"' + b"x" * 100 + b'"', 9_000), JSON),
    "9,000 long numbers": (listed(b"0." + b"9" * 100, 9_000), JSON),
    "integers of 4,300 digits": (listed(b"9" * 4_300, 240), JSON),
    "a number of a megabyte": (listed(b"9" * (MIB - 100), 1), JSON),
    "500,000 levels": (b'{"title":"x","attributes":' + b"[" * 500_000, JSON),
    "900 levels": (b'{"title":"x","attributes":' + b"[" * 900 + b"]" * 900 + b"}", JSON),
    "escapes": (text(b"\\n"), JSON),
    "quotes": (text(b'\\"'), JSON),
    "backslashes": (text(b"\\\\"), JSON),
    "commas": (text(b","), JSON),
    "blanks": (b'{"title":"' + b" " * (MIB - 100) + b'"}', JSON),
    "no JSON": (b'"' * MIB, JSON),
    "percent signs": (b"username=" + b"%" * (MIB - 10), FORM),
    "percent codes": (b"username=" + b"%41" * (MIB // 3 - 10), FORM),
    "ampersands": (b"&" * MIB, FORM),
    "999 fields": (b"&".join(b"%x=" % number for number in range(999)), FORM),
    "parts": ((PART + b"\r\n") * (MIB // len(PART) - 100) + b"--b--", PARTS),
    "headers of a part": (b"--b\r\n" + b"a:b\r\n" * (MIB // 5 - 100), PARTS),
    "almost boundaries": (PART + b"\r\n--c" * (MIB // 5 - 100) + b"\r\n--b--", PARTS),
}


class Anything(InputSchema):
    title: str
    attributes: JsonValue


@pytest.fixture
def own_app(settings: Settings) -> FastAPI:
    """The service with a route that anyone may send any JSON to."""
    app = create_app(settings)

    @app.post("/anything")
    async def read(anything: Anything) -> Anything:
        return anything

    return app


@pytest.fixture
async def client(
    own_app: FastAPI, state: State, session_factory: SessionFactory
) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(own_app, {**state, "session_factory": session_factory}) as client:
        yield client


def addresses(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Yield method and path of all routes that read a body."""
    for context in iter_route_contexts(app.routes):
        route: Any = context
        if getattr(route, "body_field", None):
            yield next(iter(route.methods)), re.sub(r"\{\w+\}", "1", route.path_format)


def cpu_time(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


async def assert_cheap(app: FastAPI, client: httpx2.AsyncClient, *, limit: float) -> None:
    """Send each body to each route; up to five times; the cheapest counts."""
    control = min(cpu_time(lambda: json.loads(KEYS)) for _ in range(3))
    costs: dict[str, float] = {}
    for method, path in addresses(app):
        for name, (body, headers) in BODIES.items():
            for _ in range(5):
                began = time.process_time()
                response = await client.request(method, path, content=body, headers=headers)
                cost = (time.process_time() - began) / control
                assert response.status_code < 500
                key = f"{name} to {method} {path}"
                costs[key] = min(cost, costs.get(key, cost))
                if cost < limit:
                    break
    assert {key: round(cost, 1) for key, cost in costs.items() if cost >= limit} == {}


@pytest.mark.soak
async def test_x1_bodies_of_strangers_are_cheap(
    own_app: FastAPI, client: httpx2.AsyncClient
) -> None:
    """X1: no body of a stranger costs more than a few times the parsing of 95,000 names."""
    await assert_cheap(own_app, client, limit=3)


@pytest.mark.soak
@pytest.mark.usefixtures("authorized")
async def test_x1_bodies_of_users_are_cheap(own_app: FastAPI, client: httpx2.AsyncClient) -> None:
    """X1: what may be stored costs a bit more."""
    await assert_cheap(own_app, client, limit=5)
