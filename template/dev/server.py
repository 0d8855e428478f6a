"""The reloading server of `app dev`."""

import errno
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from types import FrameType
from typing import Any

from uvicorn import Config, Server
from uvicorn.supervisors.statreload import StatReload

from dev.process import ServerError


class Reloader(StatReload):
    """uvicorn's reloader, which would hang after two signals at the same time."""

    def signal_handler(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second Ctrl-C changes nothing."""
        for further in (signal.SIGINT, signal.SIGTERM):
            signal.signal(further, signal.SIG_IGN)
        super().signal_handler(sig, frame)


def bind(port: int) -> socket.socket:
    """Return a socket for this port of this machine.

    Raises:
        ServerError: another program has the port, or it may not be used.
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _require_silence(port)
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise ServerError(
            f"Port {port} cannot be used ({error.strerror}). Perhaps another `make dev` or a "
            f"container has it: `lsof -i :{port}` and `docker ps` show them. To use another port: "
            f"PORT={port + 1} make dev"
        ) from None
    listener.set_inheritable(True)
    return listener


def _require_silence(port: int) -> None:
    """Raise OSError if a program has the port, by IPv6 or beside ours, as macOS allows."""
    for host in ("127.0.0.1", "::1"):
        with suppress(OSError), socket.create_connection((host, port)):
            break
    else:
        return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def serve_with_reload(listener: socket.socket, options: Mapping[str, Any]) -> None:
    """Serve the app in a process that restarts when its source changes."""
    config = Config(
        "app.main:create_served_app",
        reload=True,
        reload_dirs=["app"],
        **options,
    )
    Reloader(config, target=Server(config).run, sockets=[listener]).run()
