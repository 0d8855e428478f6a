"""A server of the project's own that its commands share: the first one runs it."""

import fcntl
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.process import START_TIMEOUT, ServerError, free_port


@contextmanager
def server_lock(state: Path, name: str, is_up: Callable[[], bool]) -> Iterator[int | None]:
    """Yield the lock that the server has to keep; None when another command runs one.

    There are two locks. The server keeps the first while it runs, including its shutdown. The
    second is released with the command, however it ends.

    Raises:
        ServerError: the other command's server does not start.
    """
    with (state / f"{name}-lock").open("w") as lock, (state / f"{name}-owner").open("w") as owner:
        deadline = time.monotonic() + START_TIMEOUT
        while not _try_lock(lock.fileno()):
            if not _try_lock(owner.fileno()):
                if is_up():
                    yield None
                    return
            else:  # killed: its server will stop soon
                fcntl.flock(owner.fileno(), fcntl.LOCK_UN)
            if time.monotonic() > deadline:
                raise ServerError(
                    "Another command of this project runs, but its server does not answer."
                )
            time.sleep(0.05)
        fcntl.flock(owner.fileno(), fcntl.LOCK_EX)
        yield lock.fileno()


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def credentials(own_url: Path) -> tuple[str, int]:
    """Return the previous password and port; a new port if another program uses it."""
    if not own_url.exists():
        return secrets.token_urlsafe(24), free_port()
    account, _, address = own_url.read_text().partition("://")[2].partition("@")
    password = account.partition(":")[2]
    port = int(address.partition(":")[2].partition("/")[0])
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return password, free_port()
    return password, port


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, atomically."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)
