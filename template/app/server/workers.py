"""Worker processes."""

import signal
import time
from socket import socket

from uvicorn.config import STARTUP_FAILURE, Config
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

SECONDS_TO_ANSWER = 5.0
"""Seconds without an answer after which a serving process counts as hanging."""


class Workers(Multiprocess):
    """uvicorn's supervisor, with two differences.

    uvicorn waits for the answer of one process after another, so while one starts, the end of
    another stays unnoticed. This supervisor asks all of them and waits for none. A process that
    still starts may take the seconds of `timeout_worker_healthcheck`.

    A second signal is passed on to the processes as well.
    """

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self._asked: dict[Process, float] = {}
        self._started: set[Process] = set()

    def keep_subprocess_alive(self) -> None:
        """Replace the processes that ended or hang."""
        well = [worker for worker in self.processes if self._is_well(worker)]
        lost = [worker for worker in self.processes if worker not in well]
        for worker in lost:
            worker.process.kill()
            worker.process.join()
        # uvicorn sees processes that ended, for which it does not wait, and replaces them.
        self.processes = lost
        super().keep_subprocess_alive()
        self.processes += well
        self._asked = {worker: self._asked[worker] for worker in well}
        self._started &= set(well)

    def _is_well(self, worker: Process) -> bool:
        if not worker.process.is_alive():
            return False
        while worker.parent_conn.poll():
            if worker.parent_conn.recv():
                self._started.add(worker)
            self._asked.pop(worker, None)
        if worker not in self._asked:
            worker.parent_conn.send(b"ping")
            self._asked[worker] = time.monotonic()
        started = worker in self._started
        patience = SECONDS_TO_ANSWER if started else self.config.timeout_worker_healthcheck
        return time.monotonic() - self._asked[worker] < patience

    def join_all(self) -> None:
        """Wait until all have ended."""
        while any(worker.process.is_alive() for worker in self.processes):
            signals = set(self.signal_queue)
            self.signal_queue.clear()
            if signals & {signal.SIGINT, signal.SIGTERM}:  # a second one
                self.terminate_all()
            time.sleep(0.1)
        super().join_all()

    @property
    def failed(self) -> bool:
        """Whether a process could not start."""
        return any(worker.exitcode == STARTUP_FAILURE for worker in self.processes)
