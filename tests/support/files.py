"""Reading and changing files."""

import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.support.template import PARTS, ROOT


class _YAML(yaml.SafeLoader):
    """Knows that compose files have tags of their own."""


def _without_tag(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node)
    return node.value


_YAML.add_multi_constructor("!", _without_tag)


def load_yaml(text: str) -> Any:
    """Parse YAML as `yaml.safe_load` does, but that of compose files as well."""
    return yaml.load(text, _YAML)  # noqa: S506  # it is a safe one


def replace_in(file: Path, found: str, instead: str) -> None:
    """Put one text in the place of another, which must be there."""
    text = file.read_text(encoding="utf-8")
    assert found in text
    file.write_text(text.replace(found, instead), encoding="utf-8")


def copy_template(directory: Path) -> Path:
    """Copy the template as it is now, without its history, and return the directory."""
    for part in PARTS:
        source, copy = ROOT / part, directory / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy)
        else:
            shutil.copy(source, copy)
    return directory
