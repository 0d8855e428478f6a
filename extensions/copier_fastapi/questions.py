"""The questions of the template, read the way Copier reads them, but strictly."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from copier._template import load_template_config
from copier.errors import ConfigFileError, UnsupportedVersionError

from copier_fastapi.errors import RefusedError

FEATURE_CONDITION = "preset == 'custom'"
"""A question asked only for a custom preset is a feature."""

SWITCH = {
    **dict.fromkeys(("true", "yes", "on", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "n", "0"), False),
}
"""What may be written for yes and no."""


NOT_READABLE = (UnsupportedVersionError, ConfigFileError, TypeError)
"""What Copier raises where a `copier.yml` is written for a later version of it."""


class NewerTemplateError(RefusedError):
    """The template is written in a way that this version of the command does not know."""

    def __init__(self) -> None:
        """Say what helps."""
        super().__init__(
            "the template needs a newer copier-fastapi: pip install --upgrade copier-fastapi"
        )


class UnknownAnswerError(RefusedError):
    """An answer to a question that nobody asks, or one that the question does not take."""


@dataclass(frozen=True)
class Questions:
    """The questions by name, as `copier.yml` and what it includes state them."""

    by_name: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, template: Path) -> "Questions":
        """Read the questions of the template in the directory `template`.

        Raises:
            NewerTemplateError: if they cannot be read.
        """
        try:
            config = load_template_config(template / "copier.yml", quiet=True)
        except NOT_READABLE:
            raise NewerTemplateError from None
        return cls({name: question for name, question in config.items() if name[0] != "_"})

    def features(self) -> dict[str, list[Any]]:
        """Return each feature with the answers it takes, the one that turns it off first."""
        return {
            name: [False, True] if question.get("type") == "bool" else self.choices(name)[::-1]
            for name, question in self.by_name.items()
            if FEATURE_CONDITION in str(question.get("ask", ""))
        }

    def choices(self, name: str) -> list[Any]:
        """Return what a question lets one choose from; nothing, if it takes any text.

        Raises:
            NewerTemplateError: if the choices are no list.
        """
        choices = self.by_name[name].get("choices", ())
        if isinstance(choices, str):  # a template, which Copier renders
            raise NewerTemplateError
        values = choices.values() if isinstance(choices, dict) else choices
        return [value["value"] if isinstance(value, dict) else value for value in values]

    def require_known(self, names: Iterable[str]) -> None:
        """Refuse answers to unknown questions.

        Raises:
            UnknownAnswerError: naming the first one, and the question that was probably meant.
        """
        for name in names:
            if name not in self.by_name:
                raise UnknownAnswerError(
                    f"there is no question {name!r}{_hint(name, self.by_name)}"
                )

    def parse(self, texts: Iterable[str]) -> dict[str, Any]:
        """Return the answers written as `name=answer`.

        Raises:
            UnknownAnswerError: naming what is wrong, and what was probably meant.
        """
        answers = {}
        for text in texts:
            name, equals, answer = text.partition("=")
            if not equals:
                raise UnknownAnswerError(f"{text!r} is no answer: write question=answer")
            self.require_known([name])
            answers[name] = self._answer(name, answer)
        return answers

    def parse_changes(self, texts: Iterable[str]) -> dict[str, Any]:
        """Return the answers written as `name=answer`, for a service that is there already.

        Raises:
            UnknownAnswerError: naming what is wrong, also a preset, which would change nothing:
                every feature has an answer of its own by now.
        """
        answers = self.parse(texts)
        if "preset" in answers:
            raise UnknownAnswerError(
                "a preset is what a new service begins with: use `add` and `remove`"
            )
        return answers

    def turn_on(self, features: Iterable[str]) -> dict[str, Any]:
        """Return the answers that turn features on, written as `redis` or `ci=gitlab`.

        Raises:
            UnknownAnswerError: naming what is wrong, and what was probably meant.
        """
        answers = {}
        for text in features:
            name, equals, answer = text.partition("=")
            off, *on = self._feature(name)
            if equals:
                answers[name] = self._answer(name, answer)
            elif len(on) == 1:
                answers[name] = on[0]
            else:
                ways = " or ".join(f"{name}={way}" for way in on[::-1])
                raise UnknownAnswerError(f"there is more than one {name}: write {ways}")
            if answers[name] == off:
                raise UnknownAnswerError(f"{text!r} turns {name} off: use `remove {name}`")
        return answers

    def turn_off(self, features: Iterable[str]) -> dict[str, Any]:
        """Return the answers that turn features off, written by their names.

        Raises:
            UnknownAnswerError: naming what is wrong, and what was probably meant.
        """
        return {name: self._feature(name)[0] for name in features}

    def _feature(self, name: str) -> list[Any]:
        features = self.features()
        if name not in features:
            ways = {f"{each}={way}": way for each in features for way in self.choices(each)}
            by_way = [written for written, way in ways.items() if way == name]
            hint = f"; did you mean {by_way[0]!r}?" if by_way else _hint(name, features)
            raise UnknownAnswerError(
                f"there is no feature {name!r}{hint} There are: {', '.join(features)}"
            )
        return features[name]

    def _answer(self, name: str, text: str) -> Any:
        if self.by_name[name].get("type") == "bool":
            known: Mapping[str, Any] = SWITCH
            text, expected = text.lower(), "true or false"
        else:
            known = {str(choice): choice for choice in self.choices(name)}
            expected = ", ".join(known)
        if known and text not in known:
            raise UnknownAnswerError(
                f"{name} cannot be {text!r}{_hint(text, known)} It takes {expected}"
            )
        return known.get(text, text)


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else "."
