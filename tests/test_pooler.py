"""A rendered service behind a connection pooler (`nox -s pooler`)."""

from pathlib import Path

import pytest

from tests.support.shell import run
from tests.support.template import Render

pytestmark = pytest.mark.pooler

BEHIND = Path(__file__).parent / "pooler" / "behind.py"

ESSENTIAL = (
    "tests/faults/test_pooler.py",
    "tests/api",
    "tests/db",
    "tests/security/test_sessions.py",
)


def test_essential_tests_and_load(render: Render) -> None:
    """X7: a load, the API, the schema and the accounts, with PgBouncer in transaction mode."""
    project = render(preset="full")
    run(project, "make", "install")
    command = ("uv", "run", "--locked", "python", BEHIND, "pytest", "--numprocesses=2", *ESSENTIAL)
    assert "passed" in run(project, *command, PYTHONPATH=str(project))
