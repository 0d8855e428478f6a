"""Calls of Copier by its public API, without its output and with one kind of error."""

import io
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copier import VcsRef, run_copy, run_update
from copier.errors import CopierError, DirtyLocalWarning
from plumbum import ProcessExecutionError

from copier_fastapi.errors import RefusedError
from copier_fastapi.questions import NOT_READABLE, NewerTemplateError, Questions

Ref = str | VcsRef | None
"""A version of the template: a tag or commit, that of the project, or None for the newest."""


@dataclass(frozen=True)
class Template:
    """A version of the template that was rendered."""

    questions: Questions
    url: str
    """Its repository, as `git clone` takes it."""


def start(
    source: str, directory: Path, answers: Mapping[str, Any], ref: Ref, *, defaults: bool
) -> None:
    """Render a new service, as `copier copy` does: ask, show the files, say what comes next.

    Raises:
        RefusedError: if there is no such template or version, if it refuses an answer, or if it
            has changes that are not committed: no update could start from these.
    """
    with _refusing(), warnings.catch_warnings():
        warnings.simplefilter("error", DirtyLocalWarning)
        try:
            run_copy(source, directory, data=dict(answers), vcs_ref=ref, defaults=defaults)
        except DirtyLocalWarning:
            raise RefusedError(
                f"the template at {source} has changes that are not committed: "
                "commit them, or choose a version by --to"
            ) from None


def render(source: str, directory: Path, answers: Mapping[str, Any], ref: Ref = None) -> Template:
    """Render the template into a new directory.

    Raises:
        RefusedError: if there is no such template or version, or if it refuses an answer.
    """
    with _refusing(), _quiet():
        worker = run_copy(
            source, directory, data=dict(answers), vcs_ref=ref, defaults=True, quiet=True
        )
    template = worker.template
    return Template(Questions(template.questions_data), template.url_expanded)


def questions_of(source: str, ref: Ref = None) -> Questions:
    """Return the questions of a version of the template.

    Raises:
        RefusedError: if there is no such template or version.
    """
    with tempfile.TemporaryDirectory(prefix="copier-fastapi.") as temporary:
        return render(source, Path(temporary, "service"), {}, ref).questions


def update(directory: Path, answers: Mapping[str, Any], ref: Ref) -> None:
    """Update the project in a directory, as `copier update` does.

    Raises:
        RefusedError: as `render` does.
    """
    with _refusing(), _quiet():
        run_update(
            directory,
            data=dict(answers),
            vcs_ref=ref,
            defaults=True,
            overwrite=True,
            quiet=True,
        )


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn every error of Copier into a refusal."""
    try:
        yield
    except NOT_READABLE:
        raise NewerTemplateError from None
    except (CopierError, ProcessExecutionError, OSError, ValueError) as error:
        if isinstance(error, RefusedError):
            raise
        said = error.stderr if isinstance(error, ProcessExecutionError) else error
        raise RefusedError(str(said).strip()) from error


@contextmanager
def _quiet() -> Iterator[None]:
    with redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", DirtyLocalWarning)
        yield
