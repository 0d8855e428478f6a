"""A server of the project's own that its commands share: the first one runs it."""

import fcntl
import os
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path

from dev.process import START_TIMEOUT, ServerError, free_port


def acquire(lock: int, is_up: Callable[[], bool]) -> bool:
    """Take the lock; return False when its holder has a server that is up.

    The server keeps the lock for as long as it runs, also while it still shuts down.

    Raises:
        ServerError: neither happens.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if is_up():
                return False
            time.sleep(0.05)
        else:
            return True
    raise ServerError("Another command of this project runs, but its server does not answer.")


def credentials(own_url: Path) -> tuple[str, int]:
    """Return the password and port of before; a new port if another program took it."""
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
    """Write what nobody else may read, all of it at once."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.touch(mode=0o600)
    unfinished.write_text(text)
    unfinished.replace(path)
