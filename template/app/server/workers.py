"""Several processes that serve together."""

import signal
import time

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """uvicorn's supervisor, which hands a second signal on to its processes as well."""

    def join_all(self) -> None:
        """Wait until all have ended."""
        while any(worker.process.is_alive() for worker in self.processes):
            signals = set(self.signal_queue)
            self.signal_queue.clear()
            if signals & {signal.SIGINT, signal.SIGTERM}:  # somebody is impatient
                self.terminate_all()
            time.sleep(0.1)
        super().join_all()

    @property
    def failed(self) -> bool:
        """Whether a process could not start."""
        return any(worker.exitcode == STARTUP_FAILURE for worker in self.processes)
