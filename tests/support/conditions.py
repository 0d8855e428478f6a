"""Conditions on the answers, decided by the truth table of the few answers that each reads."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Row = Mapping[str, Any]
"""Answers by the names of their questions: of all features, or of some."""

Domain = Mapping[str, Sequence[Any]]
"""The answers that each feature takes."""


@dataclass(frozen=True)
class Condition:
    """Where something holds: the answers of a few features, in the order of `names`."""

    names: tuple[str, ...]
    rows: frozenset[tuple[Any, ...]]

    @classmethod
    def of(cls, domain: Domain, names: Iterable[str], holds: Callable[[Row], bool]) -> "Condition":
        """Try all combinations of the named answers; keep the names that make a difference."""
        names = sorted(set(names))
        rows = {tuple(row.values()) for row in combinations(domain, names) if holds(row)}
        for name in names.copy():
            place = names.index(name)
            others = {row[:place] + row[place + 1 :] for row in rows}
            if len(others) * len(domain[name]) == len(rows):
                names.remove(name)
                rows = others
        return cls(tuple(names), frozenset(rows))

    @property
    def is_always(self) -> bool:
        """Whether it holds for all answers."""
        return not self.names and bool(self.rows)

    def holds(self, row: Row) -> bool:
        """Return whether it holds, given at least the answers that it reads."""
        return tuple(row[name] for name in self.names) in self.rows

    def given(self, row: Row) -> "Condition":
        """Return the condition on the other answers, given some of them."""
        free = [place for place, name in enumerate(self.names) if name not in row]
        rows = {
            tuple(answers[place] for place in free)
            for answers in self.rows
            if all(row.get(name, a) == a for name, a in zip(self.names, answers, strict=True))
        }
        return Condition(tuple(self.names[place] for place in free), frozenset(rows))


def combinations(domain: Domain, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield every combination of the named answers."""
    names = list(names)
    for answers in product(*(domain[name] for name in names)):
        yield dict(zip(names, answers, strict=True))


def counterexample(domain: Domain, premise: Condition, *others: Condition) -> Row | None:
    """Return answers where the premise holds, but none of the others does; `None` if none do."""
    for answers in premise.rows:
        row = dict(zip(premise.names, answers, strict=True))
        if (found := _escape(domain, row, others)) is not None:
            return found
    return None


def _escape(domain: Domain, row: dict[str, Any], others: Iterable[Condition]) -> Row | None:
    """Extend a row so that none of the conditions holds. Only answers that matter are tried."""
    undecided = [left for other in others if (left := other.given(row)).rows]
    if any(not left.names for left in undecided):
        return None
    if not undecided:
        return row
    name = undecided[0].names[0]
    for answer in domain[name]:
        if (found := _escape(domain, row | {name: answer}, undecided)) is not None:
            return found
    return None


def written(row: Row) -> str:
    """Return answers as a person reads them."""
    return ", ".join(f"{name}={answer}" for name, answer in row.items()) or "always"
