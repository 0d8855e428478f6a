"""The lock of the rendered project: one template for all variants (`nox -s lock`).

What a variant locks follows from its features alone and in pairs: a library comes with a feature,
or with two that use it together. So the conditions are derived from those, not from all
combinations.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, combinations, groupby
from operator import itemgetter
from pathlib import Path

from tests.support.conditions import Row
from tests.support.factoring import Sources
from tests.support.features import FEATURES
from tests.support.files import copy_template
from tests.support.template import ROOT

LOCK = ROOT / "template" / "uv.lock.jinja"

BRINGING = [name for name, feature in FEATURES.items() if feature.dependencies]
"""The features that bring libraries."""

Blocks = dict[str, list[tuple[str, str]]]
"""The lines of a lock by the name of their package, each with the key that it stands under."""

Chosen = frozenset[str]
"""The features that are on."""

VARIANTS = [
    frozenset(chosen)
    for size in (0, 1, 2, len(BRINGING))
    for chosen in combinations(BRINGING, size)
]
"""None, each, each pair, and all."""


def answers_of(chosen: Chosen) -> Row:
    """Return the answers that turn on these of the features, and no other."""
    return {name: each.on if name in chosen else each.off for name, each in FEATURES.items()}


def derive(locks: Mapping[Chosen, str]) -> str:
    """Return the template whose renderings are all the variants' locks.

    Raises:
        ValueError: if no simple condition says where a line stands.
    """
    whole = locks[frozenset(BRINGING)]
    return "\n".join(_conditional(whole, {each: blocks_of(text) for each, text in locks.items()}))


def derived(sources: Sources) -> str:
    """Derive the template from what it renders to. It is the same, if all it says is proven."""
    return derive(
        {
            chosen: _anonymous(sources, sources.project(answers_of(chosen))["uv.lock"])
            for chosen in VARIANTS
        }
    )


def _anonymous(sources: Sources, text: str) -> str:
    """Put the answer in the place of the project's name."""
    before, after = text.split(f'\nname = "{sources.answer("project_slug")}"\n')
    return before + '\nname = "{= project_slug =}"\n' + after


def blocks_of(text: str) -> Blocks:
    """Split a lock at its packages."""
    blocks = {}
    for block in text.split("\n[[package]]\n"):
        lines = block.splitlines()
        blocks[lines[0]] = list(zip(accumulate(lines, _key_of), lines, strict=True))
    return blocks


def _key_of(before: str, line: str) -> str:
    """Return the key that a line stands under, given that of the line before."""
    return before if line.startswith(" ") else line


def _conditional(whole: str, variants: Mapping[Chosen, Blocks]) -> Iterator[str]:
    """Yield the template's lines. A variant lacks whole lines of the lock that has everything.

    If it differs in any other way, the test of its lock fails.
    """
    for number, (name, lines) in enumerate(blocks_of(whole).items()):
        rows = [*(["", "[[package]]"] if number else []), *(line for _, line in lines)]
        frame = len(rows) - len(lines)
        needs = [
            condition({each: row in blocks.get(name, ()) for each, blocks in variants.items()})
            for row in lines
        ]
        # What frames a package goes with its name.
        framed = zip([needs[0]] * frame + needs, rows, strict=True)
        for needed, group in groupby(framed, itemgetter(0)):
            texts = [row for _, row in group]
            yield from [f"# {{% if {needed} %}}", *texts, "# {% endif %}"] if needed else texts
    yield ""


def condition(present: Mapping[Chosen, bool]) -> str:
    """Return the expression for where something is: always, with some features, or with pairs.

    Raises:
        ValueError: if it is anywhere else, or missing there.
    """
    ones = [name for name in BRINGING if present[frozenset({name})]]
    twos = [
        pair
        for pair in combinations(BRINGING, 2)
        if present[frozenset(pair)] and not set(pair) & set(ones)
    ]
    is_always = present[frozenset()]
    for chosen, is_there in present.items():
        expected = is_always or chosen & set(ones) or any(chosen.issuperset(two) for two in twos)
        if is_there != bool(expected):
            raise ValueError(f"no simple condition: {present}")
    return "" if is_always else " or ".join([*ones, *_together(twos, is_last=not ones)])


def _together(twos: list[tuple[str, str]], *, is_last: bool) -> Iterable[str]:
    common = set(BRINGING).intersection(*twos)
    if len(twos) > 1 and len(common) == 1:
        (shared,) = common
        others = " or ".join(name for two in twos for name in two if name != shared)
        terms = [f"{shared} and ({others})"]
    else:
        terms = [f"{one} and {other}" for one, other in twos]
    return terms if is_last and len(terms) < 2 else [f"({term})" for term in terms]


def renew(*options: str) -> None:
    """Lock all variants anew, and write the template."""
    with tempfile.TemporaryDirectory() as directory:
        sources = Sources(copy_template(Path(directory, "template")))
        everything = frozenset(BRINGING)
        before = sources.project(answers_of(everything))["uv.lock"]
        whole = _lock(sources, everything, before, Path(directory, "whole"), *options)
        locks = {
            chosen: _lock(sources, chosen, whole, Path(directory, str(number)), "--offline")
            for number, chosen in enumerate(VARIANTS)
        }
    texts = {chosen: _anonymous(sources, text) for chosen, text in locks.items()}
    LOCK.write_text(derive(texts), encoding="utf-8")


def _lock(sources: Sources, chosen: Chosen, before: str, project: Path, *options: str) -> str:
    project.mkdir()
    lock = project / "uv.lock"
    lock.write_text(before, encoding="utf-8")
    settings = sources.project(answers_of(chosen))["pyproject.toml"]
    (project / "pyproject.toml").write_text(settings, encoding="utf-8")
    subprocess.run(["uv", "lock", "--quiet", *options], cwd=project, check=True)
    return lock.read_text(encoding="utf-8")


if __name__ == "__main__":
    renew(*sys.argv[1:])
