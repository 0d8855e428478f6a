"""Work for accounts in traces."""

from contextlib import aclosing

import httpx2
import pytest
from fastapi import FastAPI

from app.accounts import breached
from app.core.config import Settings
from app.features import State
from tests.accounts import PASSWORD, register
from tests.breaches import breaches, digest_of
from tests.conftest import client_of
from tests.tracing.conftest import Flush
from tests.waiting import PATIENCE


@pytest.mark.usefixtures("committed")
async def test_hashing_of_a_password(client: httpx2.AsyncClient, flush: Flush) -> None:
    """Password hashing, the slowest part of a login, has a span."""
    await register(client, "ada")
    spans = await flush()
    request = spans.named("POST /api/v1/auth/register")
    assert spans.named("argon2") in spans.children(request)
    assert PASSWORD.encode() not in b"".join(spans.bodies)


@pytest.mark.usefixtures("committed", "session_factory")
async def test_x26_lookup_of_a_password(
    traced_app: FastAPI,
    traced_state: State,
    traced: Settings,
    flush: Flush,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """X26: it has a span, without a part of the hash, and the other service learns of no trace."""
    monkeypatch.setattr(breached, "TIMEOUT", PATIENCE)
    async with breaches() as service:
        settings = traced.model_copy(update={"breached_passwords_url": service.url})
        lookup = breached.BreachedPasswords(settings)
        now = {**traced_state, "breached_passwords": lookup}
        async with aclosing(lookup), client_of(traced_app, now) as client:
            await register(client, "ada")
    (head,) = service.requests
    assert "traceparent" not in head.lower()
    spans = await flush()
    request = spans.named("POST /api/v1/auth/register")
    assert spans.named("breached_passwords") in spans.children(request)
    assert f"/{digest_of(PASSWORD)[:5]}".encode() not in b"".join(spans.bodies)
