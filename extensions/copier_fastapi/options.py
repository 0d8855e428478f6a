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
  0  done
  1  refused: nothing was changed, and the message says why
  2  the command line is wrong
  3  done, but something is left to do by hand, such as a conflict or an edited file that was kept
"""

HERE = Path()


def features_that_are(*, on: bool) -> Callable[[str], list[str]]:
    """Return a completion of the features that are on, or off, in the current project."""

    def complete(incomplete: str) -> list[str]:
        try:
            answers = Project.find(HERE).answers
        except RefusedError:
            return []
        return [name for name in answers if answers[name] is on and name.startswith(incomplete)]

    return complete


def print_version(asked: bool) -> None:
    """Print the version and exit."""
    if asked:
        typer.echo(version("copier-fastapi"))
        raise typer.Exit


def examples(*commands: str) -> str:
    """Return the examples in the help of a command, one on each line."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


Where = Annotated[
    Path,
    typer.Option("--project", "-C", metavar="DIR", help="The project, if it is elsewhere."),
]
Data = Annotated[
    list[str], typer.Option("--data", "-d", metavar="NAME=ANSWER", help="Answer a question.")
]
Template = Annotated[
    str, typer.Option(metavar="SOURCE", help="The template: a directory or a git URL.")
]
To = Annotated[
    str,
    typer.Option(metavar="VERSION", help="A tag or commit of the template, if not the newest."),
]
Preview = Annotated[bool, typer.Option("--preview", help="Show the changes without making them.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
ToAdd = Annotated[
    list[str],
    typer.Argument(
        metavar="FEATURE...",
        help="For example redis, or ci=gitlab.",
        autocompletion=features_that_are(on=False),
    ),
]
ToRemove = Annotated[
    list[str],
    typer.Argument(
        metavar="FEATURE...",
        help="For example redis, or ci.",
        autocompletion=features_that_are(on=True),
    ),
]
