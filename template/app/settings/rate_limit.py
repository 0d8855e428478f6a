"""Settings of the rate limit."""

from typing import Annotated

from pydantic import Field

from app.settings.base import BaseServiceSettings, UsedIf


class RateLimitSettings(BaseServiceSettings):
    """Limits of requests per client."""

    rate_limit_enabled: bool = True
    """Limit the requests of each client, as true or false."""

    rate_limit_per_minute: Annotated[
        int, Field(ge=1, le=1_000_000), UsedIf("rate_limit_enabled")
    ] = 100
    """Requests that one client may send within any minute; above 10,000, a burst of 10,000 more."""
