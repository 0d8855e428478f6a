"""Routes for tests of a separate process."""

import asyncio
from threading import Event

from fastapi import FastAPI
from sqlalchemy import text

from app import main
from app.dependencies.database import DBSession

build = main.create_app  # before it is replaced by the one here


def create_app() -> FastAPI:
    """Build the service with routes that wait, read or write."""
    app = build()

    @app.get("/slow")
    async def slow(seconds: float) -> None:
        await asyncio.sleep(seconds)

    @app.get("/crash")
    async def crash() -> None:
        raise RuntimeError

    @app.get("/thread")
    async def thread() -> None:
        asyncio.get_running_loop().run_in_executor(None, Event().wait)

    @app.get("/query")
    async def query(session: DBSession, seconds: float) -> None:
        await session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})

    @app.post("/marks/{number}")
    async def mark(session: DBSession, number: int) -> None:
        await session.execute(text("INSERT INTO marks VALUES (:number)"), {"number": number})

    @app.post("/notes")
    async def note(notes: dict[str, str]) -> int:
        return len(notes)

    return app
