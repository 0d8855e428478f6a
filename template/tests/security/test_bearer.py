"""The access token of a request is verified once."""

from typing import Any

import jwt
import pytest

from app.core.config import Settings
from app.features import State
from app.main import create_app
from app.server.rate_limit import InProcessRateLimiter
from tests.accounts import ME, Tokens
from tests.conftest import SessionFactory, client_of


async def test_rate_limit_and_endpoint_share_the_claims(
    settings: Settings,
    state: State,
    session_factory: SessionFactory,
    tokens: Tokens,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each request is verified, and once."""
    verified: list[str] = []
    decode = jwt.decode_complete

    def counted(token: str, *args: Any, **options: Any) -> dict[str, Any]:
        verified.append(token)
        return decode(token, *args, **options)

    monkeypatch.setattr(jwt, "decode_complete", counted)
    app = create_app(settings.model_copy(update={"rate_limit_enabled": True}))
    limiter = InProcessRateLimiter()
    own: State = {**state, "session_factory": session_factory, "rate_limiter": limiter}
    async with client_of(app, own) as client:
        for _ in range(2):
            assert (await client.get(ME, headers=tokens.bearer)).status_code == 200
        assert verified == [tokens.access] * 2
        assert (await client.get(ME)).status_code == 401
