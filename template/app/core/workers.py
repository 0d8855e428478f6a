"""Several processes that serve together."""

import time

from uvicorn.supervisors import Multiprocess


class Workers(Multiprocess):
    """uvicorn's supervisor, which hands a second signal on to its processes as well."""

    def join_all(self) -> None:
        """Wait until all have ended."""
        while any(worker.process.is_alive() for worker in self.processes):
            if self.signal_queue:  # somebody is impatient
                self.signal_queue.clear()
                self.terminate_all()
            time.sleep(0.1)
        super().join_all()
