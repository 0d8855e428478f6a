"""`make dev`, as the new owner of a project uses it."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import urlopen

import pytest

from tests.support.services import free_port
from tests.support.shell import clean_environment, run
from tests.support.template import Render

pytestmark = pytest.mark.suite

PATIENCE = 120.0
"""Seconds for the first start, which installs everything."""


@contextmanager
def make_dev(project: Path) -> Iterator[str]:
    """Run `make dev`; yield its address once it answers. End it by kill -9."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (project / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "dev"],
            cwd=project,
            env=clean_environment() | {"PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not answers(f"{address}/ready"):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((project / "dev.log").read_text())
            time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as response:  # noqa: S310  # our own address
            return bool(response.status == 200)
    except (URLError, ConnectionError, TimeoutError):
        return False


def server_urls(project: Path) -> list[SplitResult]:
    """Return the URLs of the database and of Redis, which `make dev` wrote into `.env`."""
    env = (project / ".env").read_text()
    found = re.findall("^(?:DATABASE|REDIS)_URL=(.+)$", env, re.MULTILINE)
    assert len(found) == 2
    return [urlsplit(url) for url in found]


def stops(server: SplitResult) -> bool:
    """Wait until nothing listens on the server's port any more."""
    for _ in range(100):
        try:
            socket.create_connection((server.hostname, server.port), timeout=5).close()
        except ConnectionRefusedError:
            return True
        time.sleep(0.1)
    return False


def test_serves_and_leaves_nothing_running(render: Render) -> None:
    """From `copier copy` to an answer in one command; killed, it takes its servers along."""
    project = render()
    for _ in range(2):  # the second start finds what the first one left
        with make_dev(project) as address:
            assert answers(f"{address}/docs")
            with urlopen(f"{address}/health", timeout=5) as response:  # noqa: S310  # our own address
                health = json.load(response)
            assert (health["status"], health["redis"]) == ("healthy", "healthy")
        assert all(map(stops, server_urls(project)))
    for server in server_urls(project):
        assert re.fullmatch(r"[\w-]{32}", server.password or "")


@pytest.mark.parametrize("example", [True, False])
def test_walk_of_the_guide(render: Render, example: bool) -> None:
    """From registration to logout, pasted as it stands."""
    project = render(example=example)
    guide = (project / "docs" / "accounts.md").read_text()
    (walk,) = (
        block
        for block in re.findall("```sh\n(.*?)```", guide, re.DOTALL)
        if "/auth/register" in block
    )
    with make_dev(project) as address:
        printed = run(project, "sh", "-c", walk.replace("localhost:8000", address)).splitlines()
    registered, me, *items, refused = map(json.loads, filter(None, printed))
    assert registered == me
    assert (me["username"], me["full_name"]) == ("ada", "Ada Lovelace")
    assert len(items) == (2 if example else 0)
    assert refused["status"] == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_root_where_nobody_else_can_enter(render: Render) -> None:
    """In a container, root often works in a home directory that is closed to all others."""
    project = render()
    mode = project.stat().st_mode
    project.chmod(0o700)
    with make_dev(project) as address:
        assert answers(f"{address}/health")
    assert project.stat().st_mode & 0o777 == 0o700
    project.chmod(mode)
