"""Clients that send requests and record all responses."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx2

from tests.server import client_at
from tests.waiting import PATIENCE

Ask = Callable[[httpx2.Client], httpx2.Response]


@dataclass
class Load:
    """The responses so far, by the phase of the test."""

    clients: int
    phase: str = "before"
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, phase: str, answer: str) -> None:
        with self._changed:
            self.answers.setdefault(phase, Counter())[answer] += 1
            self._changed.notify_all()

    def enter(self, phase: str, number: int = 50) -> None:
        """Begin a phase, and wait for this number of responses."""
        with self._changed:
            self.phase = phase
            enough = self._changed.wait_for(
                lambda: self.answers.get(phase, Counter()).total() >= number, timeout=PATIENCE
            )
        assert enough, self.answers


@contextmanager
def under_load(ask: Ask, *, clients: int = 8) -> Iterator[Load]:
    """Run this number of clients without a pause during the block."""
    load = Load(clients)
    over = threading.Event()

    def be_a_client() -> None:
        with client_at() as client:
            while not over.is_set():
                phase = load.phase
                try:
                    response = ask(client)
                    retry = " with Retry-After" if "retry-after" in response.headers else ""
                    load.note(phase, f"{response.status_code}{retry}")
                except httpx2.TransportError as error:
                    load.note(phase, type(error).__name__)

    with ExitStack() as stack:
        threads = [threading.Thread(target=be_a_client) for _ in range(load.clients)]
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(over.set)
        load.enter("before")
        yield load
