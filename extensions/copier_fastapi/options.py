"""The options of the commands, and the parts of their help that several share."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from copier_fastapi.errors import RefusedError
from copier_fastapi.project import Project

EXIT_STATUS = """\b
Exit status:
  0  all is done
  1  nothing was done; the message says why
  2  the command line cannot be read
  3  done, but something is left to do by hand: a conflict, an edited file that was kept
"""

HERE = Path()


def features_that_are(*, on: bool) -> Callable[[str], list[str]]:
    """Return what completes the names of the features that are on, or off, in the project here."""

    def complete(incomplete: str) -> list[str]:
        try:
            answers = Project.find(HERE).answers
        except RefusedError:
            return []
        return [name for name in answers if answers[name] is on and name.startswith(incomplete)]

    return complete


def print_version(asked: bool) -> None:
    """Print the version and leave."""
    if asked:
        typer.echo(version("copier-fastapi"))
        raise typer.Exit


def examples(*commands: str) -> str:
    """Return what `--help` shows of a command's use, unwrapped."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


Where = Annotated[
    Path, typer.Option("--project", "-C", metavar="DIR", help="The project, if it is not here.")
]
Data = Annotated[
    list[str], typer.Option("--data", "-d", metavar="NAME=ANSWER", help="Answer a question.")
]
Template = Annotated[
    str, typer.Option(metavar="SOURCE", help="Where the template is: a directory or a git URL.")
]
To = Annotated[
    str, typer.Option(metavar="VERSION", help="A tag or commit of the template; else the newest.")
]
Preview = Annotated[bool, typer.Option("--preview", help="Show what would happen; do nothing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before doing it.")]
ToAdd = Annotated[
    list[str],
    typer.Argument(
        metavar="FEATURE...",
        help="Such as redis, or ci=gitlab.",
        autocompletion=features_that_are(on=False),
    ),
]
ToRemove = Annotated[
    list[str],
    typer.Argument(
        metavar="FEATURE...",
        help="Such as redis, or ci.",
        autocompletion=features_that_are(on=True),
    ),
]
