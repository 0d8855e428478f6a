"""The proofs of tests/test_render.py find faults in combinations that no array has."""

from collections.abc import Iterable, Iterator
from itertools import combinations, product
from pathlib import Path

import pytest

from tests import test_suites
from tests.support import faults, lock
from tests.support.conditions import Row
from tests.support.dependencies import disagreements
from tests.support.factoring import Sources
from tests.support.files import copy_template
from tests.support.modules import Modules
from tests.support.shell import run
from tests.test_render import ARRAY, CODE, THREE_WAY

ROWS = [*ARRAY, *THREE_WAY, *test_suites.ARRAY]


def partial_rows(size: int) -> Iterator[Row]:
    """Yield the combinations of so many of the features with code."""
    for names in combinations(CODE, size):
        for answers in product(*(CODE[name] for name in names)):
            yield dict(zip(names, answers, strict=True))


RARE = next(row for row in partial_rows(4) if not any(row.items() <= r.items() for r in ROWS))
"""Answers to four questions that stand together in no row of any array."""

CONDITION = " and ".join(
    f"{name} | default(false)" if answer else f"not {name} | default(false)"
    for name, answer in RARE.items()
)

BLANK_LINES = f'''\
"""A fault."""
# {{% if {CONDITION} %}}



# {{% endif %}}

VALUE = 1
'''

UNUSED_IMPORT = f'''\
"""A fault."""
# {{% if {CONDITION} %}}

import os
# {{% endif %}}
'''

IMPORT = '''\
"""Needs what is not always there."""

from app.target import VALUE

__all__ = ["VALUE"]
'''

GUARDED = IMPORT.replace("\nfrom", f"\n# {{% if {CONDITION} %}}\nfrom").replace(
    "VALUE\n\n", "VALUE\n\n# {% endif %}\n"
)

ATTRIBUTE = '''\
"""Reads what is not always there."""

from app import target

SAME = target.VALUE
'''


@pytest.fixture
def template(tmp_path: Path) -> Path:
    return copy_template(tmp_path / "template")


def seed(template: Path, **files: str) -> Sources:
    """Add modules to the service, and read the template."""
    for name, text in files.items():
        (template / "template" / "app" / f"{name}.py.jinja").write_text(text)
    return Sources(template)


def exclude(template: Path, path: str, condition: str) -> None:
    """Leave out a file under a condition, as the file of a feature does."""
    with (template / "copier.yml").open("a") as config:
        config.write(f"\n---\n_exclude:\n  - |\n    # {{% if {condition} %}}\n")
        config.write(f"    # It comments.\n    {path}\n    # {{% endif %}}\n")


def is_named(found: Iterable[str], *parts: str) -> bool:
    """Return whether a fault was found, with the combination of answers that it is in."""
    answers = [f"{name}={answer}" for name, answer in RARE.items()]
    return any(all(part in fault for part in (*parts, *answers)) for fault in found)


def test_rows_have_every_triple_but_not_every_four() -> None:
    for row in partial_rows(3):
        assert any(row.items() <= each.items() for each in THREE_WAY), row
    for row in partial_rows(2):
        assert any(row.items() <= each.items() for each in test_suites.ARRAY), row
    assert not any(RARE.items() <= row.items() for row in ROWS)


def test_stray_blank_lines(template: Path) -> None:
    sources = seed(template, fault=BLANK_LINES)
    assert is_named(faults.untidy_texts(sources), "app/fault.py: too many blank lines")


def test_trace_of_what_is_off(template: Path) -> None:
    """Kubernetes is none of the answers that decide whether the line stands there."""
    sources = seed(template, fault=BLANK_LINES.replace("\n\n\n", "\n# for a pod\n\n"))
    assert is_named(faults.traces_of_what_is_off(sources), "app/fault.py", "without kubernetes")


def test_style(template: Path, tools: Path, tmp_path: Path) -> None:
    faults.lay_out(seed(template, fault=UNUSED_IMPORT), roots := tmp_path / "roots")
    with pytest.raises(pytest.fail.Exception, match=r"F401(?s:.)*app/fault\.py"):
        run(roots, tools / "ruff", "check", "--no-cache", "--select=F401")


def test_import_of_a_file_that_is_not_there(template: Path) -> None:
    exclude(template, "app/target.py", CONDITION)
    modules = Modules(seed(template, importer=IMPORT, target=BLANK_LINES))
    assert is_named(modules.missing(), "app/importer.py: app.target.VALUE is missing")


@pytest.mark.parametrize("importer", [IMPORT, ATTRIBUTE])
def test_import_of_a_name_that_is_not_there(template: Path, importer: str) -> None:
    target = f"# {{% if not ({CONDITION}) %}}\nVALUE = 1\n# {{% endif %}}\n"
    modules = Modules(seed(template, importer=importer, target=target))
    assert is_named(modules.missing(), "app/importer.py: app.target.VALUE is missing")


def test_import_with_the_wrong_condition(template: Path) -> None:
    """It is guarded by some of the features that the file needs, but not by all."""
    name, answer = next(iter(RARE.items()))
    exclude(template, "app/target.py", f"{name} | default(false) == {answer}".lower())
    modules = Modules(seed(template, importer=GUARDED, target="VALUE = 1\n"))
    assert is_named(modules.missing(), "app/importer.py: app.target.VALUE is missing")


def test_import_with_the_right_condition(template: Path) -> None:
    exclude(template, "app/target.py", f"not ({CONDITION})")
    modules = Modules(seed(template, importer=GUARDED, target="VALUE = 1\n"))
    assert not [fault for fault in modules.missing() if fault.startswith("app/importer.py")]


def test_library_that_is_not_declared(template: Path) -> None:
    modules = Modules(seed(template, fault=UNUSED_IMPORT.replace("import os", "import numpy")))
    assert is_named(disagreements(modules), "numpy is imported, but not declared")


def test_library_that_is_not_used(template: Path) -> None:
    pyproject = template / "template" / "pyproject.toml.jinja"
    text = pyproject.read_text()
    declared = f'dependencies = [\n# {{% if {CONDITION} %}}\n"numpy",\n# {{% endif %}}\n'
    pyproject.write_text(text.replace("dependencies = [\n", declared, 1))
    modules = Modules(Sources(template))
    assert is_named(disagreements(modules), "numpy is declared, but not used")


def test_empty_directory(template: Path) -> None:
    (template / "template" / "app" / "empty").mkdir()
    exclude(template, "app/empty/*", CONDITION)
    (template / "template" / "app" / "empty" / "it.py").write_text("")
    assert is_named(faults.empty_directories(Sources(template)), "app/empty is empty")


def test_types_of_three_features_together(template: Path, tools: Path, tmp_path: Path) -> None:
    """A row of the array has them, whichever three they are."""
    row = next(row for row in partial_rows(3) if row.items() <= RARE.items())
    condition = " and ".join(name if answer else f"not {name}" for name, answer in row.items())
    text = f'# {{% if {condition} %}}\nVALUE: int = ""\n# {{% endif %}}\n'
    sources = seed(template, fault=text)
    found = {
        sources.project(each)["app/fault.py"] for each in THREE_WAY if row.items() <= each.items()
    }
    assert found == {'VALUE: int = ""\n'}
    (tmp_path / "fault.py").write_text(*found)
    with pytest.raises(pytest.fail.Exception, match="Incompatible types in assignment"):
        run(tmp_path, tools / "mypy", "--strict", "fault.py")


def test_condition_of_the_lock_that_pairs_do_not_prove(template: Path) -> None:
    """It is right with no feature, with one, with two and with all."""
    one, two, three, other, *_ = lock.BRINGING
    path = template / "template" / "uv.lock.jinja"
    wrong = f"# {{% if not ({one} and {two} and {three} and not {other}) %}}"
    text = path.read_text()
    path.write_text(text.replace("version = 1\n", f"{wrong}\nversion = 1\n# {{% endif %}}\n", 1))
    assert lock.derived(Sources(template)) == text


def test_lock_that_needs_three_features() -> None:
    """Then pairs prove nothing, and `nox -s lock` stops."""
    everything = frozenset(lock.BRINGING)
    for odd in (everything, frozenset(lock.BRINGING[:2])):
        present = {chosen: chosen == odd for chosen in lock.VARIANTS}
        with pytest.raises(ValueError, match="no simple condition"):
            lock.condition(present | {frozenset(): odd != everything})
