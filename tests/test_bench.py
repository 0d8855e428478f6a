"""What `nox -s regression` decides, and what `nox -s bench` writes."""

import random
from statistics import median

import pytest

from tests.bench.document import DOCS, GENERATED, with_reports
from tests.bench.regression import FEWEST_PAIRS, bounds, regressions

RECORDED = {"/live": 2.0}


@pytest.mark.parametrize(
    ("count", "rank"), [(7, 0), (8, 0), (9, 1), (11, 1), (12, 2), (15, 3), (25, 7)]
)
def test_interval_of_the_median(count: int, rank: int) -> None:
    """The ranks of the tables for a confidence of 95 %, counted from zero."""
    ratios = [float(number) for number in range(count)]
    random.Random(1).shuffle(ratios)  # noqa: S311  # the order must not matter
    assert bounds(ratios) == (rank, count - 1 - rank)


def test_few_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 7"):
        bounds([1.0] * (FEWEST_PAIRS - 1))


@pytest.mark.parametrize(("ratio", "is_fault"), [(2.3, False), (2.31, True), (1.0, False)])
def test_instructions_decide_by_their_median(ratio: float, is_fault: bool) -> None:
    """15 % more is allowed. One round in which spans were sent does not matter."""
    found = list(regressions("instructions", RECORDED, {"/live": [ratio, ratio, 9.0]}))
    assert bool(found) == is_fault


def test_cpu_time_decides_by_the_lower_bound() -> None:
    """A median above the limit is not enough: chance may have caused it."""
    noisy = [2.2, 2.4, 2.5, 2.5, 2.6, 2.7, 2.8]
    assert median(noisy) > 2 * 1.15
    assert not list(regressions("cpu", RECORDED, {"/live": noisy}))
    certain = [2.4, *noisy[1:]]
    assert list(regressions("cpu", RECORDED, {"/live": certain}))


def test_a_fault_names_case_and_ratios() -> None:
    (fault,) = regressions("instructions", RECORDED, {"/live": [3.0] * 3})
    for word in ("/live", "3.00", "2.00", "+50%", "+15%"):
        assert word in fault


def test_cases_without_a_counterpart_are_faults() -> None:
    found = list(regressions("instructions", RECORDED, {"/new": [1.0] * 3}))
    assert found == ["/new has no recorded ratio.", "/live is recorded, but was not measured."]


def test_only_the_generated_part_changes() -> None:
    """docs/performance.md has the marks, and what a person wrote stays."""
    text = (DOCS / "performance.md").read_text(encoding="utf-8")
    written = with_reports(text, {"standard": "First.", "full": "Second \\1."})
    assert "## Standard\n\nFirst.\n" in written
    assert "## Full\n\nSecond \\1.\n" in written
    assert GENERATED.sub("", written) == GENERATED.sub("", text)
    assert with_reports(written, {"full": "Third."}).count("## ") < written.count("## ")
