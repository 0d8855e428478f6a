"""Call apps without a server, one after the other, many times.

So what the kernel and the server do for a request is left out, and with it most of what differs
from one second to the next.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from apps import build
from fastapi import FastAPI

CALLS = 1000
"""In one round, to each app."""

SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/api/v1/numbers/7",
    "raw_path": b"/api/v1/numbers/7",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"service.example"), (b"user-agent", b"speed"), (b"accept", b"*/*")],
    "server": ("service.example", 80),
}

clients = itertools.cycle(f"10.0.{number // 250}.{number % 250}" for number in range(1000))


async def receive() -> dict[str, object]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: MutableMapping[str, Any]) -> None:
    assert message.get("status", 200) == 200, message


async def call(app: FastAPI, state: dict[str, object], times: int) -> None:
    for _ in range(times):
        client = (next(clients), 1024)
        await app({**SCOPE, "client": client, "state": state.copy()}, receive, send)


async def measure(stages: list[list[str]], rounds: int, at_once: int) -> list[list[float]]:
    """Return for each round what one call of each app costs, in microseconds of CPU."""
    apps = [build(middlewares) for middlewares in stages]
    async with AsyncExitStack() as stack:
        states = [
            await stack.enter_async_context(app.router.lifespan_context(app)) or {} for app in apps
        ]
        times: list[list[float]] = []
        for _ in range(rounds):
            times.append([])
            for app, state in zip(apps, states, strict=True):
                before = time.process_time()
                await asyncio.gather(*(call(app, state, CALLS // at_once) for _ in range(at_once)))
                used = time.process_time() - before
                times[-1].append(used / (CALLS // at_once * at_once) * 1_000_000)
    return times


if __name__ == "__main__":
    core, result, stages, *numbers = sys.argv[1:]
    os.sched_setaffinity(0, {int(core)})
    measured = uvloop.run(measure(json.loads(stages), *map(int, numbers)))
    Path(result).write_text(json.dumps(measured), encoding="utf-8")
