"""Whether requests cost more than recorded, beside the floor: for `nox -s regression`.

A ratio is what a request costs the service, divided by what it costs the floor.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from math import comb
from pathlib import Path
from statistics import median

RECORDED = Path(__file__).with_name("recorded.json")

LIMIT = 1.15
"""How much a ratio may grow."""

CONFIDENCE = 0.95

FEWEST_PAIRS = 7
"""Of measurements of CPU time, which vary. Instructions hardly do."""


def bounds(ratios: Sequence[float]) -> tuple[float, float]:
    """Return the interval of the median, from order statistics: no distribution is assumed.

    Each ratio is below the median with probability 1/2, so their number is binomial.

    Raises:
        ValueError: there are fewer than `FEWEST_PAIRS`.
    """
    count = len(ratios)
    if count < FEWEST_PAIRS:
        raise ValueError(f"{count} pairs are fewer than {FEWEST_PAIRS}")
    ordered = sorted(ratios)
    outside, rank = 2 * 0.5**count, 0
    while (wider := outside + 2 * comb(count, rank + 1) * 0.5**count) <= 1 - CONFIDENCE:
        outside, rank = wider, rank + 1
    return ordered[rank], ordered[count - 1 - rank]


def regressions(
    by: str, recorded: Mapping[str, float], measured: Mapping[str, Sequence[float]]
) -> Iterator[str]:
    """Yield a sentence for each case that costs too much, or that only one side has."""
    for case, ratios in measured.items():
        if case not in recorded:
            yield f"{case} has no recorded ratio."
            continue
        present = median(ratios)
        certain = present if by == "instructions" else bounds(ratios)[0]
        if certain > recorded[case] * LIMIT:
            yield (
                f"{case} costs {present:.2f} times the floor's {by}, recorded are "
                f"{recorded[case]:.2f}: {present / recorded[case] - 1:+.0%}, at least "
                f"{certain / recorded[case] - 1:+.0%}; {LIMIT - 1:+.0%} is the limit."
            )
    for case in recorded.keys() - measured.keys():
        yield f"{case} is recorded, but was not measured."


def main() -> None:
    """Compare with what is recorded, or record."""
    parser = argparse.ArgumentParser(prog="nox -s regression --", description=__doc__)
    parser.add_argument("by", choices=("instructions", "cpu"))
    parser.add_argument("measured", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    pairs = json.loads(arguments.measured.read_text(encoding="utf-8"))
    measured = {case: [ours / theirs for theirs, ours in pairs[case]] for case in pairs}
    known = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    if arguments.record:
        known[arguments.by] = {case: round(median(measured[case]), 3) for case in measured}
        RECORDED.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        return
    faults = list(regressions(arguments.by, known.get(arguments.by, {}), measured))
    if faults:
        parser.exit(1, "\n".join([*faults, "`nox -s regression -- --record` accepts this.", ""]))


if __name__ == "__main__":
    main()
