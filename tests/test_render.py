"""Every combination of the features renders to a clean project.

Each file is rendered under all combinations of the answers that it depends on, and each distinct
text is checked once: tests/support/factoring.py says why that covers all combinations of all.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from covertable import make

from tests.support import faults, lock
from tests.support.conditions import Row
from tests.support.dependencies import disagreements
from tests.support.factoring import ANSWERS_FILE, Sources
from tests.support.features import FEATURES
from tests.support.files import load_yaml
from tests.support.modules import Modules
from tests.support.shell import run
from tests.support.template import Render

pytestmark = pytest.mark.xdist_group("sources")


@pytest.fixture(scope="module")
def modules(sources: Sources) -> Modules:
    return Modules(sources)


ALL_OFF = {name: feature.off for name, feature in FEATURES.items()}
ALL_ON = {name: feature.on for name, feature in FEATURES.items()}


def name_of(answers: Row) -> str:
    return ",".join(f"{name}={answer}" for name, answer in answers.items())


ARRAY = [
    {name: row[name] for name in FEATURES}
    for row in make(
        {name: list(each.answers) for name, each in FEATURES.items()}, presets=[ALL_ON, ALL_OFF]
    )
]
"""Every pair of answers."""


@pytest.mark.parametrize("answers", ARRAY, ids=name_of)
def test_texts_are_those_that_copier_writes(sources: Sources, render: Render, answers: Row) -> None:
    project = render(preset="custom", **answers)
    written = {
        path.relative_to(project).as_posix(): path.read_text(encoding="utf-8")
        for path in project.rglob("*")
        if path.is_file() and path.name != ANSWERS_FILE
    }
    assert sources.project(answers) == written
    assert load_yaml((project / ANSWERS_FILE).read_text()).items() >= answers.items()
    assert not [path for path in project.rglob("*") if path.is_dir() and not any(path.iterdir())]


@pytest.mark.parametrize(
    "check",
    [
        faults.traces_of_the_template,
        faults.traces_of_what_is_off,
        faults.untidy_texts,
        faults.unreadable_data,
        faults.empty_directories,
    ],
    ids=lambda check: check.__name__,
)
def test_texts_have_no(sources: Sources, check: Callable[[Sources], Iterator[str]]) -> None:
    assert not list(check(sources))


def test_ruff(sources: Sources, tools: Path, tmp_path: Path) -> None:
    whole = faults.lay_out(sources, tmp_path)
    ours = ("--config", f"src = ['{whole}']")  # has every module, and so knows what is our own
    run(tmp_path, tools / "ruff", "check", "--no-cache", *ours)
    run(tmp_path, tools / "ruff", "format", "--check", "--no-cache")


def test_every_import_of_our_own_is_there(modules: Modules) -> None:
    assert not list(modules.missing())


def test_imports_and_dependencies_agree(modules: Modules) -> None:
    """What is imported is declared where it is needed; what is declared is used."""
    assert not list(disagreements(modules))


CODE = {name: list(each.answers) for name, each in FEATURES.items() if each.has_code}

THREE_WAY = [
    ALL_OFF | dict(row)
    for row in make(
        CODE, strength=3, presets=[{name: row[name] for name in CODE} for row in (ALL_ON, ALL_OFF)]
    )
]
"""Every three answers together, of those that code may depend on."""


def test_code_depends_on_the_features_with_code(sources: Sources) -> None:
    code = [path for path in sources.paths if path.endswith(".py")]
    assert {name for path in code for name in sources.dependence(path)} == CODE.keys()


@pytest.mark.parametrize("answers", THREE_WAY, ids=name_of)
def test_mypy(sources: Sources, answers: Row, tools: Path, checked: Path) -> None:
    """One directory and one cache: only what differs from the row before is read anew."""
    files = {
        path: text
        for path, text in sources.project(answers).items()
        if path.endswith(".py") or path == "pyproject.toml"
    }
    for before in checked.rglob("*.py"):
        if before.relative_to(checked).as_posix() not in files:
            before.unlink()
    for path, text in files.items():
        file = checked / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    run(checked, tools / "mypy", f"--python-executable={tools / 'python'}")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory whose types are checked, one row after the other."""
    return tmp_path_factory.mktemp("checked")


@pytest.mark.parametrize("chosen", lock.VARIANTS, ids=lambda chosen: "+".join(sorted(chosen)))
def test_lock_is_valid(sources: Sources, chosen: lock.Chosen, tmp_path: Path) -> None:
    files = sources.project(lock.answers_of(chosen))
    for path in ("pyproject.toml", "uv.lock"):
        (tmp_path / path).write_text(files[path], encoding="utf-8")
    run(tmp_path, "uv", "lock", "--check", "--offline", "--quiet")


def test_lock_has_only_conditions_that_features_and_pairs_prove(sources: Sources) -> None:
    """So it is right in every combination, if it is in those."""
    assert lock.derived(sources) == sources.paths["uv.lock"].read_text(encoding="utf-8")
