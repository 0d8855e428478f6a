"""Documents name what there is: those of the repository, and those of a rendered project."""

import posixpath
import re
from pathlib import Path

import pytest

from tests.support.conditions import counterexample
from tests.support.factoring import Sources
from tests.support.template import ROOT

TITLE = "In the rendered project"

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")

MOST_LINES = 120
"""Of both READMEs: a page that is read in some minutes."""

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


def links(path: str, text: str) -> set[tuple[str, str]]:
    """Return the places that a document's links lead to, each with its anchor."""
    folder = posixpath.dirname(path)
    return {
        (posixpath.normpath(posixpath.join(folder, target)) if target else path, anchor)
        for target, anchor in LINK.findall(text)
    }


def anchors(text: str) -> set[str]:
    """Return the anchors of a document's headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "file", [ROOT / "README.md", *(ROOT / "docs").glob("*.md")], ids=lambda file: file.name
)
def test_links_of_the_repository_lead_somewhere(file: Path) -> None:
    for place, anchor in links(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")):
        assert (ROOT / place).exists(), place
        assert not anchor or anchor in anchors((ROOT / place).read_text(encoding="utf-8")), anchor


@pytest.mark.xdist_group("sources")
def test_links_of_a_project_lead_somewhere(sources: Sources) -> None:
    """In every combination in which the document has the link."""
    texts = {
        path: sources.renderings(path) for path in sorted(sources.paths) if path.endswith(".md")
    }
    found = {
        (path, link): [row for row, text in rows if link in links(path, text)]
        for path, rows in texts.items()
        for link in {link for _, text in rows for link in links(path, text)}
    }
    assert found
    for (path, (place, anchor)), rows in found.items():
        has_link = sources.condition(path, rows)
        missing = counterexample(sources.domain, has_link, sources.presence(place))
        assert missing is None, f"{path} links {place}, which is not there with {missing}"
        assert place in sources.paths or any(each.startswith(f"{place}/") for each in texts)
        if anchor:
            has_anchor = sources.condition(
                place, [row for row, text in texts[place] if anchor in anchors(text)]
            )
            missing = counterexample(sources.domain, has_link, has_anchor)
            assert missing is None, f"{path} links {place}#{anchor}, which is not there"


@pytest.mark.xdist_group("sources")
def test_readmes_are_short(sources: Sources) -> None:
    texts = [text for _, text in sources.renderings("README.md")]
    for text in (*texts, (ROOT / "README.md").read_text(encoding="utf-8")):
        assert len(text.splitlines()) <= MOST_LINES


@pytest.mark.xdist_group("sources")
def test_the_picture_in_the_readme_is_true(sources: Sources) -> None:
    """The tree shows files and folders of a rendered project, each in its place."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (tree,) = re.findall(r"```\nmy-service/\n(.*?)```", text, re.DOTALL)
    shown: list[str] = []
    folder = ""
    for depth, names in re.findall(r"^([│ ]*)[├└]── ([^\s,]+(?:, [^\s,]+)*)", tree, re.MULTILINE):
        shown += [posixpath.join(folder if depth else "", name) for name in names.split(", ")]
        if not depth:
            folder = names
    assert len(shown) > 20
    for place in shown:
        if place.endswith("/"):
            assert any(path.startswith(place) for path in sources.paths), place
        else:
            assert place in sources.paths, place
