"""The Pythons of this machine."""

import os
import subprocess
from pathlib import Path

from tests.support.shell import clean_environment

WHICH = "import sys; print(sys.executable)"


def interpreter(version: str) -> str | None:
    """Return the interpreter that uv has or may fetch, or that pyenv has but does not offer."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for wanted in [version, *map(str, versions.glob(f"{version}.*/bin/python"))]:
        found = subprocess.run(
            ["uv", "run", "--no-project", "--python", wanted, "python", "-c", WHICH],
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode == 0:
            path: str = found.stdout.strip()
            return path
    return None
