"""The repository's own documents name what there is."""

import re

import pytest

from tests.support.template import ROOT

TITLE = "In the rendered project"

FILE = re.compile(r"`((?:tests|dev)/[\w./-]*)(?:::(\w+))?`")


def named() -> list[tuple[str, str]]:
    """Return the files that docs/proofs.md names, in the repository, with the tests in them."""
    text = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
    here, rendered = (
        FILE.findall(" ".join(re.findall(r"^\|.*\|(.*)\|$", part, re.MULTILINE)))
        for part in text.split(TITLE)
    )
    return here + [(f"template/{path}", test) for path, test in rendered]


@pytest.mark.parametrize(("path", "test"), sorted(set(named())))
def test_what_proves_a_promise_is_there(path: str, test: str) -> None:
    found = [each for each in (ROOT / path, ROOT / f"{path}.jinja") if each.exists()]
    assert found, f"docs/proofs.md names {path}, which is not there"
    assert not test or re.search(rf"\bdef {test}\(", found[0].read_text(encoding="utf-8"))


def test_every_test_of_the_repository_proves_a_promise() -> None:
    paths = {path for path, _ in named()}
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").glob("test_*.py")}
    unnamed = tests - paths
    assert not unnamed
