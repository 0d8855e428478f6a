"""The reloading server of `app dev`."""

import signal
from collections.abc import Mapping
from types import FrameType
from typing import Any

from uvicorn import Config, Server
from uvicorn.supervisors.statreload import StatReload


class Reloader(StatReload):
    """uvicorn's reloader, which would hang after two signals at the same time."""

    def signal_handler(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second Ctrl-C changes nothing."""
        for further in (signal.SIGINT, signal.SIGTERM):
            signal.signal(further, signal.SIG_IGN)
        super().signal_handler(sig, frame)


def serve_with_reload(port: int, options: Mapping[str, Any]) -> None:
    """Serve the app in a process that restarts when its source changes."""
    config = Config(
        "app.main:create_app",
        factory=True,
        port=port,
        reload=True,
        reload_dirs=["app"],
        log_config=None,
        access_log=False,
        **options,
    )
    Reloader(config, target=Server(config).run, sockets=[config.bind_socket()]).run()
