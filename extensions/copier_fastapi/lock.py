"""The lock of a project's dependencies, `uv.lock`."""

import shutil
import subprocess
from pathlib import Path

from copier_fastapi.git import git, paths, top_of
from copier_fastapi.project import LOCK


def lock(directory: Path, conflicts: frozenset[str]) -> str:
    """Renew the lock; return why that failed, or an empty text."""
    if "pyproject.toml" in conflicts:
        return "pyproject.toml has conflicts"
    if not shutil.which("uv"):
        return "uv is not installed"
    command = ["uv", "lock", "--quiet", "--directory", str(directory)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        return result.stderr.strip()
    # In a workspace of uv, all its projects have one lock.
    written = ("ls-files", "--modified", "--others", "--full-name", "-z", "--")
    changed = paths(git(directory, *written, f":(top,glob)**/{LOCK}"))
    own = (directory.relative_to(top_of(directory)) / LOCK).as_posix()
    return ", ".join(f"{path} is the workspace's" for path in changed if path != own)
