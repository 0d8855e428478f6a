"""Features come and go in a project that is lived in."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import QUESTIONS, Render, commit, run
from tests.projects import (
    answers_of,
    app_dev,
    copier_fastapi,
    files_of,
    from_template,
    mark,
    resolve,
    start,
    unmarked,
)

pytestmark = pytest.mark.living

FEATURES = QUESTIONS.features()

# A module of each feature's own, as its owner's code may import it.
OWN_CODE = {
    "auth": "from app.dependencies.auth import CurrentUser",
    "example": "from app.models.item import Item",
    "redis": "from app.core.cache import cached",
    "metrics": "from app.core import metrics",
    "tracing": "import app.core.telemetry",
}


def turn(project: Path, feature: str, answer: Any, *status: int) -> str:
    """Turn a feature on or off by one command, which ends with one of these."""
    if answer == FEATURES[feature][0]:
        return copier_fastapi(project, "remove", feature, status=status)
    text = feature if answer is True else f"{feature}={answer}"
    return copier_fastapi(project, "add", text, status=status)


@pytest.mark.parametrize("feature", FEATURES)
def test_off_on_off_in_a_project_with_edits(render: Render, feature: str) -> None:
    """Every file has an edit in its middle: it stays, and all that came goes again."""
    off, *_, on = FEATURES[feature]
    project = start(render(**{feature: off}))
    marked = mark(project)
    commit(project, "Edit everything")
    before = from_template(project)

    turn(project, feature, on, 0, 3)
    assert answers_of(project)[feature] == on
    assert not unmarked(project, marked)
    conflicts = resolve(project)
    assert len(conflicts) < len(marked) / 10
    commit(project, "On")

    turn(project, feature, off, 0, 3)
    after = from_template(project)
    assert not unmarked(project, marked)
    assert after.keys() == before.keys()
    assert {path for path in after if after[path] != before[path]} <= conflicts


@pytest.mark.parametrize("feature", FEATURES)
def test_on_off_on_in_a_project_with_edits(render: Render, feature: str) -> None:
    """An edited file that leaves is kept beside; when it comes back, both are there."""
    off, *_, on = FEATURES[feature]
    project = start(render(**{feature: on}))
    marked = mark(project)
    commit(project, "Edit everything")
    before = from_template(project)

    printed = turn(project, feature, off, 3)
    after = from_template(project)
    gone = before.keys() - after.keys()
    assert gone
    for path in gone:
        assert f"{path}.kept is {path} as you had it" in printed
        assert after[f"{path}.kept"] == before[path]
    assert not unmarked(project, marked - gone)
    conflicts = resolve(project)
    assert len(conflicts) < len(marked) / 10
    commit(project, "Off")

    turn(project, feature, on, 0, 3)
    after = from_template(project)
    assert not unmarked(project, marked - gone)
    assert after.keys() - before.keys() == {f"{path}.kept" for path in gone}
    changed = {path for path in before if after[path] != before[path]}
    assert changed - gone <= conflicts


@pytest.mark.parametrize("feature", OWN_CODE)
def test_own_code_that_uses_what_leaves_is_named(render: Render, feature: str) -> None:
    project = start(render())
    own = project / "app" / "services" / "own.py"
    own.write_text(f'"""Ours."""\n\n{OWN_CODE[feature]}\n')
    commit(project, "Use it")
    printed = turn(project, feature, False, 3)
    assert "app/services/own.py:3 imports app." in printed
    assert own.read_text().endswith(f"{OWN_CODE[feature]}\n")


def test_newcomer_turns_redis_on(render: Render) -> None:
    """One command in a running service, and its suite and migrations pass."""
    project = start(render(preset="minimal"))
    app_dev(project, "alembic", "upgrade", "head")
    before = from_template(project)

    copier_fastapi(project, "add", "redis")
    run(project, "make", "install", "lint", "typecheck", "migrate", "test")
    app_dev(project, "alembic", "check")
    assert re.search("^REDIS_URL=redis://", (project / ".env").read_text(), re.MULTILINE)
    commit(project, "With Redis")

    copier_fastapi(project, "remove", "redis")
    assert from_template(project) == before
    run(project, "make", "install", "test", "ARGS=tests/api")


@pytest.mark.parametrize("feature", ["metrics", "tracing"])
def test_monitoring_turned_on_and_off_again(render: Render, feature: str) -> None:
    """It brings its libraries and files, and takes them away, in a project that is used."""
    project = render(**{feature: False})
    run(project, "uv", "lock", "--offline", "--quiet")  # it puts the project where its name belongs
    before = files_of(start(project))

    copier_fastapi(project, "add", feature)
    run(project, "make", "test", f"ARGS=tests/{feature} tests/unit")
    commit(project, f"With {feature}")

    copier_fastapi(project, "remove", feature)
    assert files_of(project) == before
    run(project, "make", "test", "ARGS=tests/unit")
