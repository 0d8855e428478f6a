"""PostgreSQL servers without Docker."""

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dev.binaries import reachable_binaries
from dev.process import (
    ServerError,
    as_server_account,
    give_to_server_account,
    owned_process,
    throwaway_home,
    wait_until_ready,
)

# Of postmaster.pid, counted from zero.
_STATUS_LINE = 7

# The data of a test run is not needed afterwards.
_FAST_AND_UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


@contextmanager
def throwaway_server() -> Iterator[str]:
    """Yield the URL of a new server, which is removed with its data at the end.

    It is in memory if there is room, and listens on a Unix socket only, so any number of servers
    can run at the same time.
    """
    with throwaway_home("pg-") as home, tempfile.TemporaryFile() as log:
        binaries = reachable_binaries(home)
        data = home / "data"
        initialise(binaries, data, "--username=postgres", "--auth=trust")
        options = ("listen_addresses=", f"unix_socket_directories={home}", *_FAST_AND_UNSAFE)
        with running_server(binaries, data, options, log=log, stop_signal="QUIT", leftovers=home):
            yield f"postgresql://postgres@/postgres?host={home}"


def initialise(binaries: Path, data: Path, *options: str) -> None:
    """Make `data` the directory of a new cluster.

    Raises:
        ServerError: with the output of `initdb`.
    """
    data.mkdir()
    give_to_server_account(data)
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    result = subprocess.run(
        # Without sync: an empty cluster that a power failure damages can be created again.
        [
            binaries / "initdb",
            f"--pgdata={data}",
            "--no-sync",
            "--encoding=UTF8",
            *locale,
            *options,
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        **as_server_account(),
    )
    if result.returncode != 0:
        raise ServerError(
            f"initdb failed:\n{result.stderr.strip()}\n"
            "Set DATABASE_URL to use a server that runs elsewhere."
        )


@contextmanager
def running_server(
    binaries: Path,
    data: Path,
    options: Sequence[str],
    *,
    log: IO[bytes],
    stop_signal: str,
    leftovers: Path | None = None,
    keep_open: Sequence[int] = (),
) -> Iterator[None]:
    """Run the server with `data` during the block.

    Raises:
        ServerError: it did not start; with its last output.
    """
    settings = [word for option in options for word in ("-c", option)]
    command: list[str | Path] = [binaries / "postgres", "-D", data, *settings]
    with owned_process(
        command, log=log, stop_signal=stop_signal, leftovers=leftovers, keep_open=keep_open
    ) as process:
        wait_until_ready(process, lambda: accepts_connections(data), log)
        yield


def accepts_connections(data: Path) -> bool:
    """Return whether the server with `data` is ready."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"
