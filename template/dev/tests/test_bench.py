"""`make bench`: the report, the load by wrk, and the floor beside the service."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dev.bench.__main__ import main
from dev.bench.case import CLIENTS, Request, get
from dev.bench.cases import build_cases
from dev.bench.client import AnswerError, ask
from dev.bench.environment import prepared_environment
from dev.bench.load import LoadError, Sample, parse, send_at_full_speed, send_at_rate
from dev.bench.measurement import Round, summarise
from dev.bench.report import Figures, Row, Start, bars, table
from dev.bench.servers import FLOOR, SERVICE, Server, running
from dev.bench.usage import cpu_seconds, memory_mib, parse_time

# What wrk 4.1.0 printed.
PRINTED = """\
Running 1s test @ http://127.0.0.1:45415/live
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   538.34us  102.59us   2.10ms   85.13%
    Req/Sec     7.46k   161.94     7.69k    72.73%
  Latency Distribution
     50%  522.00us
     75%  550.00us
     90%  596.00us
     99%    0.95ms
  8149 requests in 1.10s, 1.11MB read
Requests/sec:   7408.56
Transfer/sec:      1.01MB
"""
ERRORS = PRINTED.replace("Requests/sec", "  Non-2xx or 3xx responses: 6918\nRequests/sec")
CLOSED = PRINTED.replace(
    "Requests/sec", "  Socket errors: connect 0, read 29980, write 0, timeout 0\nRequests/sec"
)
NOTHING = PRINTED.replace("8149 requests", "0 requests")


def test_output_of_wrk_is_read() -> None:
    assert parse(PRINTED) == Sample(8149, 7408.56, 0.522, 0.95)


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (ERRORS, "Non-2xx or 3xx responses: 6918"),
        (CLOSED, "Socket errors: connect 0, read 29980"),
        (NOTHING, "counted no request"),
        ("", "counted no request"),
    ],
)
def test_failures_are_no_results(printed: str, message: str) -> None:
    """A server that answers with errors is quick."""
    with pytest.raises(LoadError, match=message):
        parse(printed)


def test_missing_wrk_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything starts, with the package to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    result = CliRunner().invoke(main, ["--output", str(tmp_path / "output")])
    assert result.exit_code == 1
    assert "wrk is missing. Debian: apt install wrk; macOS: brew install wrk" in result.output
    assert not (tmp_path / "output").exists()


def test_medians_are_of_the_ratios_in_each_round() -> None:
    """The machine became slower from round to round, for both."""

    def measured(cpu_us: float, per_second: float) -> Round:
        return Round(cpu_us, Sample(100, per_second, 9, 9), Sample(100, 50, cpu_us, 2 * cpu_us))

    pairs = [
        (measured(10, 1000), measured(20, 500)),
        (measured(20, 500), measured(60, 125)),
        (measured(40, 250), measured(80, 100)),
    ]
    row = summarise("/live", pairs)
    assert row == Row("/live", 0.4, 2, Figures(20, 20, 40), Figures(60, 60, 120))


ROWS = [
    Row("/", 0.5, 2.125, Figures(100.4, 0.54, 1), Figures(210, 1, 2.25)),
    Row("longer", 1.25, 1, Figures(1, 1, 1), Figures(1, 1, 1)),
]


def test_table() -> None:
    lines = table(ROWS, Start(0.5, 70.4), Start(1.25, 110)).splitlines()
    assert "| `/` | 0.50 | 2.12 | 100 / 210 | 0.5 / 1.0 | 1.0 / 2.2 |" in lines
    assert "| CPU seconds to the first response | 0.50 | 1.25 |" in lines
    assert "| Idle memory, MiB | 70 | 110 |" in lines


def test_bars_are_as_long_as_the_throughput() -> None:
    floor, first, second = bars(ROWS).splitlines()
    assert floor == f"floor  {40 * '░'} 1.00"
    assert first == f"/      {20 * '█'} 0.50"
    assert second == f"longer {50 * '█'} 1.25"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("  0:01.25\n", 1.25), ("12:00.50", 720.5), ("01:02:03", 3723), ("2-00:00:01", 172_801)],
)
def test_times_of_ps(text: str, seconds: float) -> None:
    """Those of macOS, and of others."""
    assert parse_time(text) == seconds


BUSY = """
import time
from threading import Thread

def work():
    while time.thread_time() < 0.2:
        pass

thread = Thread(target=work)
thread.start()
thread.join()
print("done", flush=True)
input()
"""


def test_threads_that_have_ended_count() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        assert cpu_seconds(process.pid) >= 0.2
        assert memory_mib(process.pid) > 1
        process.communicate("\n")


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server]]:
    """The floor and the service, on one database."""
    with (
        prepared_environment() as variables,
        running(FLOOR, set(), variables) as floor,
        running(SERVICE, set(), variables) as service,
    ):
        yield floor, service


def test_floor_gives_the_answers_of_the_service(servers: tuple[Server, Server]) -> None:
    """Otherwise, it would do less than what is compared."""
    floor, service = servers
    for case in build_cases(service):
        theirs = json.loads(ask(floor.port, case.floor[0]))
        ours = json.loads(ask(service.port, case.service[0]))
        if case.name == "/health":  # which the floor lacks
            continue
        assert theirs.keys() <= ours.keys()
        for name, value in theirs.items():
            assert type(ours[name]) is type(value)
            if not isinstance(value, str):  # such as the rows of a page
                assert ours[name] == value
            if isinstance(value, list):
                assert len(value) == 20


def test_error_is_raised(servers: tuple[Server, Server]) -> None:
    with pytest.raises(AnswerError, match="GET /nowhere: 404"):
        ask(servers[0].port, Request("/nowhere", CLIENTS[0]))


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_refuses_errors(servers: tuple[Server, Server]) -> None:
    floor, _ = servers
    assert send_at_full_speed(floor.port, get("/live"), connections=2, seconds=1).requests > 0
    assert send_at_rate(floor.port, get("/live"), per_second=100, seconds=1).requests > 0
    with pytest.raises(LoadError, match="Non-2xx"):
        send_at_full_speed(floor.port, get("/nowhere"), connections=2, seconds=1)
