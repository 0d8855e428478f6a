"""Features come and go in a project that is lived in."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from copier_fastapi.files import differing
from tests.support.features import DEPLOYED, FEATURES
from tests.support.projects import (
    answers_of,
    app_dev,
    copier_fastapi,
    from_template,
    mark,
    resolve,
    start,
    unmarked,
)
from tests.support.shell import commit, run
from tests.support.template import Render

pytestmark = pytest.mark.living


def turn(project: Path, feature: str, answer: Any, *status: int) -> str:
    """Turn a feature on or off by one command, which ends with one of these."""
    if answer == FEATURES[feature].off:
        return copier_fastapi(project, "remove", feature, status=status)
    text = feature if answer is True else f"{feature}={answer}"
    return copier_fastapi(project, "add", text, status=status)


ESSENTIAL = (next(iter(FEATURES)), DEPLOYED[-1])
"""One feature with code, and one that only adds files. The others are as they are."""


@pytest.mark.parametrize(
    "feature",
    [pytest.param(name, marks=() if name in ESSENTIAL else pytest.mark.deep) for name in FEATURES],
)
def test_on_off_on_off_in_a_project_with_edits(render: Render, feature: str) -> None:
    """Every file has an edit in its middle, and own code uses the feature.

    An edited file that leaves is kept beside; when it comes back, both are there. All that comes
    goes again, and no other edit is touched.
    """
    off, on, own_code = FEATURES[feature].off, FEATURES[feature].on, FEATURES[feature].own_code
    project = start(render(**{feature: on}))
    marked = mark(project)
    if own_code:
        (project / "app" / "services" / "own.py").write_text(f"{own_code}\n")
    commit(project, "Edit everything")
    first = from_template(project)

    printed = turn(project, feature, off, 3)
    second = from_template(project)
    gone = first.keys() - second.keys()
    assert gone
    for path in gone:
        assert f"{path}.kept is {path} as you had it" in printed
        assert second[f"{path}.kept"] == first[path]
    assert ("app/services/own.py:1 imports app." in printed) is bool(own_code)
    assert not unmarked(project, marked - gone)
    conflicts = resolve(project)
    second = from_template(project)
    commit(project, "Off")

    turn(project, feature, on, 0, 3)
    third = from_template(project)
    assert answers_of(project)[feature] == on
    assert not unmarked(project, marked - gone)
    assert third.keys() - first.keys() == {f"{path}.kept" for path in gone}
    assert differing(first, third) - gone <= conflicts
    conflicts |= resolve(project)
    assert len(conflicts) < len(marked) / 10
    commit(project, "On")

    turn(project, feature, off, 0, 3)
    fourth = from_template(project)
    assert not unmarked(project, marked - gone)
    assert fourth.keys() == second.keys()
    assert differing(second, fourth) <= conflicts


@pytest.mark.deep
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


def locked(project: Path) -> set[tuple[str, str]]:
    """Return the libraries of the lock with their versions, in whichever order."""
    lock = tomllib.loads((project / "uv.lock").read_text())
    return {(package["name"], package["version"]) for package in lock["package"]}


@pytest.mark.deep
@pytest.mark.parametrize("feature", ["metrics", "tracing"])
def test_monitoring_turned_on_and_off_again(render: Render, feature: str) -> None:
    """It brings its libraries and files, and takes them away, in a project that is used."""
    project = start(render(**{feature: False}))
    before, libraries = from_template(project), locked(project)

    copier_fastapi(project, "add", feature)
    run(project, "make", "test", f"ARGS=tests/{feature} tests/unit")
    commit(project, f"With {feature}")

    copier_fastapi(project, "remove", feature)
    assert (from_template(project), locked(project)) == (before, libraries)
    run(project, "make", "test", "ARGS=tests/unit")
