"""The texts that the command prints."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from copier_fastapi.files import Files, differing
from copier_fastapi.project import ANSWERS, LOCK, Project
from copier_fastapi.questions import Questions
from copier_fastapi.rehearsal import Rehearsal


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show the current step on standard error: in a terminal on one line, else a line each."""
    console = Console(file=sys.stderr)
    if console.is_terminal:
        with console.status("") as status:
            yield lambda step: status.update(escape(f"{step} ..."))
    else:
        yield lambda step: console.print(f"{step} ...", markup=False, highlight=False)


def preview(rehearsal: Rehearsal) -> Iterator[str]:
    """Yield the changes of an update, a line for each answer and file."""
    then, now = rehearsal.project, rehearsal.copy
    if then.version == now.version:
        yield f"The template stays at {now.version}."
    else:
        yield f"The template goes from {then.version} to {now.version}."
    for name in sorted(then.answers.keys() | now.answers.keys()):
        before, after = then.answers.get(name), now.answers.get(name)
        if before != after:
            yield f"{name}: {_word(before)} -> {_word(after)}"
    moved = rehearsal.moved
    for kind, listed in (
        ("moved", [f"{path} to {place}" for path, place in moved.items()]),
        ("new", [path for path in rehearsal.new if path not in moved.values()]),
        ("changed", rehearsal.changed),
        ("gone", [path for path in rehearsal.gone if path not in moved]),
        ("conflict", sorted(rehearsal.conflicts)),
        ("kept", [f"{path} as {name}" for path, name in rehearsal.kept.items()]),
        ("back", [f"{path} as {place}" for path, place in rehearsal.returned.items()]),
        ("broken", [f"{use.path}:{use.line} {use.name}" for use in rehearsal.leftovers]),
    ):
        yield from (f"  {kind:10}{text}" for text in listed)


def result(rehearsal: Rehearsal) -> Iterator[str]:
    """Yield the end of an update: the work left by hand, the next commands, the way to undo it."""
    if left := list(_left(rehearsal)):
        yield "\nDone. This is left to do by hand:"
        yield from (f"  {line}" for line in left)
    else:
        yield "\nDone."
    yield "\nNext:"
    yield from (f"  {command}" for command in _next(rehearsal))
    yield f"\nOr undo the update:\n  {undo(rehearsal)}"


def undo(rehearsal: Rehearsal) -> str:
    """Return the command that undoes the update, from any directory."""
    kept = rehearsal.kept.items()
    return " && ".join(
        [
            *_enter(rehearsal.project),
            # Git can neither restore nor clean a file that it ignores.
            *(shlex.join(["mv", to, of]) for of, to in kept if of not in rehearsal.before),
            "git restore --source=HEAD --staged --worktree .",
            "git clean --force -d .",
        ]
    )


def _enter(project: Project) -> list[str]:
    is_there = Path.cwd() == project.directory
    return [] if is_there else [shlex.join(["cd", str(project.directory)])]


def half_done(rehearsal: Rehearsal, error: OSError) -> str:
    """Return the way back when a file could not be written."""
    return f"Stopped half-way: {error}\nUndo the update:\n  {undo(rehearsal)}"


def _left(rehearsal: Rehearsal) -> Iterator[str]:
    for path in sorted(rehearsal.conflicts):
        yield f"{path} has conflicts: choose between the markers, then `git add {path}`."
    moved = rehearsal.moved
    for path, name in rehearsal.kept.items():
        if path in moved:
            yield f"{path} moved to {moved[path]}: your version is {name}."
            yield f"  Make your changes in {moved[path]}, then delete {name}."
        else:
            yield f"{name} is {path} as you had it: take from it what you need, then delete it."
            if reason := rehearsal.moves.path(path).removed:
                yield f"  Why {path} is gone: {reason}"
    for path, place in rehearsal.returned.items():
        yield f"{path}, which you deleted, is back as {place}: delete it again, or keep it."
    for use in rehearsal.leftovers:
        target = rehearsal.moves.name(use.name)
        if target.removed:
            now = f"gone: {target.removed}"
        else:
            now = "gone." if target.now == use.name else f"now {target.now}."
        yield f"{use.path}:{use.line} imports {use.name}, which is {now}"
    if rehearsal.lock_error:
        yield f"uv.lock is behind pyproject.toml, run `uv lock`: {rehearsal.lock_error}"


def _next(rehearsal: Rehearsal) -> Iterator[str]:
    yield from _enter(rehearsal.project)
    yield "make install"
    touched = (*rehearsal.new, *rehearsal.changed, *rehearsal.conflicts)
    if any(path.startswith("app/models/") for path in touched):
        yield 'make migration m="follow the models"'
    yield "make lint typecheck test"
    yield 'git add --all && git commit --message "Update from the template"'


def standing(
    project: Project, newest: Project, questions: Questions, then: Files, now: Files
) -> Iterator[str]:
    """Yield the status of a project: its version, its features, its owner's edits.

    Arguments:
        project: the project.
        newest: the same project, rendered at the newest version.
        questions: the questions of its version.
        then: the files that the template renders at its version.
        now: the files that the template renders at the newest version.
    """
    mine, kept_apart = project.files(), {ANSWERS, LOCK}
    yield f"template  {project.source}"
    yield f"version   {project.version}"
    fixes = (differing(then, now) | (then.keys() ^ now.keys())) - kept_apart
    yield f"newest    {newest.version}, {len(fixes)} files differ"
    yield "features"
    yield from (f"  {name:12}{_word(project.answers.get(name))}" for name in questions.features())
    yield "files"
    yield f"  {'edited':12}{len(differing(then, mine) - kept_apart)}"
    yield f"  {'deleted':12}{len(then.keys() - mine.keys())}"
    yield f"  {'your own':12}{len(mine.keys() - then.keys())}"


def _word(answer: object) -> str:
    words = {True: "on", False: "off", None: "not asked"}
    return words[answer] if answer is None or isinstance(answer, bool) else str(answer)
