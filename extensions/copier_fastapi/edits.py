"""The edits of a project that an update would lose."""

import os
from pathlib import Path

from copier_fastapi.errors import RefusedError
from copier_fastapi.files import Files, differing, undoes
from copier_fastapi.moves import Moves
from copier_fastapi.project import ANSWERS, LOCK, Project


def require_same_shape(mine: Files, base: Files) -> None:
    """Refuse a directory where the template has a file, and a file where it has a directory."""
    for path in _directories(mine) & base.keys():
        raise RefusedError(f"{path} is a file in the template: rename your directory")
    for path in _directories(base) & mine.keys():
        raise RefusedError(f"{path} is a directory in the template: rename your file")


def _directories(files: Files) -> set[str]:
    return {parent.as_posix() for path in files for parent in Path(path).parents}


def lost(
    before: Files, after: Files, base: Files, theirs: Files, conflicts: frozenset[str]
) -> set[str]:
    """Return the files whose edits the update would lose.

    Arguments:
        before: the project.
        after: the project after the update.
        base: the rendered template at the version of the project.
        theirs: the rendered template at the new version.
        conflicts: files with conflict markers, which hold both sides.
    """
    found = {path for path in before.keys() - after.keys() if before[path] != base.get(path)}
    for path in differing(before, after) - conflicts - {ANSWERS, LOCK}:
        old, new = base.get(path, b""), theirs.get(path, b"")
        if before[path] != old and undoes(old, before[path], new, after[path]):
            found.add(path)
    return found


def returned(before: Files, after: Files, base: Files, moves: Moves) -> dict[str, str]:
    """Return the files that the owner deleted and the template moved, with the place they come to.

    Copier keeps a deleted file away, but it takes the file at the new place for another one.
    """
    places = {path: moves.path(path).now for path in sorted(base.keys() - before.keys())}
    new = after.keys() - before.keys()
    return {path: now for path, now in places.items() if now != path and now in new}


def in_the_way(project: Project, before: Files, after: Files) -> set[str]:
    """Return the files that git ignores and the update would overwrite.

    Raises:
        RefusedError: if a directory is in the place of a file, or a file in that of a directory.
    """
    found = set()
    for path in after.keys() - before.keys():
        target = project.directory / path
        if target.is_dir() and not target.is_symlink():
            raise RefusedError(f"{path} is a directory that git ignores; move it, then try again")
        for parent in target.relative_to(project.directory).parents:
            ancestor = project.directory / parent
            in_place = ancestor.is_dir() or parent.as_posix() in before
            if os.path.lexists(ancestor) and not in_place:
                raise RefusedError(f"{parent} is a file that git ignores; move it, then try again")
        if target.is_symlink() or (target.exists() and target.read_bytes() != after[path]):
            found.add(path)
    return found


def free_name(project: Project, path: str) -> str:
    """Return an unused name for a copy beside a file."""
    name, number = f"{path}.kept", 1
    while os.path.lexists(project.directory / name):
        number += 1
        name = f"{path}.kept{number}"
    return name
