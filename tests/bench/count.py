"""Count what a request costs the service and the floor of a rendered project.

It runs with the project's Python, and takes everything from its `dev/bench`. Both servers run on
one core and get the same number of requests, eight at a time, in turn. Every tenth request is
traced, by the caller's decision instead of by chance.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from dev.bench.case import Request
from dev.bench.cases import build_cases
from dev.bench.client import send
from dev.bench.environment import prepared_environment
from dev.bench.measurement import wait_until_idle
from dev.bench.servers import FLOOR, SERVICE, Server, running, split_cores
from dev.bench.usage import cpu_seconds

AT_ONCE = 8

REQUESTS = {"instructions": 80, "cpu": 2000}
"""In one round, to each server. Valgrind makes a server about fifty times slower."""

LOGINS = {"instructions": 8, "cpu": 80}
"""The same for a login, which costs as much as a hundred other requests."""

WARM_UP = 200
"""Requests that fill caches: those of the service and of the interpreter."""

PAIRS = {"instructions": 3, "cpu": 9}

START_TIMEOUT = 600
"""Seconds for a server to start in Valgrind."""

VARIABLES = {
    "OTEL_TRACES_SAMPLER_ARG": "0",
    "PYTHONHASHSEED": "0",
    # In Valgrind, everything is slow.
    "REDIS_TIMEOUT": "60",
    "REQUEST_TIMEOUT": "3600",
    "SLOW_QUERY_SECONDS": "3600",
    "SLOW_REQUEST_SECONDS": "3600",
}

TRACED = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}

Meter = Callable[[Server, Callable[[], None]], float]
"""Returns what the server spends while a function runs."""


def send_all(port: int, requests: Sequence[Request], count: int) -> None:
    """Send so many requests, in turn, over as many connections as are used at once."""
    wanted = [
        replace(request, headers={**request.headers, **TRACED}) if number % 10 == 0 else request
        for number, request in enumerate(islice(cycle(requests), count))
    ]

    def send_part(first: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT)
        for request in wanted[first::AT_ONCE]:
            send(connection, request)
        connection.close()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(send_part, range(AT_ONCE)))


def cpu_time(server: Server, work: Callable[[], None]) -> float:
    """Return the CPU time that the server spends on the work, in seconds."""
    before = cpu_seconds(server.process_id)
    work()
    wait_until_idle(server)
    used: float = cpu_seconds(server.process_id) - before
    return used


class Instructions:
    """Counts the instructions that a server executes, by Callgrind."""

    def __init__(self, directory: Path) -> None:
        self._output = directory / "callgrind.out"

    @property
    def command(self) -> list[str]:
        """The beginning of the server's command."""
        output = f"--callgrind-out-file={self._output}.%p"
        return ["valgrind", "--quiet", "--tool=callgrind", "--instr-atstart=no", output]

    def __call__(self, server: Server, work: Callable[[], None]) -> float:
        """Return the number of instructions that the server executes for the work."""
        self._control(server, "instrumentation on")
        self._control(server, "zero")
        work()
        self._control(server, "dump")
        self._control(server, "instrumentation off")
        (dump,) = self._output.parent.glob(f"{self._output.name}.{server.process_id}.*")
        (total,) = re.findall(r"^totals: (\d+)", dump.read_text(encoding="utf-8"), re.MULTILINE)
        dump.unlink()
        return int(total)

    def _control(self, server: Server, command: str) -> None:
        arguments = ["vgdb", f"--pid={server.process_id}", *command.split()]
        subprocess.run(arguments, check=True, capture_output=True)


def count(
    by: str, prefix: Sequence[str], meter: Meter, variables: Mapping[str, str]
) -> dict[str, list[tuple[float, float]]]:
    """Return for each case what a request costs floor and service, for each pair of rounds."""
    core, others = split_cores()
    if others:
        os.sched_setaffinity(0, others)
    floor_command, service_command = (
        [*prefix, sys.executable, *program] for program in (FLOOR, SERVICE)
    )
    pairs: dict[str, list[tuple[float, float]]] = {}
    with (
        running(floor_command, core, variables, START_TIMEOUT) as floor,
        running(service_command, core, variables, START_TIMEOUT) as service,
    ):
        for case in build_cases(service):
            if case.name == "/health" and by == "instructions":
                continue  # its checks have a time limit that they may exceed in Valgrind
            print(f"{case.name}:", end="", file=sys.stderr, flush=True)
            is_login = case.name == "login"
            number = (LOGINS if is_login else REQUESTS)[by]
            sides = ((floor, case.floor), (service, case.service))
            for server, requests in sides:
                send_all(server.port, requests, AT_ONCE if is_login else WARM_UP)
            pairs[case.name] = []
            for _ in range(PAIRS[by]):
                costs = []
                for server, requests in sides:
                    work = partial(send_all, server.port, requests, number)
                    costs.append(meter(server, work) / number)
                pairs[case.name].append((costs[0], costs[1]))
                print(f" {costs[1] / costs[0]:.3f}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
    return pairs


def main() -> None:
    """Write the pairs of each case as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("by", choices=PAIRS)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    with TemporaryDirectory() as directory, prepared_environment() as variables:
        instructions = Instructions(Path(directory))
        prefix, meter = (
            (instructions.command, instructions)
            if arguments.by == "instructions"
            else ([], cpu_time)
        )
        pairs = count(arguments.by, prefix, meter, {**variables, **VARIABLES})
    arguments.output.write_text(json.dumps(pairs), encoding="utf-8")


if __name__ == "__main__":
    main()
