"""Load by wrk, and what it costs the server."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

SCRIPT = Path(__file__).with_name("requests.lua")


class LoadError(Exception):
    """The load could not be measured. The message says why."""


@dataclass(frozen=True)
class Request:
    """An HTTP/1.1 request."""

    path: str
    method: str = "GET"
    token: str = ""
    body: str = ""
    client: str = "192.0.2.1"
    """The client's address, which a proxy on this machine reports."""

    def __str__(self) -> str:
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            "Host: localhost",
            f"X-Forwarded-For: {self.client}",
        ]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if self.body:
            lines.append("Content-Type: application/x-www-form-urlencoded")
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", self.body])


@dataclass(frozen=True)
class Case:
    """What is asked of the service, and of the floor."""

    name: str
    service: Sequence[Request]
    floor: Sequence[Request]
    seconds: int = 1
    """How long a round takes."""

    pause_ms: int = 80
    """Each of eight connections pauses so long before a request, to measure latencies."""


@dataclass(frozen=True)
class Sample:
    """What wrk measured."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float


def ask(
    port: int, requests: Sequence[Request], connections: int, seconds: int, *, pause_ms: int = 0
) -> Sample:
    """Send the requests in turn for so many seconds.

    `pause_ms`: the pause of each connection before a request. Then the rate is about
    `connections / pause_ms` per millisecond, as long as the server keeps up.

    Raises:
        LoadError: wrk is missing, or a request failed.
    """
    with TemporaryDirectory() as directory:
        listed = Path(directory, "requests.lua")
        texts = ",".join(json.dumps(str(request)) for request in requests)
        listed.write_text(f"return {{{texts}}}", encoding="ascii")
        command = [
            "wrk",
            "--latency",
            "--threads=1",
            f"--connections={connections}",
            f"--duration={seconds}s",
            f"--script={SCRIPT}",
            f"http://127.0.0.1:{port}",
            "--",
            str(listed),
            str(pause_ms),
        ]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise LoadError(
                "There is no wrk on PATH. Debian: apt install wrk; macOS: brew install wrk"
            ) from None
    if ended.returncode:
        raise LoadError(f"wrk failed:\n{ended.stdout}{ended.stderr}")
    return parse(ended.stdout)


def parse(output: str) -> Sample:
    """Read what wrk printed.

    Raises:
        LoadError: a request failed, so the numbers would say nothing.
    """
    if failed := re.search(r"(Non-2xx.*|Socket errors.*)", output):
        raise LoadError(f"Requests failed: {failed[1]}")
    requests = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", output)
    per_second = re.search(r"Requests/sec: +([\d.]+)", output)
    p50, p99 = (re.search(rf"{share}% +([\d.]+)(us|ms|s|m)", output) for share in (50, 99))
    if not (requests and per_second and p50 and p99) or requests[1] == "0":
        raise LoadError(f"No request was answered, or wrk printed something unknown:\n{output}")
    return Sample(int(requests[1]), float(per_second[1]), *map(_milliseconds, (p50, p99)))


def cpu_seconds(process_id: int) -> float:
    """Return how long all threads of a process have been running, as Linux knows it."""
    threads = Path("/proc", str(process_id), "task").glob("*/schedstat")
    return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


def memory_mib(process_id: int) -> float:
    """Return the resident memory of a process."""
    report = Path("/proc", str(process_id), "status").read_text(encoding="utf-8")
    found = re.search(r"^VmRSS:\s+(\d+) kB", report, re.MULTILINE)
    if not found:
        raise LoadError("/proc has no memory of the process.")
    return int(found[1]) / 1024


def _milliseconds(found: re.Match[str]) -> float:
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[found[2]]
