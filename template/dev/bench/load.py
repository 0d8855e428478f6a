"""Load by wrk."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from dev.bench.case import Request

SCRIPT = Path(__file__).with_name("requests.lua")

PACED_CONNECTIONS = 16
"""Connections over which requests are sent at a fixed rate."""

MILLISECONDS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}
"""The units that wrk prints."""


class LoadError(Exception):
    """The load could not be measured. The message says why."""


@dataclass(frozen=True)
class Sample:
    """What wrk measured."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float


def find_wrk() -> str:
    """Return the path of wrk.

    Raises:
        LoadError: it is not on PATH.
    """
    found = shutil.which("wrk")
    if found is None:
        raise LoadError("wrk is missing. Debian: apt install wrk; macOS: brew install wrk")
    return found


def wrk_version() -> str:
    """Return the name of wrk with its version."""
    shown = subprocess.run([find_wrk(), "-v"], capture_output=True, text=True, check=False)
    return " ".join(shown.stdout.split()[:2])


def send_at_full_speed(
    port: int, requests: Sequence[Request], connections: int, seconds: int
) -> Sample:
    """Send the requests in turn, each connection as fast as it gets responses.

    Raises:
        LoadError: a request failed.
    """
    return _run_wrk(port, requests, connections, seconds, pause_ms=0)


def send_at_rate(port: int, requests: Sequence[Request], per_second: int, seconds: int) -> Sample:
    """Send the requests in turn, at this rate as long as responses are quick.

    Raises:
        LoadError: a request failed.
    """
    pause_ms = PACED_CONNECTIONS * 1000 // per_second
    return _run_wrk(port, requests, PACED_CONNECTIONS, seconds, pause_ms=pause_ms)


def _run_wrk(
    port: int, requests: Sequence[Request], connections: int, seconds: int, *, pause_ms: int
) -> Sample:
    with TemporaryDirectory() as directory:
        listed = Path(directory, "requests.lua")
        texts = ",".join(json.dumps(str(request)) for request in requests)
        listed.write_text(f"return {{{texts}}}", encoding="ascii")
        command = [
            find_wrk(),
            "--latency",
            "--threads=1",
            f"--connections={connections}",
            f"--duration={seconds}s",
            "--timeout=30s",
            f"--script={SCRIPT}",
            f"http://127.0.0.1:{port}",
            "--",
            str(listed),
            str(pause_ms),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise LoadError(f"wrk failed:\n{ended.stdout}{ended.stderr}")
    return parse(ended.stdout)


def parse(output: str) -> Sample:
    """Read the output of wrk.

    Raises:
        LoadError: a request failed, or none was answered: then the numbers mean nothing.
    """
    if failed := re.search(r"Non-2xx.*|Socket errors.*", output):
        raise LoadError(f"Requests failed. {failed[0]}")
    requests = re.search(r"(\d+) requests in", output)
    per_second = re.search(r"Requests/sec: +([\d.]+)", output)
    p50, p99 = (re.search(rf"{share}% +([\d.]+)(us|ms|s|m)\b", output) for share in (50, 99))
    if not (requests and per_second and p50 and p99) or requests[1] == "0":
        raise LoadError(f"wrk counted no request:\n{output}")
    latencies = (float(found[1]) * MILLISECONDS[found[2]] for found in (p50, p99))
    return Sample(int(requests[1]), float(per_second[1]), *latencies)
