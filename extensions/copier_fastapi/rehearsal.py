"""An update, made in a copy of the project first.

Copier updates in place and loses edits silently: it deletes an edited file that the template no
longer has, and overwrites a file that git ignores. Here Copier updates a clone of the project. The
result is compared with the owner's files. Only then is it written to the project, together with a
copy of each edited file that Copier would have lost.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier import VcsRef

from copier_fastapi import edits, moves
from copier_fastapi.errors import RefusedError
from copier_fastapi.files import Files, read_files, read_listed
from copier_fastapi.git import git, paths
from copier_fastapi.leftovers import Leftover, leftovers
from copier_fastapi.lock import lock
from copier_fastapi.moves import Moves
from copier_fastapi.project import ANSWERS, LOCK, Project
from copier_fastapi.questions import Questions
from copier_fastapi.rendering import Ref, questions_of, render, update
from copier_fastapi.source import read_at

Answer = Callable[[Questions], Mapping[str, Any]]
"""Returns the answers that change, given the questions."""

CLONE = (
    *("clone", "--quiet", "--shared"),
    # Copier finds its conflicts by the former. The latter keeps `git apply` from changing spaces.
    *("--config", "status.showUntrackedFiles=normal", "--config", "apply.whitespace=nowarn"),
)

Report = Callable[[str], None]
"""Shows the current step."""


@dataclass(frozen=True)
class Rehearsal:
    """The result of an update, before it reaches the project."""

    project: Project
    head: str
    """The commit that the copy was made from."""
    copy: Project
    before: Files
    after: Files
    conflicts: frozenset[str]
    """Files where both sides changed the same lines. They have conflict markers now."""
    kept: Mapping[str, str]
    """Edited files that the update would lose, with the name that each is kept under."""
    returned: Mapping[str, str]
    """Files that the owner deleted and the template moved, with the place that they come to."""
    leftovers: list[Leftover]
    """Imports that no longer work."""
    moves: Moves
    """What moved in the template from the project's version to the new one."""
    lock_error: str
    """Why `uv.lock` is not up to date; empty if it is."""

    @property
    def new(self) -> list[str]:
        """The files that the update adds."""
        return sorted(self.after.keys() - self.before.keys())

    @property
    def changed(self) -> list[str]:
        """The files that the update changes without a conflict."""
        both = (self.after.keys() & self.before.keys()) - self.conflicts
        roots = (self.project.directory, self.copy.directory)
        return sorted(
            path
            for path in both
            if self.after[path] != self.before[path]
            or len({os.access(root / path, os.X_OK) for root in roots}) > 1
        )

    @property
    def gone(self) -> list[str]:
        """The files that the update deletes."""
        return sorted(self.before.keys() - self.after.keys())

    @property
    def moved(self) -> dict[str, str]:
        """The new place of each deleted file that the template moved."""
        places = {path: self.moves.path(path).now for path in self.gone}
        return {path: now for path, now in places.items() if now in self.after}

    @property
    def changes_anything(self) -> bool:
        """Whether the update changes the project."""
        return bool(self.new or self.changed or self.gone or self.conflicts)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do by hand."""
        left = (self.conflicts, self.kept, self.returned, self.leftovers, self.lock_error)
        return not any(left)

    def apply(self) -> None:
        """Write the result to the project.

        Raises:
            RefusedError: if the project has changed since the copy was made.
            OSError: if a file cannot be written. The project is then half updated.
        """
        self._require_unchanged()
        root = self.project.directory
        for path, name in self.kept.items():
            shutil.copy(root / path, root / name, follow_symlinks=False)
        self._record_conflicts()
        for path in self.gone:
            (root / path).unlink()
            _remove_if_empty((root / path).parent)
        for path in (*self.new, *self.changed, *self.conflicts):
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy(self.copy.directory / path, target, follow_symlinks=False)

    def _require_unchanged(self) -> None:
        """Refuse a project that has changed since the copy was made."""
        self.project.require_clean()
        in_the_way = edits.in_the_way(self.project, self.before, self.after)
        taken = [
            name for name in self.kept.values() if os.path.lexists(self.project.directory / name)
        ]
        if self.project.head != self.head or taken or not in_the_way <= self.kept.keys():
            raise RefusedError("the project has changed meanwhile: try again")

    def _record_conflicts(self) -> None:
        """Mark the conflicts in the index, so that git refuses to commit them."""
        records = dict[str, list[str]]()
        for entry in paths(git(self.copy.top, "ls-files", "--unmerged", "-z")):
            mode, blob, stage, path = entry.replace("\t", " ", 1).split(" ", 3)
            content = git(self.copy.top, "cat-file", "blob", blob)
            git(self.project.top, "hash-object", "-w", "--stdin", standard_input=content)
            unmerge = f"0 {'0' * len(blob)}\t{path}\0"
            records.setdefault(path, [unmerge]).append(f"{mode} {blob} {stage}\t{path}\0")
        text = "".join(record for of_file in records.values() for record in of_file)
        index = text.encode(errors="surrogateescape")
        git(self.project.top, "update-index", "-z", "--index-info", standard_input=index)


@contextmanager
def rehearse(
    project: Project, answer: Answer | None, ref: Ref, source: str, report: Report
) -> Iterator[Rehearsal]:
    """Update a copy of the project. The copy is deleted when the context ends.

    Arguments:
        project: must be clean.
        answer: returns the answers that change, given the questions of that version.
        ref: the version of the template to go to.
        source: the template, which may be at another place than before.
        report: shows the current step.

    Raises:
        RefusedError: if the project cannot be updated, or an answer is wrong.
    """
    project.require_clean()
    with tempfile.TemporaryDirectory(prefix="copier-fastapi.") as temporary:
        clone, base, theirs = (Path(temporary, name) for name in ("clone", "base", "theirs"))
        head = project.head
        git(project.top, *CLONE, "--", str(project.top), str(clone))
        directory = clone / project.directory.relative_to(project.top)
        before = read_files(directory)
        if source != project.source:
            _move_source(directory, source)
        report(f"Rendering {project.version}, the version of the project")
        template = render(source, base, project.answers, project.version)
        questions = template.questions
        old = read_files(base)
        edits.require_same_shape(before, old)
        if answer and ref is not VcsRef.CURRENT:
            report("Reading the questions of the new version")
            questions = questions_of(source, ref)
        answers = answer(questions) if answer else {}
        report("Updating a copy of the project")
        update(directory, answers, ref)
        copy = Project.at(directory)
        report(f"Rendering {copy.version} with the new answers")
        render(source, theirs, copy.answers, copy.version)
        moved = Moves()
        if copy.version != project.version:
            report("Reading which files moved")
            listed = Moves.parse(read_at(template.url, copy.version, moves.FILE))
            moved = listed.since(project.version)
        conflicts = _conflicts(directory)
        lock_error = ""
        after = read_files(directory)
        if before.get("pyproject.toml") != after.get("pyproject.toml"):
            report("Locking the dependencies")
            lock_error = lock(directory, conflicts)
            after |= read_listed(directory, [LOCK])
        lost = edits.lost(before, after, old, read_files(theirs), conflicts)
        lost |= edits.in_the_way(project, before, after)
        yield Rehearsal(
            project=project,
            head=head,
            copy=copy,
            before=before,
            after=after,
            conflicts=conflicts,
            kept={path: edits.free_name(project, path) for path in sorted(lost)},
            returned=edits.returned(before, after, old, moved),
            leftovers=leftovers(before, after),
            moves=moved,
            lock_error=lock_error,
        )


def _move_source(directory: Path, source: str) -> None:
    """Record the new place of the template."""
    file = directory / ANSWERS
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    moved = f"_src_path: {json.dumps(source)}\n"
    lines = [moved if line.startswith("_src_path:") else line for line in lines]
    file.write_text("".join(lines), encoding="utf-8")
    identity = ("-c", "user.name=copier-fastapi", "-c", "user.email=copier-fastapi@localhost")
    unsigned = ("commit", "--quiet", "--no-gpg-sign", "--allow-empty", "--all")
    git(directory, *identity, *unsigned, "--message", "Record where the template is")


def _conflicts(directory: Path) -> frozenset[str]:
    unmerged = git(directory, "diff", "--name-only", "--diff-filter=U", "-z", "--relative")
    return frozenset(paths(unmerged))


def _remove_if_empty(directory: Path) -> None:
    """Remove a directory if it has at most compiled modules, then its parents likewise."""
    while {entry.name for entry in directory.iterdir()} <= {"__pycache__"}:
        shutil.rmtree(directory)
        directory = directory.parent
