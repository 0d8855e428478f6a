"""`extensions/moves.yml` lists all that moved between two versions, and nothing else."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from copier import run_copy

from copier_fastapi.errors import RefusedError
from copier_fastapi.moves import FILE, Moves, Place, Section, module_of
from tests.support.releases import HEAD, build, has_history, released
from tests.support.shell import git
from tests.support.template import ROOT

VERSIONS = [*released(), HEAD] if has_history() else []

REVISIONS = "migrations/versions/"
"""No update touches these, so that it does not matter where a new project has them."""

MOVES = Moves.parse((ROOT / FILE).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Tree:
    """What a project may use of a version of the template."""

    paths: frozenset[str]
    names: frozenset[str]

    @property
    def modules(self) -> frozenset[str]:
        return frozenset(module_of(path) for path in self.paths if path.endswith(".py"))

    def has(self, thing: str) -> bool:
        return thing in self.paths | self.names | self.modules


@pytest.fixture(scope="module")
def tree_at(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Tree]:
    template = build(tmp_path_factory.mktemp("moves") / "template")
    known: dict[str, Tree] = {}

    def tree_at(version: str) -> Tree:
        if version not in known:
            listed = git(template, "ls-tree", "-r", "--name-only", f"{version}:template")
            paths = {path.removesuffix(".jinja") for path in listed.splitlines()}
            names = set[str]()
            for preset in ("full", "minimal"):  # some names are only there without a feature
                project = tmp_path_factory.mktemp("moves") / "project"
                answers = {"preset": preset}
                run_copy(
                    *(str(template), project, answers),
                    vcs_ref=version,
                    defaults=True,
                    quiet=True,
                )
                names |= set(names_in(project))
            known[version] = Tree(
                frozenset(path for path in paths if not path.startswith(REVISIONS)),
                frozenset(names),
            )
        return known[version]

    return tree_at


def names_in(project: Path) -> Iterator[str]:
    """Yield the public names that own code may import: of the service, its tools, test helpers.

    A folder of tests has helpers for itself alone, unlike those in `tests`.
    """
    for folder, pattern in (("app", "**/*.py"), ("dev", "**/*.py"), ("tests", "*.py")):
        for file in (project / folder).glob(pattern):
            path = file.relative_to(project)
            for name in public_names(ast.parse(file.read_bytes()).body):
                yield f"{module_of(path.as_posix())}.{name}"


def public_names(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield what a module defines or says that it exports."""
    for node in body:
        match node:
            case ast.Assign([ast.Name("__all__")], ast.List(exported)):
                found = [str(each.value) for each in exported if isinstance(each, ast.Constant)]
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found = [node.name]
            case ast.Assign() | ast.AnnAssign():
                stored = (each for each in ast.walk(node) if isinstance(each, ast.Name))
                found = [each.id for each in stored if isinstance(each.ctx, ast.Store)]
            case ast.ImportFrom():
                found = [alias.name for alias in node.names if alias.asname == alias.name]
            case ast.If() | ast.Try():
                found = list(public_names([*node.body, *node.orelse]))
            case _:
                found = []
        yield from (name for name in found if not name.startswith("_"))


def step(before: str, after: str) -> Section:
    """Return what is listed from a version to the next."""
    sections = MOVES.since(before).sections
    kept = sections.keys() - MOVES.since(after).sections.keys()
    merged = Section({}, {}, {})
    for version in kept:
        each = sections[version]
        merged = Section(
            {**merged.moves, **each.moves},
            {**merged.renames, **each.renames},
            {**merged.removals, **each.removals},
        )
    return merged


each_step = pytest.mark.parametrize(("before", "after"), list(pairwise(VERSIONS)))


@each_step
def test_every_path_that_left_is_listed(
    tree_at: Callable[[str], Tree], before: str, after: str
) -> None:
    listed, old, new = step(before, after), tree_at(before), tree_at(after)
    places = {path: listed.path(path) for path in old.paths - new.paths}
    assert [path for path, at in places.items() if not (at.removed or at.now in new.paths)] == []


@each_step
def test_every_name_that_left_is_listed(
    tree_at: Callable[[str], Tree], before: str, after: str
) -> None:
    listed, old, new = step(before, after), tree_at(before), tree_at(after)
    places = {name: listed.name(name) for name in old.names - new.names}
    assert {
        name: at.now for name, at in places.items() if not (at.removed or at.now in new.names)
    } == {}


@each_step
def test_every_module_that_left_is_listed(
    tree_at: Callable[[str], Tree], before: str, after: str
) -> None:
    """Own code may import a module whole."""
    listed, old, new = step(before, after), tree_at(before), tree_at(after)
    places = {module: listed.name(module) for module in old.modules - new.modules}
    assert [each for each, at in places.items() if not (at.removed or at.now in new.modules)] == []


@each_step
def test_nothing_is_listed_that_did_not_happen(
    tree_at: Callable[[str], Tree], before: str, after: str
) -> None:
    listed, old, new = step(before, after), tree_at(before), tree_at(after)
    for path, place in listed.moves.items():
        assert path in old.paths - new.paths
        assert place in new.paths
    without = Section(listed.moves, {}, listed.removals)
    for name, now in listed.renames.items():
        assert name in old.names - new.names
        assert now in new.names
        assert without.name(name).now != now, f"{name} follows from the move of its module"
    for thing, reason in listed.removals.items():
        assert old.has(thing), thing
        assert not new.has(thing), thing
        assert thing not in listed.moves.keys() | listed.renames.keys()
        assert reason.endswith("."), reason


@pytest.mark.skipif(not VERSIONS, reason="an archive or a shallow clone has no releases")
def test_versions_are_releases_and_the_next_one() -> None:
    """What moved since the last release is listed under the version that will be the next."""
    *_, last = (Moves.parse(f'"{version}":').sections for version in VERSIONS[:-1])
    later = [version for version in MOVES.sections if version > max(last)]
    named = {".".join(map(str, version)) for version in MOVES.sections}
    assert len(later) <= 1
    assert len(named - set(VERSIONS)) == len(later)


LISTED = """
"0.2.0":
  moves:
    app/core/redis.py: app/redis/client.py
    app/core/cache/__init__.py: app/redis/cache.py
    app/core/old.py: app/core/gone.py
  renames:
    app.core.redis.connect: app.redis.pool.opened
  removals:
    app.core.redis.RETRIES: Redis retries by itself.
    app/core/empty.py: Nothing was in it.
"0.10.0":
  moves:
    app/redis/client.py: app/cache/client.py
  renames:
    app.redis.pool.opened: app.cache.pool.pool
  removals:
    app/core/gone.py: It was of no use.
"""


@pytest.mark.parametrize(
    ("since", "name", "now", "removed"),
    [
        ("0.1.0", "app.core.redis.OptionalRedis", "app.cache.client.OptionalRedis", ""),
        ("0.1.0", "app.core.redis", "app.cache.client", ""),
        ("0.1.0", "app.core.redis.OptionalRedis.get", "app.cache.client.OptionalRedis.get", ""),
        ("0.1.0", "app.core.cache.cached", "app.redis.cache.cached", ""),
        ("0.1.0", "app.core.redis.connect", "app.cache.pool.pool", ""),
        ("0.1.0", "app.core.redis.RETRIES", "app.core.redis.RETRIES", "Redis retries by itself."),
        ("0.1.0", "app.core.empty.a", "app.core.empty.a", "Nothing was in it."),
        ("0.1.0", "app.core.old.a", "app.core.gone.a", "It was of no use."),
        ("0.1.0", "app.core.redistribute.a", "app.core.redistribute.a", ""),
        ("0.1.0-3-g1234567", "app.core.redis", "app.cache.client", ""),
        ("0.2.0-3-g1234567", "app.core.redis", "app.core.redis", ""),
        ("v0.2.0", "app.redis.client.OptionalRedis", "app.cache.client.OptionalRedis", ""),
        ("0.10.0", "app.redis.client.OptionalRedis", "app.redis.client.OptionalRedis", ""),
        ("1234567", "app.core.redis", "app.cache.client", ""),
    ],
)
def test_name_is_followed(since: str, name: str, now: str, removed: str) -> None:
    assert Moves.parse(LISTED).since(since).name(name) == Place(now, removed)


@pytest.mark.parametrize(
    ("path", "now", "removed"),
    [
        ("app/core/redis.py", "app/cache/client.py", ""),
        ("app/core/old.py", "app/core/gone.py", "It was of no use."),
        ("app/core/empty.py", "app/core/empty.py", "Nothing was in it."),
        ("Makefile", "Makefile", ""),
    ],
)
def test_path_is_followed(path: str, now: str, removed: str) -> None:
    assert Moves.parse(LISTED).since("0.1.0").path(path) == Place(now, removed)


@pytest.mark.parametrize(
    "text",
    [
        '"0.2.0": {copies: {a: b}}',
        '"0.2.0": {moves: [a]}',
        '"0.2.0": {moves: {a: 1}}',
        '"0.2.0": [a]',
        "next: {}",
        "0.2: {}",
        "- a",
        "a: {",
    ],
)
def test_later_format_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match=r"upgrade the command, then try again"):
        Moves.parse(text)


def test_no_list_is_an_empty_one() -> None:
    assert Moves.parse("").path("a") == Place("a")
