"""What a benchmark asks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

CLIENTS = tuple(f"203.0.113.{number}" for number in range(100))
"""Addresses that a proxy on this machine reports: so many that none reaches its rate limit."""


@dataclass(frozen=True)
class Request:
    """An HTTP/1.1 request."""

    path: str
    client: str
    """The address of the client."""

    method: str = "GET"
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers to send."""
        headers = {"Host": "localhost", "X-Forwarded-For": self.client, **self.headers}
        return headers | ({"Content-Length": str(len(self.body))} if self.body else {})

    def __str__(self) -> str:
        headers = [f"{name}: {value}" for name, value in self.all_headers.items()]
        return "\r\n".join([f"{self.method} {self.path} HTTP/1.1", *headers, "", self.body])


@dataclass(frozen=True)
class Case:
    """What is asked of the service and of the floor, each request in turn."""

    name: str
    service: Sequence[Request]
    floor: Sequence[Request]
    connections: int = 32
    """Requests at the same time, to measure the throughput and the cost."""

    per_second: int = 100
    """The rate at which latencies are measured: one that both can serve without a queue."""

    seconds: int = 1
    """Length of a round at full speed. The one at the fixed rate takes three times as long."""


def get(path: str, headers: Sequence[Mapping[str, str]] = ({},)) -> list[Request]:
    """Return a GET by each client, with these headers in turn."""
    return [
        Request(path, client, headers=headers[number % len(headers)])
        for number, client in enumerate(CLIENTS)
    ]
