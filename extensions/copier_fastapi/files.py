"""Files of a project, held against each other."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

Files = Mapping[str, bytes]
"""Contents by the path in the project; of a link, what it points to."""


def read_files(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory, without git's own."""
    names = []
    for root, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name != ".git"]
        names += [Path(root, name).relative_to(directory) for name in (*directories, *files)]
    return read_listed(directory, (name.as_posix() for name in names if name.name != ".git"))


def read_listed(directory: Path, listed: Iterable[str]) -> dict[str, bytes]:
    """Return those of the listed files that are there."""
    contents = {}
    for name in listed:
        path = directory / name
        if path.is_symlink():
            contents[name] = os.fsencode(path.readlink())
        elif path.is_file():
            contents[name] = path.read_bytes()
    return contents


def differing(some: Files, others: Files) -> set[str]:
    """Return the files that both have, but not the same."""
    return {path for path in some.keys() & others.keys() if some[path] != others[path]}


def undoes(old: bytes, mine: bytes, new: bytes, result: bytes) -> bool:
    """Tell whether a line is missing that the owner added, back that they removed, or moved back.

    Arguments:
        old: what the template had.
        mine: what the owner made of it.
        new: what the template has now.
        result: what was made of all three.
    """
    olds, mines, news, results = (Counter(text.splitlines()) for text in (old, mine, new, result))
    missing = (mines - olds) & (mines - results - (olds - news))
    back = (olds - mines) & (results - mines - (news - olds))
    is_moved_back = mines == olds and result == new
    return bool(missing or back or is_moved_back)
