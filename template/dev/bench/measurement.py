"""Measuring the service beside the floor."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from dev.bench.case import Case, Request
from dev.bench.load import LoadError, Sample, send_at_full_speed, send_at_rate
from dev.bench.report import Figures, Row, Start
from dev.bench.servers import FLOOR, SERVICE, Server, running
from dev.bench.usage import cpu_seconds, memory_mib

STARTS = 3
"""How often each server is started to measure its start."""

IDLE = 0.015
"""Seconds of CPU time within a tenth of a second, below which a server is idle."""

IDLE_TIMEOUT = 30
"""Seconds that a server may need to finish requests that wrk no longer waits for."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Round:
    """What one server showed in one round."""

    cpu_us: float
    """CPU time of a request."""

    full_speed: Sample
    paced: Sample


def measure(case: Case, floor: Server, service: Server, rounds: int, progress: Progress) -> Row:
    """Measure both servers in turn. One more round comes before, to warm up.

    Raises:
        LoadError: a request failed.
    """
    progress(f"{case.name}: warm-up")
    pairs = []
    for number in range(1, rounds + 2):
        pairs.append(
            (
                _measure_round(case, case.floor, floor),
                _measure_round(case, case.service, service),
            )
        )
        progress(f" {number}" if number <= rounds else "\n")
    return summarise(case.name, pairs[1:])


def summarise(name: str, pairs: Sequence[tuple[Round, Round]]) -> Row:
    """Return the medians of all rounds, and of the ratios within each, floor first."""
    return Row(
        name,
        throughput=median(
            service.full_speed.per_second / floor.full_speed.per_second for floor, service in pairs
        ),
        cpu=median(service.cpu_us / floor.cpu_us for floor, service in pairs),
        floor=_figures([floor for floor, _ in pairs]),
        service=_figures([service for _, service in pairs]),
    )


def measure_starts(
    cores: set[int], variables: Mapping[str, str], progress: Progress
) -> tuple[Start, Start]:
    """Start floor and service in turn, and return the medians of each, in this order."""
    progress("start:")
    floor: list[Start] = []
    service: list[Start] = []
    for number in range(1, STARTS + 1):
        for program, starts in ((FLOOR, floor), (SERVICE, service)):
            with running(program, cores, variables) as server:
                wait_until_idle(server)
                starts.append(Start(server.start_seconds, memory_mib(server.process_id)))
        progress(f" {number}")
    progress("\n")
    return _median_start(floor), _median_start(service)


def wait_until_idle(server: Server) -> None:
    """Wait until the server has finished everything.

    Raises:
        LoadError: it takes longer than `IDLE_TIMEOUT`.
    """
    deadline = time.monotonic() + IDLE_TIMEOUT
    used = cpu_seconds(server.process_id)
    while time.monotonic() < deadline:
        time.sleep(0.1)
        before, used = used, cpu_seconds(server.process_id)
        if used - before < IDLE:
            return
    raise LoadError(f"A server is still busy {IDLE_TIMEOUT} seconds after the last request.")


def _measure_round(case: Case, requests: Sequence[Request], server: Server) -> Round:
    before = cpu_seconds(server.process_id)
    full_speed = send_at_full_speed(server.port, requests, case.connections, case.seconds)
    wait_until_idle(server)
    used = cpu_seconds(server.process_id) - before
    paced = send_at_rate(server.port, requests, case.per_second, 3 * case.seconds)
    wait_until_idle(server)
    return Round(used / full_speed.requests * 1e6, full_speed, paced)


def _figures(rounds: Sequence[Round]) -> Figures:
    return Figures(
        median(each.cpu_us for each in rounds),
        median(each.paced.p50_ms for each in rounds),
        median(each.paced.p99_ms for each in rounds),
    )


def _median_start(starts: Sequence[Start]) -> Start:
    return Start(
        median(each.cpu_seconds for each in starts), median(each.memory_mib for each in starts)
    )
