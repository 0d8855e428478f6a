"""Commands, run as a project's owner would run them."""

import os
import subprocess
from pathlib import Path

import pytest


def clean_environment() -> dict[str, str]:
    """Return our environment without what would change how a rendered project behaves."""
    foreign = ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "DATABASE_URL", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if name not in foreign}


def run(project: Path, *command: str | Path, **environment: str) -> str:
    """Run `command` in the project, as its owner would, and return what it prints."""
    __tracebackhide__ = True
    result = subprocess.run(
        list(map(str, command)),
        cwd=project,
        env=clean_environment() | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        printed = f"{result.stdout}\n{result.stderr}".strip()
        pytest.fail(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{printed}")
    return result.stdout


def git(project: Path, *arguments: str) -> str:
    """Run git in the project, with an identity."""
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    return run(project, "git", *identity, *arguments)


def commit(project: Path, message: str = "change") -> None:
    """Commit everything in the project."""
    if not (project / ".git").exists():
        git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", message)
