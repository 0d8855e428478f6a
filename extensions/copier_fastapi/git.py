"""Running git."""

import subprocess
from pathlib import Path

from copier_fastapi.errors import RefusedError

REPOSITORY_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE"),
)
"""The variables that point git to another repository than that of the directory."""


class GitError(RefusedError):
    """A git command failed; the message is what git says."""


def git(directory: Path, *arguments: str, standard_input: bytes = b"") -> bytes:
    """Run git in a directory, without the hooks of the repository, and return its output.

    Raises:
        GitError: with the message of git.
    """
    command = ["git", "-c", "core.hooksPath=/dev/null", *arguments]
    result = subprocess.run(
        command, cwd=directory, input=standard_input, capture_output=True, check=False
    )
    if result.returncode:
        raise GitError(result.stderr.decode(errors="replace").strip() or " ".join(command))
    return result.stdout


def paths(output: bytes) -> list[str]:
    """Return the paths in the output of git with `-z`."""
    return [path.decode(errors="surrogateescape") for path in output.split(b"\0") if path]


def top_of(directory: Path) -> Path:
    """Return the root of the repository that the directory is in.

    Raises:
        GitError: if it is in none.
    """
    return Path(git(directory, "rev-parse", "--show-toplevel").decode().removesuffix("\n"))
