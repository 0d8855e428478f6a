"""The revisions of a new project are one chain, whichever features it has."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from copier import run_copy

from tests.support.features import FEATURES
from tests.support.template import ROOT

NAMES = [feature.name for feature in FEATURES.values() if feature.has_code]

CHOICES = [(), *combinations(NAMES, 1), *combinations(NAMES, 2), tuple(NAMES)]
"""None, each feature alone, every pair, and all."""

OTHERS = [
    f"/{path.name.removesuffix('.jinja')}"
    for path in (ROOT / "template").iterdir()
    if path.name != "migrations"
]
"""All that need not be rendered."""

REVISION = re.compile(r'^(down_)?revision: .* = (?:"(\w+)"|None)$', re.MULTILINE)


def revisions(project: Path) -> dict[str, str | None]:
    """Return the revision before each one."""
    found = {}
    for path in (project / "migrations" / "versions").glob("*.py"):
        named = {down: name or None for down, name in REVISION.findall(path.read_text())}
        assert path.stem == named[""]
        found[path.stem] = named["down_"]
    return found


@pytest.mark.parametrize("on", CHOICES, ids="+".join)
def test_revisions_are_one_chain(
    copier_template: Path, tmp_path: Path, on: tuple[str, ...]
) -> None:
    answers: dict[str, Any] = {
        name: feature.on if name in on else feature.off for name, feature in FEATURES.items()
    }
    run_copy(
        *(str(copier_template), tmp_path, {"preset": "custom", **answers}),
        exclude=OTHERS,
        defaults=True,
        quiet=True,
    )
    before = revisions(tmp_path)
    assert before.pop("baseline") is None
    chain = ["baseline"]
    while before:
        (following,) = (name for name, previous in before.items() if previous == chain[-1])
        chain.append(following)
        del before[following]
    assert len(set(chain)) == len(chain)
