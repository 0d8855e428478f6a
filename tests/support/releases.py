"""The template as it was released, rebuilt from the history of this repository."""

import re
import shutil
from pathlib import Path

from tests.support.shell import git
from tests.support.template import PARTS, ROOT

HEAD = "99.0.0"
"""The tag of the template as it is now, above every release."""

SUBJECT = "chore: release "
"""What the message of a release's commit begins with. Tags may be missing in a clone."""


def released() -> dict[str, str]:
    """Return the commit of every release by its version, the first release first."""
    log = git(ROOT, "log", "--reverse", "--format=%H %s", f"--grep=^{SUBJECT}", "HEAD")
    commits = {}
    for line in log.splitlines():
        commit, subject = line.split(" ", 1)
        if subject.startswith(SUBJECT):
            commits[subject.removeprefix(SUBJECT)] = commit
    return commits


def has_history() -> bool:
    """Return whether the releases can be found: not in an archive or a shallow clone."""
    inside = (ROOT / ".git").exists()
    return inside and git(ROOT, "rev-parse", "--is-shallow-repository").strip() == "false"


def announced(changelog: str) -> list[str]:
    """Return the versions that a changelog speaks of."""
    return re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)


def build(directory: Path) -> Path:
    """Make a repository of the template with every release, and its present state above them."""
    git(ROOT, "clone", "--quiet", "--no-tags", str(ROOT), str(directory))
    for version, found in released().items():
        git(directory, "tag", version, found)
    git(directory, "rm", "--quiet", "-r", *PARTS)
    for name in PARTS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, directory / name)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--allow-empty", "--message", "The present state")
    git(directory, "tag", HEAD)
    return directory
