"""The folders of the rendered app have an order, and no module imports one from a folder above."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.template import Render

ORDER = (
    "cli",
    "main",
    "features",
    "FEATURE",
    ("project", "project_commands"),
    "commands",
    "api",
    "middleware",
    "dependencies",
    "services",
    "repositories",
    "schemas",
    "models",
    ("accounts", "metrics", "outbound", "redis", "tracing"),
    "db",
    "core",
    "server",
    "utils",
    "settings",
    "__init__",
)
"""From top to bottom. Folders of one rank do not import each other.

FEATURE stands for the folders that hold a whole feature each, all layers inside.
"""

RANKS = {
    name: rank
    for rank, names in enumerate(ORDER)
    for name in (names if isinstance(names, tuple) else (names,))
}


@pytest.fixture(scope="module")
def app(render: Render) -> Path:
    return render(preset="full") / "app"


def folder_of(module: str) -> str:
    """Return the folder, or the module at the top, that a module of the app stands in."""
    _, _, inside = module.partition(".")
    return inside.partition(".")[0] or "__init__"


def _is_module(app: Path, name: str) -> bool:
    return name in RANKS or (app / name).is_dir() or (app / f"{name}.py").is_file()


def arrows(app: Path) -> Iterator[tuple[str, str, str]]:
    """Yield every import between folders: its file and line, the folder, the folder it imports."""
    for path in sorted(app.rglob("*.py")):
        place = path.relative_to(app)
        folder = place.parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
                if node.module == "app":
                    names = [f"app.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                inner = name.partition(".")[0] == "app"
                target = folder_of(name) if inner else ""
                if inner and target and not _is_module(app, target):
                    target = "__init__"  # a constant, such as the version
                if inner and target != folder:
                    yield f"app/{place}:{getattr(node, 'lineno', 0)}", folder, target


def rank_of(folder: str) -> int:
    """Return the place of a folder in the order."""
    return RANKS.get(folder, RANKS["FEATURE"])


def test_every_folder_has_a_place(app: Path) -> None:
    """It stands in the order, or holds a feature, which the list of features imports."""
    there = {path.stem for path in app.iterdir() if path.name != "__pycache__"}
    registered = {target for _, folder, target in arrows(app) if folder == "features"}
    assert there >= RANKS.keys() - {"FEATURE"}
    assert there - RANKS.keys() <= registered


def test_no_folder_imports_one_above_it_or_beside_it(app: Path) -> None:
    wrong = [
        f"{where}: {folder} imports {target}"
        for where, folder, target in arrows(app)
        if rank_of(folder) >= rank_of(target)
    ]
    assert not wrong


def test_an_import_upwards_is_found(tmp_path: Path) -> None:
    """The check itself: it sees each form of an import."""
    for number, line in enumerate(
        ("from app.db import session", "import app.api.docs", "from app import features")
    ):
        tree = tmp_path / str(number)
        (tree / "core").mkdir(parents=True)
        (tree / "core" / "low.py").write_text(f"def f():\n    {line}\n", encoding="utf-8")
        ((where, folder, target),) = arrows(tree)
        assert where == "app/core/low.py:2"
        assert rank_of(folder) >= rank_of(target)


def test_the_core_is_small(app: Path) -> None:
    """It holds what every feature builds on, and nothing of any one feature."""
    lines = sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in (app / "core").glob("*.py")
    )
    assert lines < 1300
