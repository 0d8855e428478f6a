"""The template's questions, read from its `copier.yml`."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any

import yaml

FEATURE_CONDITION = "preset == 'custom'"
"""A question asked only for a custom preset is a feature."""


class UnknownAnswerError(ValueError):
    """An answer to a question that nobody asks. Copier would ignore it without a word."""


@dataclass(frozen=True)
class Questions:
    """The questions by name, as `copier.yml` states them."""

    by_name: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, template: Path) -> "Questions":
        """Read the questions of the template in the directory `template`."""
        config = yaml.safe_load((template / "copier.yml").read_text(encoding="utf-8"))
        return cls({name: question for name, question in config.items() if name[0] != "_"})

    def features(self) -> dict[str, list[Any]]:
        """Return each feature with the answers it takes, the one that turns it off first."""
        return {
            name: [False, True] if question["type"] == "bool" else _choices(question)[::-1]
            for name, question in self.by_name.items()
            if FEATURE_CONDITION in str(question.get("ask", ""))
        }

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield every combination of the features."""
        features = self.features()
        for answers in product(*features.values()):
            yield dict(zip(features, answers, strict=True))

    def require_known(self, names: Iterable[str]) -> None:
        """Refuse answers to unknown questions.

        Raises:
            UnknownAnswerError: naming the first one, and the question that was probably meant.
        """
        for name in names:
            if name not in self.by_name:
                near = get_close_matches(name, self.by_name, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise UnknownAnswerError(f"there is no question {name!r}{hint}")


def _choices(question: Mapping[str, Any]) -> list[Any]:
    choices = question["choices"]
    return list(choices.values()) if isinstance(choices, dict) else list(choices)
