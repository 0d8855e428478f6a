"""The files that belong to the project's owner, which no update brings back."""

import sys
from typing import NoReturn


def explain_missing(error: ModuleNotFoundError, module: str) -> NoReturn:
    """End the process with one sentence if `module` is missing. Any other error is raised again."""
    if error.name != module:
        raise error
    file = f"{module.replace('.', '/')}.py"
    sys.exit(f"{file} is missing: bring it back by `git checkout HEAD -- {file}`.")
