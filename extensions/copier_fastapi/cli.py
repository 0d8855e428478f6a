"""The command line: new, add, remove, update and status."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from copier import VcsRef
from plumbum import local

from copier_fastapi import screen, source
from copier_fastapi.errors import RefusedError
from copier_fastapi.files import read_files
from copier_fastapi.git import REPOSITORY_VARIABLES
from copier_fastapi.options import (
    EXIT_STATUS,
    HERE,
    Data,
    Preview,
    Template,
    To,
    ToAdd,
    ToRemove,
    Where,
    Yes,
    examples,
    print_version,
)
from copier_fastapi.project import Project
from copier_fastapi.rehearsal import Answer, rehearse
from copier_fastapi.rendering import Ref, questions_of, render, start

DONE, REFUSED, UNFINISHED = 0, 1, 3
"""The exit statuses. Typer itself ends with 2 if it cannot parse the command line."""

INTERRUPTED = 130

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Wanted:
    """The options that every command that changes a project has."""

    project: Path
    template: str
    preview: bool
    yes: bool


@app.callback(epilog=EXIT_STATUS)
def main(
    *,
    version: Annotated[  # noqa: ARG001  # its callback prints it
        bool,
        typer.Option("--version", is_eager=True, callback=print_version, help="Show the version."),
    ] = False,
) -> None:
    """Create a FastAPI service from the template, and keep it up to date."""
    for name in REPOSITORY_VARIABLES:  # set if a git hook calls the command
        os.environ.pop(name, None)
        local.env.pop(name, "")  # Copier's copy


@app.command(
    epilog=examples(
        "copier-fastapi new my-service",
        "copier-fastapi new my-service --defaults -d preset=minimal -d redis=true",
    )
)
def new(
    directory: Annotated[Path, typer.Argument(help="The directory of the new service.")],
    *,
    data: Data = [],  # noqa: B006  # Typer copies it
    defaults: Annotated[bool, typer.Option("--defaults", help="Take the default answers.")] = False,
    template: Template = "",
    to: To = "",
) -> None:
    """Create a service."""
    with refusals():
        if directory.is_file() or (directory.is_dir() and any(directory.iterdir())):
            raise RefusedError(f"{directory} exists: choose another name, or empty it")
        origin = source.resolve(template) if template else source.own()
        answers = questions_of(origin, to or None).parse(data) if data else {}
        start(origin, directory, answers, to or None, defaults=defaults)


@app.command(
    epilog=examples(
        "copier-fastapi add redis",
        "copier-fastapi add metrics tracing --preview",
        "copier-fastapi add ci=gitlab",
    )
)
def add(
    features: ToAdd,
    *,
    project: Where = HERE,
    template: Template = "",
    preview: Preview = False,
    yes: Yes = False,
) -> None:
    """Turn features on. The project stays at its version of the template."""
    with refusals():
        wanted = Wanted(project, template, preview, yes)
        change(wanted, lambda questions: questions.turn_on(features), VcsRef.CURRENT)


@app.command(epilog=examples("copier-fastapi remove redis", "copier-fastapi remove ci --preview"))
def remove(
    features: ToRemove,
    *,
    project: Where = HERE,
    template: Template = "",
    preview: Preview = False,
    yes: Yes = False,
) -> None:
    """Turn features off. Their data stays in the database, and edited files are kept."""
    with refusals():
        wanted = Wanted(project, template, preview, yes)
        change(wanted, lambda questions: questions.turn_off(features), VcsRef.CURRENT)


@app.command(
    epilog=examples(
        "copier-fastapi update --preview",
        "copier-fastapi update --to 0.2.0",
        "copier-fastapi update -d python_version=3.13",
    )
)
def update(  # noqa: PLR0913  # one for each option
    *,
    data: Data = [],  # noqa: B006  # Typer copies it
    to: To = "",
    project: Where = HERE,
    template: Template = "",
    preview: Preview = False,
    yes: Yes = False,
) -> None:
    """Update the project to a newer version of the template."""
    with refusals():
        wanted = Wanted(project, template, preview, yes)
        change(
            wanted, (lambda questions: questions.parse_changes(data)) if data else None, to or None
        )


@app.command(epilog=examples("copier-fastapi status"))
def status(*, project: Where = HERE, template: Template = "") -> None:
    """Show version, features, edits and available changes."""
    with refusals():
        here = Project.find(project)
        origin = source.of(here, template)
        with screen.progress() as report, tempfile.TemporaryDirectory() as temporary:
            base, newest = Path(temporary, "base"), Path(temporary, "newest")
            report(f"Rendering {here.version}, the version of the project")
            questions = render(origin, base, here.answers, here.version).questions
            report("Rendering the newest version")
            render(origin, newest, here.answers)
            there = Project.at(newest)
            then, now = read_files(base), read_files(newest)
        typer.echo("\n".join(screen.standing(here, there, questions, then, now)))


def change(wanted: Wanted, answer: Answer | None, ref: Ref) -> None:
    """Show the changes of an update, then make them.

    Raises:
        RefusedError: if the project cannot be updated.
        typer.Exit: with the exit status.
    """
    project = Project.find(wanted.project)
    origin = source.of(project, wanted.template)
    with ExitStack() as stack:
        with screen.progress() as report:
            rehearsal = stack.enter_context(rehearse(project, answer, ref, origin, report))
        if not rehearsal.changes_anything:
            typer.echo("Nothing to do: the project is already like this.")
            return
        typer.echo("\n".join(screen.preview(rehearsal)))
        if wanted.preview:
            raise typer.Exit(DONE if rehearsal.is_done else UNFINISHED)
        if not wanted.yes and sys.stdin.isatty() and not typer.confirm("Go ahead?", default=True):
            raise RefusedError("cancelled; nothing was changed")
        with uninterrupted():
            try:
                rehearsal.apply()
            except OSError as error:
                typer.echo(screen.half_done(rehearsal, error), err=True)
                raise typer.Exit(UNFINISHED) from None
    try:
        typer.echo("\n".join(screen.result(rehearsal)))
    except BrokenPipeError:  # the reader of the output has gone; the update is done
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise typer.Exit(DONE if rehearsal.is_done else UNFINISHED)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C meanwhile, so that no project is left half updated."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def refusals() -> Iterator[None]:
    """Print the reason of a refusal in one line, without a traceback."""
    try:
        yield
    except RefusedError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt:
        typer.echo("Nothing was changed.", err=True)
        raise typer.Exit(INTERRUPTED) from None
