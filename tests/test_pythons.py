"""A rendered project on every Python that is offered (`nox -s pythons`, `nox -s more_pythons`)."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.debian import bootstrap, run_in
from tests.support.factoring import Sources
from tests.support.interpreters import interpreter
from tests.support.shell import run
from tests.support.template import QUESTIONS, Render
from tests.support.wheels import Target

OFFERED = QUESTIONS.choices("python_version")
DEFAULT = QUESTIONS.by_name["python_version"]["default"]

DEBIAN = "forky"
"""The release whose Pythons stand in for those that the machine lacks: 3.13 and newer."""

LONG = "tests/security"
"""What takes a third of the time, and hardly depends on the version: it is left out."""


VERSIONS = [
    pytest.param(each, marks=[] if each == DEFAULT else pytest.mark.deep) for each in OFFERED
]

MACHINES = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")]


@pytest.mark.parametrize(("system", "machine"), MACHINES, ids="-".join)
@pytest.mark.parametrize("version", OFFERED)
def test_every_library_has_a_wheel(
    sources: Sources, version: str, system: str, machine: str
) -> None:
    """X23: the image has no compiler, so a library without a wheel could not be installed."""
    lock = sources.project(dict.fromkeys(sources.domain, True))["uv.lock"]
    assert Target(version, system, machine).without_wheel(lock) == []


def test_library_without_a_wheel_is_found(sources: Sources) -> None:
    """One for a version that does not exist yet, another one by its marker only for old ones."""
    lock = sources.project(dict.fromkeys(sources.domain, True))["uv.lock"]
    found = Target("3.99", "linux", "x86_64").without_wheel(lock)
    assert "asyncpg" in found
    assert "zstandard" not in found


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian that has newer Pythons."""
    root = tmp_path_factory.mktemp("debian") / "root"
    bootstrap(root, DEBIAN, ["ca-certificates", "make"])
    return root


@pytest.mark.pythons
@pytest.mark.parametrize("version", VERSIONS)
def test_own_checks_pass(render: Render, request: pytest.FixtureRequest, version: str) -> None:
    """X23: `make lint typecheck`, and the essential part of the tests, on exactly that Python.

    It is the machine's own, or else Debian's.
    """
    project = render(preset="standard", python_version=version)
    on_it: Callable[..., str]
    if found := interpreter(version):
        on_it = partial(run, project, UV_PYTHON=found)
    else:
        root = request.getfixturevalue("debian")
        install = ("apt-get", "install", "--yes", "--no-install-recommends", f"python{version}")
        run_in(root, project, *install, DEBIAN_FRONTEND="noninteractive")
        on_it = partial(run_in, root, project, UV_PYTHON=f"/usr/bin/python{version}")
    on_it("uv", "sync", "--locked", "--quiet", "--no-install-project", "--no-build")
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    assert on_it("uv", "run", "--locked", "python", "-c", code) == f"{version}\n"
    on_it("make", "lint", "typecheck")
    assert " passed" in on_it("make", "test", f"ARGS=-n2 --ignore={LONG}")
