"""Reading and comparing the files of a project."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

Files = Mapping[str, bytes]
"""Contents by the path in the project. The content of a symbolic link is its target."""


def read_files(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory, except for `.git`."""
    names = []
    for root, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name != ".git"]
        names += [Path(root, name).relative_to(directory) for name in (*directories, *files)]
    return read_listed(directory, (name.as_posix() for name in names if name.name != ".git"))


def read_listed(directory: Path, listed: Iterable[str]) -> dict[str, bytes]:
    """Return the listed files that exist."""
    contents = {}
    for name in listed:
        path = directory / name
        if path.is_symlink():
            contents[name] = os.fsencode(path.readlink())
        elif path.is_file():
            contents[name] = path.read_bytes()
    return contents


def differing(some: Files, others: Files) -> set[str]:
    """Return the paths that both have, with different contents."""
    return {path for path in some.keys() & others.keys() if some[path] != others[path]}


def undoes(old: bytes, mine: bytes, new: bytes, result: bytes) -> bool:
    """Return whether an update undoes an edit.

    A line that the owner added is missing, one that they removed is back, or one that they moved is
    back in its old place.

    Arguments:
        old: the template at the version of the project.
        mine: the owner's version.
        new: the template at the new version.
        result: the merge of the three.
    """
    olds, mines, news, results = (Counter(text.splitlines()) for text in (old, mine, new, result))
    missing = (mines - olds) & (mines - results - (olds - news))
    back = (olds - mines) & (results - mines - (news - olds))
    is_moved_back = mines == olds and result == new
    return bool(missing or back or is_moved_back)
