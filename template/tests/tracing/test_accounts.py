"""Work for accounts in traces."""

import httpx2
import pytest

from tests.accounts import PASSWORD, register
from tests.tracing.conftest import Flush


@pytest.mark.usefixtures("committed")
async def test_hashing_of_a_password(client: httpx2.AsyncClient, flush: Flush) -> None:
    """Password hashing, the slowest part of a login, has a span."""
    await register(client, "ada")
    spans = await flush()
    request = spans.named("POST /api/v1/auth/register")
    assert spans.named("argon2") in spans.children(request)
    assert PASSWORD.encode() not in b"".join(spans.bodies)
