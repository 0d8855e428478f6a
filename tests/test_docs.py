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


ASVS = {
    "1": (2, 9, 11, 3, 2),
    "2": (3, 3, 4, 1),
    "3": (0, 2, 4, 6, 5, 0, 2),
    "4": (3, 1, 2, 4),
    "5": (1, 3, 2, 3),
    "6": (3, 12, 4, 4, 5, 3, 0, 4),
    "7": (3, 4, 2, 5, 2, 2),
    "8": (2, 3, 1, 1),
    "9": (3, 4),
    "10": (2, 2, 4, 11, 5, 2, 3),
    "11": (2, 3, 3, 4, 1, 1),
    "12": (3, 2, 4),
    "13": (1, 5, 2, 5),
    "14": (2, 4, 3),
    "15": (3, 3, 7),
    "16": (1, 5, 4, 3, 3),
    "17": (1, 4, 2),
}
"""How many requirements of the levels 1 and 2 the sections of each chapter of ASVS 5.0 have."""

OF_ACCOUNTS = ("6.", "7.", "8.", "9.", "10.", "11.", "16.3.1", "16.3.2")

SECURITY = {
    f"docs/{name}.md" for name in ("security", "accounts-security", "redis", "metrics", "outbound")
}


def requirements(text: str) -> list[str]:
    """Return the requirements that a page's tables have, each as often as it is there."""
    found = []
    for cell in re.findall(
        r"^\| (\d+\.[\d., -]+?) \| (?:Met|Yours|Open|None) \|", text, re.MULTILINE
    ):
        for part in cell.split(", "):
            first, _, last = part.partition("-")
            section, _, number = first.rpartition(".")
            end = int(last.rpartition(".")[2]) if last else int(number)
            found += [f"{section}.{each}" for each in range(int(number), end + 1)]
    return found


@pytest.mark.xdist_group("sources")
def test_every_requirement_of_asvs_has_a_row(sources: Sources) -> None:
    """X26: once on the page of the service, or on the one of accounts."""
    wanted = [
        f"{chapter}.{section}.{number}"
        for chapter, sections in ASVS.items()
        for section, count in enumerate(sections, 1)
        for number in range(1, count + 1)
    ]
    assert len(wanted) == 253
    ((_, service),) = sources.renderings("docs/security.md")
    ((_, accounts),) = sources.renderings("docs/accounts-security.md")
    of_accounts = {each for each in wanted if each.startswith(OF_ACCOUNTS)}
    assert sorted(requirements(service)) == sorted(set(wanted) - of_accounts)
    assert len(set(requirements(accounts))) == len(requirements(accounts))
    assert of_accounts <= set(requirements(accounts)) <= set(wanted)


@pytest.mark.xdist_group("sources")
@pytest.mark.parametrize("page", sorted(SECURITY))
def test_tests_of_the_security_pages_are_there(sources: Sources, page: str) -> None:
    """X26: in every combination that has the page."""
    named = {match for _, text in sources.renderings(page) for match in FILE.findall(text)}
    assert named
    for path, test in sorted(named):
        missing = counterexample(sources.domain, sources.presence(page), sources.presence(path))
        assert missing is None, f"{page} names {path}, which is not there with {missing}"
        if test:
            for _, text in sources.renderings(path):
                assert re.search(rf"\bdef {test}\(", text), f"{page} names {path}::{test}"
