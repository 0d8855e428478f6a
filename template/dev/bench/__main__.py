"""`make bench`."""

import os
from pathlib import Path

import click

from dev.bench.cases import build_cases
from dev.bench.client import AnswerError
from dev.bench.environment import prepared_environment
from dev.bench.load import LoadError, find_wrk, wrk_version
from dev.bench.measurement import measure, measure_starts
from dev.bench.report import bars, conditions, table, write_plot
from dev.bench.servers import FLOOR, SERVICE, running, split_cores
from dev.process import ServerError


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True)
@click.option("--only", multiple=True, metavar="CASE", help="Measure this case; repeat for more.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".dev/bench"),
    show_default=True,
    help="The directory for report.md and plot.png.",
)
def main(rounds: int, only: tuple[str, ...], output: Path) -> None:
    """Measure what a request costs beside the floor, a bare FastAPI app.

    Both servers run on one core and take turns, so what slows the machine down slows both. wrk,
    the databases and the reader of the log have the other cores. A round asks at full speed over
    32 connections, then at a fixed rate. Figures are medians of the rounds. If a request fails,
    nothing is reported. It takes about eight minutes on a quiet machine.
    """
    try:
        find_wrk()
        _run(rounds, only, output)
    except (AnswerError, LoadError, ServerError) as error:
        raise click.ClickException(str(error)) from None


def _run(rounds: int, only: tuple[str, ...], output: Path) -> None:
    core, others = split_cores()
    if others:
        os.sched_setaffinity(0, others)
    with prepared_environment() as variables:
        starts = measure_starts(core, variables, _print_progress)
        with running(FLOOR, core, variables) as floor, running(SERVICE, core, variables) as service:
            cases = build_cases(service)
            names = [case.name for case in cases]
            if unknown := set(only) - set(names):
                raise LoadError(f"There is no case {', '.join(unknown)}, only {', '.join(names)}.")
            rows = [
                measure(case, floor, service, rounds, _print_progress)
                for case in cases
                if not only or case.name in only
            ]
    where = conditions(len(core | others), rounds, wrk_version())
    report = f"{where}\n\n{table(rows, *starts)}\n"
    click.echo(f"\n{report}\n{bars(rows)}\n")
    output.mkdir(parents=True, exist_ok=True)
    (output / "report.md").write_text(report, encoding="utf-8")
    try:
        write_plot(rows, output / "plot.png")
    except ModuleNotFoundError:
        click.echo("There is no plot.png, because matplotlib is missing.", err=True)
    click.echo(f"Written to {output}.", err=True)


def _print_progress(text: str) -> None:
    click.echo(text, nl=False, err=True)


if __name__ == "__main__":
    main(prog_name="make bench")
