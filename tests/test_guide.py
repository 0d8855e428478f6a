"""The guide for contributors in a rendered project works as it is written."""

import re
from pathlib import Path

import pytest

from tests.support.projects import start
from tests.support.shell import commit, git, run
from tests.support.template import Render

pytestmark = pytest.mark.living

OWN = re.compile(
    r"app/(invoices/\w+|project)\.py|tests/(invoices/\w+|security/own_routes)\.py"
    r"|migrations/versions/\w+\.py"
)
"""What no later update of the template changes."""


def follow(project: Path) -> None:
    """Create the files that the guide shows."""
    guide = (project / "CONTRIBUTING.md").read_text()
    files = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", guide, re.DOTALL)
    assert len(files) >= 9
    for path, text in files:
        file = project / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    for folder in ("app/invoices", "tests/invoices"):
        (project / folder / "__init__.py").touch()


@pytest.mark.parametrize("preset", ["minimal", pytest.param("standard", marks=pytest.mark.deep)])
def test_a_resource_as_the_guide_shows_it(render: Render, preset: str) -> None:
    """It passes the project's own checks, and changes no file of the template."""
    project = start(render(preset=preset))
    follow(project)
    run(project, "make", "install")
    run(project, "make", "migration", "m=add invoices")
    run(project, "make", "format")
    git(project, "add", "--all")
    changed = git(project, "diff", "--cached", "--name-only").splitlines()
    assert [path for path in changed if not OWN.fullmatch(path)] == []
    run(project, "make", "lint", "typecheck", "migrate")
    tests = ["tests/db/test_migrations.py", "tests/invoices"]
    if preset == "standard":
        tests.append("tests/security/test_access.py")
    run(project, "make", "test", f"ARGS={' '.join(tests)}")
    commit(project, "Add invoices")
