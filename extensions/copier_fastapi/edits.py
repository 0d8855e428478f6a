"""The edits of a project that an update would lose."""

import os
from pathlib import Path

from copier_fastapi.errors import RefusedError
from copier_fastapi.files import Files, differing, undoes
from copier_fastapi.project import ANSWERS, LOCK, Project


def require_same_shape(mine: Files, base: Files) -> None:
    """Refuse a directory in the place of a file of the template, and the other way round."""
    for path in _directories(mine) & base.keys():
        raise RefusedError(f"{path} is a file in the template: call your directory something else")
    for path in _directories(base) & mine.keys():
        raise RefusedError(f"{path} is a directory in the template: call your file something else")


def _directories(files: Files) -> set[str]:
    return {parent.as_posix() for path in files for parent in Path(path).parents}


def lost(
    before: Files, after: Files, base: Files, theirs: Files, conflicts: frozenset[str]
) -> set[str]:
    """Return the files in which something that the owner did is undone."""
    found = {path for path in before.keys() - after.keys() if before[path] != base.get(path)}
    for path in differing(before, after) - conflicts - {ANSWERS, LOCK}:
        old, new = base.get(path, b""), theirs.get(path, b"")
        if before[path] != old and undoes(old, before[path], new, after[path]):
            found.add(path)
    return found


def in_the_way(project: Project, before: Files, after: Files) -> set[str]:
    """Return the files that git ignores and the update writes.

    Raises:
        RefusedError: if a directory stands where a file belongs, or the other way round.
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
    """Return a name beside a file that nothing has."""
    name, number = f"{path}.kept", 1
    while os.path.lexists(project.directory / name):
        number += 1
        name = f"{path}.kept{number}"
    return name
