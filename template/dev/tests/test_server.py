"""`make dev` where something is missing or taken."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import cli

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_taken_port_is_explained(family: socket.AddressFamily) -> None:
    """X18: before anything starts, and without a link, which would lead to another program."""
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    try:
        other = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("This machine has no IPv6.")
    with other:
        port = other.getsockname()[1]
        result = CliRunner().invoke(cli, ["dev", "--port", str(port)])
    assert result.exit_code == 1
    assert f"Port {port} cannot be used" in result.output
    assert f"PORT={port + 1} make dev" in result.output
    assert "http://" not in result.output


WAITS = """
import signal, sys, time

def stop(*_):
    print("stops", flush=True)
    time.sleep(0.5)  # as a service that drains
    sys.exit(3)

signal.signal(signal.SIGTERM, stop)
print("runs", flush=True)
signal.pause()
"""


def test_sigterm_ends_the_command() -> None:
    """It would go on without a database. `uv run` passes the signal only to its own child."""
    command = ["app", "dev", sys.executable, "-c", WAITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "runs\n"
        process.terminate()
        assert process.stdout.read() == "stops\n"  # until the last one that could write ends
    assert process.returncode == 3


@pytest.mark.parametrize(("target", "tool"), [("dev", "uv"), ("compose-down", "docker")])
def test_missing_tool_is_named(tmp_path: Path, target: str, tool: str) -> None:
    """X18: make says what to install."""
    result = subprocess.run(
        [shutil.which("make") or "make", target],
        cwd=ROOT,
        env={"PATH": os.fspath(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout.startswith(f"{tool} is missing: https://")
