"""Measure the CPU that one request costs, stage by stage, beside a bare FastAPI app.

First without a server, which shows what the middlewares cost. Then over HTTP, which shows what of
it matters. All stages take turns on one core, so that what slows the machine down slows all of
them; wrk, Valkey and the reader of the log have another one. Counted is the time on the CPU with
all threads, as Linux knows it.

Run it with the Python of a rendered project, whose packages it measures: `nox -s speed` does.
"""

import argparse
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from dev.valkey import throwaway_valkey

Process = subprocess.Popen[bytes]
Server = tuple[int, int]

HERE = Path(__file__).parent

EDGE = [
    "RequestIDMiddleware",
    "MetricsMiddleware",
    "AccessLogMiddleware",
    "SecurityHeadersMiddleware",
]

STAGES = {
    "bare FastAPI": [],
    "+ request id, metrics, log, headers": EDGE,
    "+ rate limit in Redis": [*EDGE, "RateLimitMiddleware"],
    "every middleware": ["all"],
}
"""The service's middlewares that each has."""

SETTINGS = {
    "ALLOWED_HOSTS": "*",
    "DATABASE_URL": "postgresql://localhost/unused",
    "ENVIRONMENT": "production",
    "OTEL_ENABLED": "false",
    "RATE_LIMIT_PER_MINUTE": "10000",
}


Rounds = list[list[float]]
"""For each round what a request cost at each stage, in microseconds."""


@contextmanager
def started(program: str, *arguments: object, **environment: str) -> Iterator[Process]:
    """Run a program of this directory, whose log is read; kill it in the end."""
    command = [sys.executable, str(HERE / program), *map(str, arguments)]
    with (
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as reader,
        subprocess.Popen(command, env=environment, stdout=reader.stdin) as process,
    ):
        try:
            yield process
        finally:
            process.kill()
            reader.communicate()


def measure_calls(core: int, rounds: int, at_once: int, environment: dict[str, str]) -> Rounds:
    """Measure without a server."""
    with tempfile.TemporaryDirectory() as directory:
        result = Path(directory, "rounds.json")
        stages = json.dumps(list(STAGES.values()))
        with started("calls.py", core, result, stages, rounds, at_once, **environment) as process:
            if process.wait():
                sys.exit("The calls failed.")
        measured: Rounds = json.loads(result.read_text(encoding="utf-8"))
        return measured


@contextmanager
def server(middlewares: list[str], core: int, environment: dict[str, str]) -> Iterator[Server]:
    """Serve an app, and yield its process and its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with started("apps.py", core, port, *middlewares, **environment) as process:
        wait_for(port, process)
        yield process.pid, port


def wait_for(port: int, process: Process) -> None:
    """Wait until a server listens."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def cpu_time(process_id: int) -> int:
    """Return how long all threads of a process have been running, in nanoseconds."""
    threads = Path("/proc", str(process_id), "task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads)


def microseconds_per_request(process_id: int, port: int, connections: int) -> float:
    """Let wrk ask for a second, and return what it cost the server."""
    url = f"http://127.0.0.1:{port}/api/v1/numbers/7"
    options = ["--threads=1", f"--connections={connections}", "--duration=1s"]
    before = cpu_time(process_id)
    wrk = subprocess.run(
        ["wrk", *options, f"--script={HERE / 'clients.lua'}", url],
        capture_output=True,
        text=True,
        check=True,
    )
    used = cpu_time(process_id) - before
    answered = re.search(r"(\d+) requests in", wrk.stdout)
    if answered is None or "Non-2xx" in wrk.stdout:
        sys.exit(wrk.stdout + wrk.stderr)
    return used / int(answered[1]) / 1000


def measure_requests(servers: list[Server], rounds: int, at_once: int) -> Rounds:
    """Measure over HTTP."""
    measured = []
    for number in range(rounds):
        print(f"\r{at_once} at once: round {number + 1} of {rounds} ", end="", file=sys.stderr)
        measured.append([microseconds_per_request(*server, at_once) for server in servers])
    return measured


def print_table(title: str, rounds: Rounds) -> None:
    """Print the best and the median round of each stage, and how much more than the one before.

    The first round warmed up.
    """
    print(f"\r{title:38}{'':10}more than the line above")
    print(f"{'microseconds of CPU per request':38}{2 * ('best'.rjust(8) + 'median'.rjust(8))}")
    before: tuple[float, ...] | None = None
    for stage, times in zip(STAGES, zip(*rounds[1:], strict=True), strict=True):
        columns = [min(times), median(times)]
        if before:
            differences = [mine - theirs for mine, theirs in zip(times, before, strict=True)]
            columns += [min(times) - min(before), median(differences)]
        print(stage.ljust(38), *(f"{column:8.0f}" for column in columns), sep="")
        before = times
    print(flush=True)


def main() -> None:
    """Print a table for each way to ask, and each number of requests at once."""
    parser = argparse.ArgumentParser(prog="nox -s speed --", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="how many (default: 30)")
    parser.add_argument("--at-once", type=int, nargs="+", default=[32, 8, 1], metavar="REQUESTS")
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        sys.exit("Two cores are needed: one for what is measured, one for what asks it.")
    core, another, *_ = cores
    os.sched_setaffinity(0, {another})
    rounds = arguments.rounds + 1
    with ExitStack() as stack:
        environment = {
            **os.environ,
            **SETTINGS,
            "REDIS_URL": stack.enter_context(throwaway_valkey()),
            "JWT_SECRET_KEY": secrets.token_urlsafe(48),
        }
        for at_once in arguments.at_once:
            measured = measure_calls(core, rounds, at_once, environment)
            print_table(f"Called directly, {at_once} at once", measured)
        servers = [
            stack.enter_context(server(middlewares, core, environment))
            for middlewares in STAGES.values()
        ]
        for at_once in arguments.at_once:
            measured = measure_requests(servers, rounds, at_once)
            print_table(f"Over HTTP, {at_once} at once", measured)


if __name__ == "__main__":
    main()
