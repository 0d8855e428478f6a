"""The service as a process of its own, as operators run it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.core.config import Settings
from dev.process import free_port


@dataclass(frozen=True)
class Service:
    """A running `app serve`."""

    process: "subprocess.Popen[str]"
    address: str


@pytest.fixture(scope="package", autouse=True)
def service(settings: Settings) -> Iterator[Service]:
    """Start it first: it takes a second to come up, in which other tests can run."""
    port = free_port()
    environment = {
        **os.environ,
        "ENVIRONMENT": "staging",
        "LOG_FORMAT": "json",
        "PORT": str(port),
        "FORWARDED_ALLOW_IPS": "127.0.0.1,10.0.0.1",  # as if a proxy ran on this machine
        "RATE_LIMIT_PER_MINUTE": "30",
        "DATABASE_URL": settings.database_url.render_as_string(hide_password=False),
    }
    command = [sys.executable, "-c", "from app.cli import cli; cli()", "serve"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield Service(process, f"http://127.0.0.1:{port}")
        process.kill()
