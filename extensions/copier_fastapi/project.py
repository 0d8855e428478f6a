"""A project that was rendered from the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from copier_fastapi.errors import RefusedError
from copier_fastapi.files import read_listed
from copier_fastapi.git import GitError, git, paths, top_of

ANSWERS = ".copier-answers.yml"
LOCK = "uv.lock"

STATUS = ("--porcelain", "-z", "--no-renames", "--untracked-files=normal")


@dataclass(frozen=True)
class Project:
    """A directory with the answers that it was rendered with."""

    directory: Path
    recorded: Mapping[str, Any]

    @classmethod
    def at(cls, directory: Path) -> "Project":
        """Return the project in a directory.

        Raises:
            RefusedError: if its answers file cannot be used.
        """
        return cls(directory, _read(directory / ANSWERS))

    @classmethod
    def find(cls, start: Path) -> "Project":
        """Return the project that the directory `start` is in.

        Raises:
            RefusedError: if it is in no project.
        """
        for directory in (start.resolve(), *start.resolve().parents):
            if (directory / ANSWERS).is_file():
                return cls.at(directory)
        raise RefusedError(f"{start.resolve()} is in no project: there is no {ANSWERS}")

    @property
    def source(self) -> str:
        """The place of the template: a path or a URL."""
        return str(self.recorded["_src_path"])

    @property
    def version(self) -> str:
        """The project's version of the template: a tag, or the output of `git describe`."""
        return str(self.recorded["_commit"])

    @property
    def answers(self) -> dict[str, Any]:
        """The answers to the questions, without Copier's own entries."""
        return {name: value for name, value in self.recorded.items() if name[0] != "_"}

    @property
    def top(self) -> Path:
        """The root of the repository that the project is in."""
        return top_of(self.directory)

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return git(self.directory, "rev-parse", "HEAD").decode().strip()

    def files(self) -> dict[str, bytes]:
        """Return the files that git does not ignore, as they are in the working tree."""
        everything = ("--cached", "--others", "--exclude-standard", "--deduplicate")
        listed = paths(git(self.directory, "ls-files", "-z", *everything))
        return read_listed(self.directory, listed)

    def require_clean(self) -> None:
        """Refuse a project whose present state git could not restore.

        Raises:
            RefusedError: with the paths that are not committed.
        """
        try:
            git(self.directory, "rev-parse", "--verify", "HEAD")
        except GitError:
            raise RefusedError(
                f"{self.directory} has no commit to come back to: "
                'git init && git add -A && git commit -m "Start"'
            ) from None
        status = git(self.directory, "status", *STATUS, "--", ".")
        if changed := [entry[3:] for entry in paths(status)]:
            listed = "\n".join(f"  {path}" for path in changed)
            raise RefusedError(f"commit or stash your changes first:\n{listed}")
        flagged = paths(git(self.directory, "ls-files", "-v", "-z", "--", "."))
        if unreadable := [entry[2:] for entry in flagged if not _is_text(entry)]:
            listed = "\n".join(f"  {name!a}" for name in unreadable)
            raise RefusedError(f"Copier needs names in UTF-8; rename these:\n{listed}")
        # Edits of such files cannot be seen, but an update may overwrite them.
        if hidden := [entry[2:] for entry in flagged if entry[0].islower() or entry[0] == "S"]:
            listed = "\n".join(f"  {path}" for path in hidden)
            raise RefusedError(
                "git hides changes of these files; show them again first by "
                f"`git update-index --no-assume-unchanged --no-skip-worktree FILE`:\n{listed}"
            )


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(file: Path) -> dict[str, Any]:
    try:
        recorded = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RefusedError(f"{file} cannot be read: {error}") from None
    for name in ("_src_path", "_commit"):
        if not isinstance(recorded, dict) or not recorded.get(name):
            raise RefusedError(
                f"{file} has no {name}: the project was not rendered from a git repository"
            )
    return dict(recorded)
