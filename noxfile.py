"""Every task of this repository. `nox --list` names them; CI calls nothing else."""

import re
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests", "suites"]
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
LOCK = ROOT / "template" / "uv.lock.jinja"


def install(session: nox.Session) -> None:
    """Install what uv.lock names into the session's environment."""
    session.run_install(
        "uv",
        "sync",
        "--locked",
        "--quiet",
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location, "UV_COMPILE_BYTECODE": "1"},
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types of this repository's own code."""
    install(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Render every combination and check it: style, types, lock, questions, updates."""
    install(session)
    session.run("pytest", "-m", "not suite", *session.posargs)


@nox.session
def suites(session: nox.Session) -> None:
    """Run the own checks of rendered projects, each in its own environment."""
    install(session)
    session.run("pytest", "-m", "suite", "-v", *session.posargs)


@nox.session
def lock(session: nox.Session) -> None:
    """Lock the rendered project's dependencies anew: `nox -s lock -- --upgrade` renews them."""
    install(session)
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory, "project")
        answers = ["--data", "preset=full", "--data", "project_slug=project-slug"]
        session.run("copier", "copy", "--quiet", "--defaults", *answers, str(ROOT), str(project))
        session.run("uv", "lock", "--directory", str(project), *session.posargs, external=True)
        text = (project / "uv.lock").read_text(encoding="utf-8")
    text, found = re.subn(
        '^name = "project-slug"$', 'name = "{= project_slug =}"', text, flags=re.MULTILINE
    )
    if found != 1:
        session.error(f"expected the project once in its lock, found it {found} times")
    LOCK.write_text(text, encoding="utf-8")
    session.run("pytest", "-k", "lock")
