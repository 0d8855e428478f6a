"""T15, A11: no secret in a metric."""

import httpx2
import pytest

from tests.security.leaks import use_secrets


@pytest.mark.usefixtures("committed")
async def test_no_secret_leaves(client: httpx2.AsyncClient) -> None:
    secrets = await use_secrets(client)
    metrics = (await client.get("/metrics")).text
    assert "fastapi_requests_total" in metrics
    for secret in secrets:
        assert secret not in metrics
