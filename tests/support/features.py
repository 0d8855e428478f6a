"""What the tests know of each feature: the part `_tests` of its file under extensions/features."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.template import QUESTIONS, ROOT

FILES = ROOT / "extensions" / "features"


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature, as the tests see it."""

    name: str

    answers: tuple[Any, ...]
    """What its question takes: the first turns it off, the last is the usual one of the others."""

    words: Mapping[Any, re.Pattern[str]]
    """By each answer that turns it on: words that may only stand in a project with that answer."""

    dependencies: bool = False
    """Whether it brings libraries."""

    own_code: str = ""
    """An import that the owner's code may have while the feature is on."""

    @property
    def off(self) -> Any:
        """The answer that turns it off."""
        return self.answers[0]

    @property
    def on(self) -> Any:
        """The usual answer that turns it on."""
        return self.answers[-1]

    @property
    def has_code(self) -> bool:
        """Whether it has Python code, which a project's own tests run."""
        return bool(self.own_code)

    @classmethod
    def read(cls, name: str, answers: list[Any]) -> "Feature":
        """Read the part of the feature's file that is for the tests."""
        table = yaml.safe_load((FILES / f"{name}.yml").read_text(encoding="utf-8"))["_tests"]
        words = table.pop("words")
        by_answer = words if isinstance(words, dict) else {answers[-1]: words}
        flags = re.IGNORECASE | re.VERBOSE
        return cls(
            name=name,
            answers=tuple(answers),
            words={answer: re.compile(text, flags) for answer, text in by_answer.items()},
            **table,
        )


FEATURES = {name: Feature.read(name, answers) for name, answers in QUESTIONS.features().items()}
"""The features by name, in the order in which they are asked."""

DEPLOYED = tuple(feature.name for feature in FEATURES.values() if not feature.has_code)
"""Features without code that a suite runs: what they add has checks of its own."""


def read_by(pattern: str) -> tuple[str, ...]:
    """Return the features that the conditions of template files read."""
    found = (ROOT / "template").glob(pattern)
    texts = [path.read_text(encoding="utf-8") for path in found if path.is_file()]
    assert texts, f"no file of the template is like {pattern}"
    conditions = [each for text in texts for each in re.findall(r"# \{% (?:el)?if (.+?) %\}", text)]
    words = set(re.findall(r"\w+", " ".join(conditions)))
    return tuple(name for name in FEATURES if name in words)


def words_of_what_is_off(answers: Mapping[str, Any]) -> dict[str, re.Pattern[str]]:
    """Return the words that may not stand in a project, each by its feature or its choice."""
    return {
        feature.name if answer is True else str(answer): words
        for feature in FEATURES.values()
        for answer, words in feature.words.items()
        if answers[feature.name] != answer
    }
