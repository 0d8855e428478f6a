"""Projects that live on: what their owners do to them, and what they do with copier-fastapi."""

import os
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NoReturn

import yaml
from copier import run_update
from plumbum import local

from copier_fastapi.cli import app
from copier_fastapi.files import read_listed
from copier_fastapi.git import paths
from tests.support.shell import clean_environment, commit, git, run
from tests.support.template import QUESTIONS

VERSIONS = Path("migrations", "versions")

COMMAND = Path(sys.executable).with_name("copier-fastapi")

OWN = {".copier-answers.yml", "uv.lock", "CHANGELOG.md"}
"""Files that an update writes in its own way, or not at all."""

QUERY = """
import os, sys
from tests.databases import execute
from app.settings.database_url import parse_database_url
print(execute(parse_database_url(os.environ["DATABASE_URL"]), sys.argv[1]))
"""


def copier_fastapi(
    project: Path, *arguments: str | Path, status: tuple[int, ...] = (0,), **environment: str
) -> str:
    """Run the command in a directory, as in a script, and return what it prints.

    It runs in a fork of this process: most of what a new one would do is to import Copier and to
    compile the templates.
    """
    __tracebackhide__ = True
    with TemporaryFile() as output, TemporaryFile() as errors, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads: none of them is needed
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(errors.fileno(), 2)
            _be_command(project, list(map(str, arguments)), clean_environment() | environment)
        _, ended = os.waitpid(child, 0)
        printed = ""
        for file in (output, errors):
            file.seek(0)
            printed += file.read().decode()
    assert os.waitstatus_to_exitcode(ended) in status, printed
    assert "Traceback" not in printed
    return printed


def _be_command(project: Path, arguments: list[str], environment: dict[str, str]) -> NoReturn:
    """Do what the program does, in a process of its own, and end it."""
    status: str | int | None = 1
    try:
        sys.stdin, sys.stdout, sys.stderr = (open(n, "rw"[n > 0]) for n in range(3))  # noqa: PTH123, SIM115
        for variables in (os.environ, local.env):
            for name in dict(variables):
                del variables[name]
            variables.update(environment)
        os.chdir(project)
        local.cwd.chdir(project)
        sys.argv = [COMMAND.name, *arguments]
        app()
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001  # it ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))


def update(project: Path, **answers: object) -> None:
    """Update as `copier update --defaults` does."""
    QUESTIONS.require_known(answers)
    run_update(project, data=answers, defaults=True, overwrite=True, unsafe=False, quiet=True)


def answers_of(project: Path) -> dict[str, Any]:
    """Return what the project remembers."""
    recorded: dict[str, Any] = yaml.safe_load((project / ".copier-answers.yml").read_text())
    return recorded


def revisions(project: Path) -> dict[str, str]:
    """Return the project's migrations."""
    return {path.name: path.read_text() for path in (project / VERSIONS).glob("*.py")}


def app_dev(project: Path, *command: str) -> str:
    """Run a command beside the project's own database."""
    return run(project, "uv", "run", "--locked", "--quiet", "app", "dev", *command)


def query(project: Path, statement: str) -> str:
    """Ask the project's own database, by its own means."""
    return app_dev(project, "python", "-c", QUERY, statement).strip()


def files_of(project: Path) -> dict[str, bytes]:
    """Return the files that git knows of, or would by `git add`."""
    listed = git(project, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    return read_listed(project, paths(listed.encode()))


def from_template(project: Path) -> dict[str, bytes]:
    """Return the files that an update brings, changes and takes."""
    return {
        path: content
        for path, content in files_of(project).items()
        if path not in OWN and not path.startswith(f"{VERSIONS.as_posix()}/")
    }


def mark_of(path: str) -> str:
    """Return the line that only this file has."""
    return f"# written by the owner of {path}\n"


def mark(project: Path) -> set[str]:
    """Edit every file that an update may change, in its middle, and return their names."""
    marked = from_template(project)
    for path, content in marked.items():
        lines = content.decode().splitlines(keepends=True)
        lines.insert(len(lines) // 2, mark_of(path))
        (project / path).write_text("".join(lines))
    return set(marked)


def unmarked(project: Path, paths: set[str]) -> set[str]:
    """Return those of the files that have lost their mark, or are gone."""
    there = files_of(project)
    return {path for path in paths if mark_of(path).encode() not in there.get(path, b"")}


def unmerged(project: Path) -> set[str]:
    """Return the files whose conflicts git knows of."""
    return set(git(project, "diff", "--name-only", "--diff-filter=U").splitlines())


def is_committed(project: Path) -> bool:
    """Try to commit what is staged, and tell whether git did."""
    command = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-m", "x")
    return not subprocess.run(command, cwd=project, capture_output=True, check=False).returncode


def resolve(project: Path) -> set[str]:
    """Resolve every conflict by keeping both sides, and return the files that had one."""
    conflicts = unmerged(project)
    for path in conflicts:
        lines = (project / path).read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(("<<<<<<< ", "=======", ">>>>>>> "))]
        (project / path).write_text("".join(kept))
    return conflicts


def start(project: Path) -> Path:
    """Let a rendered project begin its own life."""
    commit(project, "Start")
    return project
