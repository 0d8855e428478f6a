"""What was measured, for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One case."""

    name: str
    ratio: float
    """The service's requests per second as a part of the floor's."""

    floor_cost: float
    """Microseconds of CPU of a request."""

    service_cost: float
    p50_ms: float
    p99_ms: float


WIDTH = 40
"""Characters of a bar that is as long as the floor."""


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = [
        "| request | throughput beside the floor | floor µs | service µs | p50 ms | p99 ms |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| `{row.name}` | {row.ratio:.2f} | {row.floor_cost:.0f} | {row.service_cost:.0f} "
        f"| {row.p50_ms:.1f} | {row.p99_ms:.1f} |"
        for row in rows
    ]
    return "\n".join(lines)


def bars(rows: Sequence[Row]) -> str:
    """Return a plot for the terminal: each bar as long as the throughput beside the floor."""
    longest = max(len(row.name) for row in rows)
    drawn = [("floor", 1.0, "░"), *((row.name, row.ratio, "█") for row in rows)]
    return "\n".join(
        f"{name:{longest}} {round(ratio * WIDTH) * block} {ratio:.2f}"
        for name, ratio, block in drawn
    )


def write_plot(rows: Sequence[Row], path: Path) -> None:
    """Write the plot as an image. Needs matplotlib."""
    from matplotlib import pyplot as plt  # type: ignore[import-not-found]  # only for this

    figure, axes = plt.subplots(figsize=(8, 0.5 * len(rows) + 1.5), layout="constrained")
    drawn = axes.barh([row.name for row in rows], [row.ratio for row in rows])
    axes.bar_label(drawn, fmt="%.2f", padding=4)
    axes.axvline(1, color="black", linewidth=1, linestyle="--")
    axes.invert_yaxis()
    axes.set_xlabel("requests per second beside a bare FastAPI app (1 = as many)")
    figure.savefig(path, dpi=150)
