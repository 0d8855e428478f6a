"""What the command finds out about edits and imports."""

import pytest

from copier_fastapi.files import undoes
from copier_fastapi.leftovers import leftovers


@pytest.mark.parametrize(
    ("old", "mine", "new", "result", "expected"),
    [
        ("a b", "a b c", "x b", "x b c", False),  # merged
        ("a b", "a b c", "x b", "x b", True),  # their line is missing
        ("a b c", "a b", "x b c", "x b", False),  # merged
        ("a b c", "a b", "x b c", "x b c", True),  # the line that they removed is back
        ("a b c", "a b", "a b c c", "a b c", False),  # the template has added one more
        ("a b", "a c", "a c", "a c", False),  # both did the same
        ("a b", "b a", "a b d", "b a d", False),  # moved
        ("a b", "b a", "a b d", "a b d", True),  # moved back
        ("a", "a a", "a b", "a b", True),  # the same line once more counts
    ],
)
def test_edits_that_are_undone(
    old: str, mine: str, new: str, result: str, *, expected: bool
) -> None:
    texts = ["\n".join(text.split()).encode() for text in (old, mine, new, result)]
    assert undoes(*texts) is expected


BEFORE = {
    "app/__init__.py": b"",
    "app/cache.py": b"def cached(): ...\nSECONDS: int = 1\n",
    "app/settings.py": b"from os import path\nCACHE = HOME = 1\nclass A: ...\nclass B: ...\n",
    "app/sub/__init__.py": b"",
    "app/sub/gone.py": b"",
    "app/later.py": b"SECONDS = anything = 1\n",
    "app/sub/moved.py": b"",
}
AFTER = {
    "app/__init__.py": b"",
    "app/settings.py": b"HOME = 1\nclass A: ...\n",
    "app/sub/__init__.py": b"",
    "app/later.py": b"from os import *\n",
    "app/sub/moved/__init__.py": b"",
}


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("import app.cache", "app.cache"),
        ("import app.cache as c", "app.cache"),
        ("from app.cache import cached", "app.cache.cached"),
        ("from app import cache", "app.cache"),
        ("from .cache import SECONDS", "app.cache.SECONDS"),
        ("from . import cache", "app.cache"),
        ("from .sub import gone", "app.sub.gone"),
        ("def f():\n    from app.cache import cached", "app.cache.cached"),
        ("from app.settings import CACHE", "app.settings.CACHE"),
        ("from app.settings import B, A", "app.settings.B"),
        ("from app.settings import path", "app.settings.path"),
        ("from app.settings import HOME, A", ""),
        ("from app.settings import *", ""),
        ("import os\nfrom collections import deque\nfrom app import settings", ""),
        ("text = 'import app.cache'", ""),
        ("from app.later import anything, SECONDS", ""),
        ("from app.sub import moved", ""),
        ("<<<<<<< before updating\nimport app.cache", ""),
    ],
)
def test_imports_of_what_is_gone(code: str, named: str) -> None:
    found = leftovers(BEFORE, {**AFTER, "app/own.py": code.encode()})
    assert [leftover.name for leftover in found] == ([named] if named else [])
    assert {leftover.path for leftover in found} <= {"app/own.py"}


def test_package_imports_by_its_own_name() -> None:
    """In `__init__.py` a dot means the package itself."""
    found = leftovers(BEFORE, {**AFTER, "app/sub/__init__.py": b"from .gone import it\n"})
    assert [leftover.name for leftover in found] == ["app.sub.gone.it"]


def test_name_in_a_module_that_cannot_be_read_is_not_named() -> None:
    files = {**AFTER, "app/settings.py": b"<<<<<<<", "app/own.py": b"from app.settings import B"}
    assert leftovers(BEFORE, files) == []
