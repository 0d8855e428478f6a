"""T15, A11: no secret in a span or a log line, whether a request succeeds or fails."""

import httpx2
import pytest

from tests.security.leaks import use_secrets
from tests.tracing.conftest import Flush


@pytest.mark.usefixtures("committed")
async def test_no_secret_leaves(
    client: httpx2.AsyncClient, flush: Flush, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = await use_secrets(client)
    spans = await flush()
    assert len(spans.spans) > 20
    sinks = {
        "spans": b"".join(spans.bodies).decode(errors="replace"),
        "log": capsys.readouterr().out,
    }
    for name, sink in sinks.items():
        for secret in secrets:
            assert secret not in sink, f"{secret} in {name}"
