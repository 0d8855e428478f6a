"""The feature files: one for each feature, and whole."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.features import FEATURES, FILES, Feature
from tests.support.template import ROOT

CONDITION = re.compile(r"# \{% if (?P<condition>.+) %\}\n(?P<paths>(?:.+\n)+)# \{% endif %\}\n")
"""A block of files, as `_exclude` of a feature file has them."""

SAFE = re.compile(r"\b(\w+) \| default\((?:false|'none')\)")
"""What a condition may ask: a feature that an older version may not have had."""

QUESTION_KEYS = {"type", "help", "default", "ask", "choices", "validator"}


def config_of(feature: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((FILES / f"{feature}.yml").read_text(encoding="utf-8"))
    return config


def blocks_of(feature: str) -> list[tuple[str, list[str]]]:
    """Return the conditions of a feature file, each with the paths that it takes away."""
    blocks = []
    for pattern in config_of(feature)["_exclude"]:
        block = CONDITION.fullmatch(pattern)
        assert block, f"{feature}.yml: no block of files: {pattern}"
        blocks.append((block["condition"], block["paths"].splitlines()))
    return blocks


def test_copier_yml_includes_each_once() -> None:
    text = (ROOT / "copier.yml").read_text(encoding="utf-8")
    included = re.findall(r"^---\n!include extensions/features/(\w+)\.yml$", text, re.MULTILINE)
    assert included == list(FEATURES)
    assert set(included) == {path.stem for path in FILES.iterdir()}


def test_copier_yml_is_a_table_of_contents() -> None:
    """What grows with the features stands in their files, but for two lines each."""
    text = (ROOT / "copier.yml").read_text(encoding="utf-8")
    without_validators, found = re.subn(r"(?m)^  validator: >-\n(    .*\n)+", "", text)
    assert found
    assert len(without_validators.splitlines()) < 150


@pytest.mark.parametrize("feature", FEATURES)
def test_question_is_whole(feature: str) -> None:
    config = config_of(feature)
    assert config.keys() - {"_skip_if_exists"} == {feature, "_exclude", "_tests"}
    assert {"type", "help", "default", "ask"} <= config[feature].keys() <= QUESTION_KEYS
    assert "preset" in config[feature]["default"]
    assert config[feature]["ask"] == "{= preset == 'custom' =}"


@pytest.mark.parametrize("feature", FEATURES)
def test_every_path_exists(feature: str) -> None:
    """A name that is mistyped, or of a file that left, would switch nothing."""
    for _, paths in blocks_of(feature):
        for path in paths:
            source = ROOT / "template" / path
            assert source.exists() or source.with_name(f"{source.name}.jinja").exists(), path


def test_no_path_is_named_twice() -> None:
    named = Counter(path for each in FEATURES for _, paths in blocks_of(each) for path in paths)
    assert [path for path, times in named.items() if times > 1] == []


@pytest.mark.parametrize("feature", FEATURES)
def test_conditions(feature: str) -> None:
    """They hold for answers of an older version, and stand with the feature asked last."""
    asked = list(FEATURES)
    for condition, _ in blocks_of(feature):
        names = SAFE.findall(condition)
        assert names.count(feature) == 1, condition
        assert max(names, key=asked.index) == feature, condition
        rest = re.sub(r"'\w+'|[()=!]|\b(?:and|or|not)\b", "", SAFE.sub("", condition))
        assert not rest.strip(), condition


def test_what_tests_know_is_read_strictly() -> None:
    for feature in FEATURES.values():
        assert set(feature.words) == set(feature.answers[1:])
    with pytest.raises(TypeError, match="dependancies"):
        Feature(name="a", answers=(False, True), words={}, dependancies=True)  # type: ignore[call-arg]


PROGRAMS = [
    ROOT / "noxfile.py",
    *(ROOT / "extensions").rglob("*.py"),
    *(ROOT / "tests").rglob("*.py"),
]


@pytest.mark.parametrize("file", PROGRAMS, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_program_lists_the_features(file: Path) -> None:
    """A list, set or mapping of three or more features alone would have to grow with them.

    Answers beside a preset do not: they stand for themselves.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    listed = [names for node in ast.walk(tree) if len(names := set(texts_of(node))) > 2]
    assert [names for names in listed if names <= FEATURES.keys()] == []


def texts_of(node: ast.AST) -> Iterator[str]:
    """Yield the texts of a literal: its elements, or its keys."""
    elements = (
        node.elts
        if isinstance(node, ast.List | ast.Tuple | ast.Set)
        else node.keys
        if isinstance(node, ast.Dict)
        else ()
    )
    for element in elements:
        if isinstance(element, ast.Constant) and isinstance(element.value, str):
            yield element.value
