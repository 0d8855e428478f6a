"""Rendering, strictly: unknown answers are refused and nothing unsafe is allowed."""

import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from copier import Worker, run_copy
from jinja2 import Environment

from tests.support.factoring import Sources
from tests.support.files import copy_template, replace_in
from tests.support.shell import commit, git, run
from tests.support.template import PARTS, QUESTIONS, Render

NEW_FEATURE = """\
jobs:
  type: bool
  help: Include jobs that run in the background?
  default: "{= preset != 'minimal' and ci is not defined =}"
  ask: "{= preset == 'custom' =}"
"""
"""A question of a later version, as docs/releasing.md says."""


@pytest.fixture(scope="session", autouse=True)
def _compile_each_template_once() -> Iterator[None]:
    """Remember what Jinja compiles: it takes a third of the time of a rendering."""
    known: dict[tuple[Any, ...], Any] = {}
    compile_: Callable[..., Any] = Environment.compile

    def remembering(
        environment: Environment, source: str, name: Any = None, filename: Any = None, *how: Any
    ) -> Any:
        # Environments that write alike share their lexer. Where a clone lies makes no difference.
        key = (environment.lexer, source, name, *how)
        if key not in known:
            known[key] = compile_(environment, source, name, filename, *how)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", remembering)
        yield


@pytest.fixture(scope="session", autouse=True)
def _trust_modes_of_files() -> Iterator[None]:
    """Keep Copier from asking git, for each file, whether it goes by the modes: it does here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "_sync_git_index_executable_bit", lambda *_: None)
        yield


@pytest.fixture(scope="session")
def copier_template_paths() -> list[str]:
    """What pytest-copier copies into the repository that it renders from."""
    return list(PARTS)


@pytest.fixture(scope="session")
def render(copier_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Render:
    """Render the template into a new directory, or into `destination`."""

    def render(destination: Path | None = None, **answers: Any) -> Path:
        QUESTIONS.require_known(answers)
        project = destination or tmp_path_factory.mktemp("rendered") / "project"
        run_copy(
            str(copier_template), project, data=answers, defaults=True, unsafe=False, quiet=True
        )
        return project

    return render


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """The template's sources, for what is proven without rendering every combination."""
    return Sources(copy_template(tmp_path_factory.mktemp("sources") / "template"))


@pytest.fixture(scope="session")
def later(copier_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template at 1.0.0, which is as it is now, and at 2.0.0, as it may be one day."""
    template = tmp_path_factory.mktemp("later") / "template"
    git(template.parent, "clone", "--quiet", "--no-tags", str(copier_template), str(template))
    git(template, "tag", "1.0.0")
    (template / "extensions" / "features" / "jobs.yml").write_text(NEW_FEATURE)
    include = "---\n!include extensions/features/{}.yml\n"
    ci = include.format("ci")
    replace_in(template / "copier.yml", ci, include.format("jobs") + ci)
    source = template / "template"
    replace_in(source / "Makefile", "Everything one does", "All that one does")
    replace_in(source / "app" / "core" / "events.py", "closed when it stops", "closed in the end")
    replace_in(source / "app" / "accounts" / "common_passwords.txt", "\npassword\n", "\npasswort\n")
    (source / "alembic.ini").rename(source / "database.ini")
    (source / "app" / "utils" / "later.py").write_text('"""What is new."""\n')
    (source / "SETUP.md.jinja").unlink()
    commit(template, "Later")
    git(template, "tag", "2.0.0")
    return template


@pytest.fixture(scope="session")
def tools(render: Render) -> Path:
    """The programs of an environment that has what any rendered project needs, but no project."""
    project = render(preset="full")
    run(project, "uv", "sync", "--locked", "--no-install-project", "--quiet")
    return project / ".venv" / "bin"


@pytest.fixture(scope="session", autouse=True)
def _tidy_home_of_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Remove the databases of rendered projects that root has outside of them."""
    yield
    base = tmp_path_factory.getbasetemp()
    for state in (*base.glob("*/.dev"), *base.glob("*/*/.dev")):
        name = sha256(bytes(state.resolve())).hexdigest()[:16]  # as dev/database.py calls it
        shutil.rmtree(Path("/var/lib/dev-postgres", name), ignore_errors=True)
