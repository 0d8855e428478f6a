"""The service as a process of its own."""

from collections.abc import Iterator

import pytest

from app.core.config import Settings
from tests.server import WITH_ROUTES, Service, serving


@pytest.fixture(scope="package")
def service(settings: Settings) -> Iterator[Service]:
    """Start it once, because starting takes longer than the tests."""
    with serving(
        settings,
        program=WITH_ROUTES,
        FORWARDED_ALLOW_IPS="127.0.0.1,10.0.0.1",  # as if a proxy ran on this machine
        RATE_LIMIT_PER_MINUTE="30",
    ) as service:
        yield service
