"""A feature touches few files that others share, and no file has many conditions."""

from itertools import chain

import pytest
import yaml

from tests.support.factoring import Sources
from tests.support.features import FEATURES
from tests.support.template import ROOT

pytestmark = pytest.mark.xdist_group("sources")

MOST_FILES = 9
MOST_PYTHON_FILES = 2
"""What a feature may touch without a reason."""

MOST_CONDITIONALS = 10

TABLE = yaml.safe_load((ROOT / "tests" / "shared_files.yml").read_text(encoding="utf-8"))
"""The features that touch more: their shared files, by the reason."""


@pytest.mark.parametrize("feature", [name for name in FEATURES if name not in TABLE])
def test_feature_touches_few_shared_files(sources: Sources, feature: str) -> None:
    shared = sources.shared(feature)
    assert len(shared) <= MOST_FILES, shared
    python = [path for path in shared if path.endswith(".py")]
    assert len(python) <= MOST_PYTHON_FILES, python


@pytest.mark.parametrize("feature", TABLE)
def test_feature_that_touches_more_has_reasons(sources: Sources, feature: str) -> None:
    """Each shared file has a reason, or is one of nine. The table has no other files."""
    reasons = TABLE[feature]
    listed = list(chain.from_iterable(reasons.values()))
    assert sorted(listed) == sorted(sources.shared(feature))
    assert len(reasons["no reason"]) <= MOST_FILES
    assert len(listed) > MOST_FILES or any(path.endswith(".py") for path in listed)


def test_no_file_has_many_conditionals(sources: Sources) -> None:
    found = {path: sources.conditionals(path) for path in sources.paths if path != "uv.lock"}
    assert not {path: n for path, n in found.items() if n > MOST_CONDITIONALS}
