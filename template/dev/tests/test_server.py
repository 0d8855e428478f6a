"""`make dev` where something is missing or taken."""

import os
import shutil
import socket
import subprocess
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
