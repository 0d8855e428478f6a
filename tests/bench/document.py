"""Write the reports of `make bench` into docs/performance.md: for `nox -s bench`."""

import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"

GENERATED = re.compile(r"(?<=<!-- begin: nox -s bench -->\n).*(?=<!-- end -->)", re.DOTALL)


def with_reports(text: str, reports: Mapping[str, str]) -> str:
    """Return the document with these reports, by preset, instead of the earlier ones."""
    parts = [
        f"## {preset.capitalize()}\n\n{report.strip()}\n\n"
        f"![Throughput beside the floor](performance-{preset}.png)\n\n"
        for preset, report in reports.items()
    ]
    block = "\n" + "".join(parts)
    return GENERATED.sub(lambda _: block, text)


def main(projects: list[Path]) -> None:
    """Take report and plot of each project; the name of its directory is its preset."""
    reports = {}
    for project in projects:
        found = project / ".dev" / "bench"
        reports[project.name] = (found / "report.md").read_text(encoding="utf-8")
        shutil.copy(found / "plot.png", DOCS / f"performance-{project.name}.png")
    document = DOCS / "performance.md"
    text = document.read_text(encoding="utf-8")
    document.write_text(with_reports(text, reports), encoding="utf-8")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
