"""The results for people."""

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("fastapi", "starlette", "pydantic", "sqlalchemy", "asyncpg", "uvicorn", "uvloop")

BAR = 40
"""Characters of a bar that is as long as the floor's."""


@dataclass(frozen=True)
class Figures:
    """What requests of one case cost one server."""

    cpu_us: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Row:
    """One case."""

    name: str
    throughput: float
    """Requests per second: the service's divided by the floor's."""

    cpu: float
    """CPU time of a request: the service's divided by the floor's."""

    floor: Figures
    service: Figures


@dataclass(frozen=True)
class Start:
    """What a server uses before the first request of a client."""

    cpu_seconds: float
    memory_mib: float


def table(rows: Sequence[Row], floor: Start, service: Start) -> str:
    """Return two tables in Markdown."""
    lines = [
        ["Request", "Throughput", "CPU time", "CPU µs", "p50 ms", "p99 ms"],
        ["---", *["--:"] * 5],
        *(
            [
                f"`{row.name}`",
                f"{row.throughput:.2f}",
                f"{row.cpu:.2f}",
                f"{row.floor.cpu_us:.0f} / {row.service.cpu_us:.0f}",
                f"{row.floor.p50_ms:.1f} / {row.service.p50_ms:.1f}",
                f"{row.floor.p99_ms:.1f} / {row.service.p99_ms:.1f}",
            ]
            for row in rows
        ),
    ]
    starts = [
        ["Before the first request", "Floor", "Service"],
        ["---", "--:", "--:"],
        [
            "CPU seconds to the first response",
            f"{floor.cpu_seconds:.2f}",
            f"{service.cpu_seconds:.2f}",
        ],
        ["Idle memory, MiB", f"{floor.memory_mib:.0f}", f"{service.memory_mib:.0f}"],
    ]
    return (
        "Throughput and CPU time are the service's divided by the floor's. "
        f"The others are floor / service.\n\n{_markdown(lines)}\n\n{_markdown(starts)}"
    )


def bars(rows: Sequence[Row]) -> str:
    """Return a plot of the throughput for the terminal."""
    longest = max(len(row.name) for row in rows)
    drawn = [("floor", 1.0, "░"), *((row.name, row.throughput, "█") for row in rows)]
    return "\n".join(
        f"{name:{longest}} {round(share * BAR) * block} {share:.2f}" for name, share, block in drawn
    )


def write_plot(rows: Sequence[Row], path: Path) -> None:
    """Write the same plot as a PNG.

    Raises:
        ModuleNotFoundError: matplotlib is missing. `make bench` adds it for the run.
    """
    from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]

    figure = Figure(figsize=(8, 0.5 * len(rows) + 1.5), layout="constrained")
    axes = figure.subplots()
    drawn = axes.barh([row.name for row in rows], [row.throughput for row in rows])
    axes.bar_label(drawn, fmt="%.2f", padding=4)
    axes.axvline(1, color="black", linewidth=1, linestyle="--")
    axes.margins(x=0.1)  # room for the labels
    axes.invert_yaxis()
    axes.set_xlabel("Requests per second, divided by those of a bare FastAPI app")
    figure.savefig(path, dpi=150)


def conditions(cores: int, rounds: int, wrk_version: str) -> str:
    """Return when and where this was measured."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {cores} cores, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"{libraries}, {wrk_version}; medians of {rounds} rounds."
    )


def processor() -> str:
    """Return the model of the CPU."""
    information = Path("/proc/cpuinfo")
    text = information.read_text(encoding="utf-8") if information.exists() else ""
    found = re.search(r"model name\s*: (.+)", text)
    return found[1] if found else platform.processor() or platform.machine()


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
