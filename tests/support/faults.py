"""What may be wrong with a rendered text, whichever answers made it so."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.support.conditions import counterexample, written
from tests.support.factoring import Sources
from tests.support.features import FEATURES, words_of_what_is_off
from tests.support.files import load_yaml

TEMPLATE_TRACES = re.compile(r"\{%|%\}|\{=|=\}|\{#|jinja|_copier", re.IGNORECASE)

GENERATED = {"uv.lock"}
"""What no person writes, or reads word by word."""


def traces_of_the_template(sources: Sources) -> Iterator[str]:
    """Yield what readers of a project could not make sense of."""
    for path, row, text in sources.texts():
        if TEMPLATE_TRACES.search(path):
            yield path
        if path not in GENERATED and (found := TEMPLATE_TRACES.search(text)):
            yield f"{path}: {found[0]} with {written(row)}"


def traces_of_what_is_off(sources: Sources) -> Iterator[str]:
    """Yield the lines with a word of a feature that is off, or that may be.

    A text that does not depend on a feature is the same when that is off.
    """
    for path, row, text in sources.texts():
        if path in GENERATED:
            continue
        known = {name: row.get(name) for name in FEATURES}
        for feature, words in words_of_what_is_off(known).items():
            if words.search(path):
                yield f"{path} with {written(row)}"
            for line in text.splitlines():
                if words.search(line) and not _is_metrics_own(feature, path, line):
                    yield f"{path}: {line!r} without {feature}, with {written(row)}"


def _is_metrics_own(feature: str, path: str, line: str) -> bool:
    """Return whether it is about the token of /metrics, which is independent of accounts."""
    return feature == "auth" and "metrics" in f"{path} {line}"


def untidy_texts(sources: Sources) -> Iterator[str]:
    """Yield stray blank lines and spaces at an end, which no person would have left."""
    for path, row, text in sources.texts():
        most = 3 if path.endswith((".py", ".mako")) else 2
        faults = {
            "no line break at the end": not text.endswith("\n"),
            "a blank line at the end": text.endswith("\n\n"),
            "a blank line at the beginning": text.startswith("\n"),
            "a space at the end of a line": re.search(r"[ \t]$", text, re.MULTILINE),
            "too many blank lines": "\n" * (most + 1) in text,
        }
        if text and path != "LICENSE":
            yield from (f"{path}: {name} with {written(row)}" for name in faults if faults[name])


def unreadable_data(sources: Sources) -> Iterator[str]:
    """Yield TOML and YAML that does not parse."""
    for path, row, text in sources.texts():
        try:
            if path.endswith((".toml", ".lock")):
                tomllib.loads(text)
            elif path.endswith((".yml", ".yaml")):
                load_yaml(text)
        except ValueError as error:
            yield f"{path}: {error} with {written(row)}"


def empty_directories(sources: Sources) -> Iterator[str]:
    """Yield the directories that are there without a file in some combination."""
    for directory in {str(each) for path in sources.paths for each in PurePosixPath(path).parents}:
        below = [path for path in sources.paths if path.startswith(f"{directory}/")]
        conditions = map(sources.presence, below or sources.paths)
        found = counterexample(sources.domain, sources.presence(directory), *conditions)
        if found is not None:
            yield f"{directory} is empty with {written(found)}"


def lay_out(sources: Sources, directory: Path) -> Path:
    """Write each distinct Python text once, at its path below as many roots as it takes.

    All roots have the settings of the linter, which must not depend on an answer. Returns the root
    that has every module.
    """
    settings = [text for _, text in sources.renderings("pyproject.toml")]
    assert len({repr(tomllib.loads(text)["tool"]["ruff"]) for text in settings}) == 1
    for path in sources.paths:
        if path.endswith(".py"):
            distinct = dict.fromkeys(text for _, text in sources.renderings(path))
            for number, text in enumerate(distinct):
                file = directory / str(number) / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
    for number, root in enumerate(sorted(directory.iterdir())):
        (root / "pyproject.toml").write_text(settings[number % len(settings)], encoding="utf-8")
    return directory / "0"
