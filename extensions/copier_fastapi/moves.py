"""The files and names that a version of the template moved, renamed or removed.

`extensions/moves.yml` lists them, as data. A name is dotted: its module, then the name in that
module, as in `app.db.session.get_db`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from copier_fastapi.errors import RefusedError

FILE = "extensions/moves.yml"
"""Where the list stands in the source of the template."""

Version = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a file or a name is now."""

    now: str
    removed: str = ""
    """If it is gone: the reason, or what replaces it, in a sentence."""


@dataclass(frozen=True)
class Section:
    """What one version did. The values of `removals` are sentences."""

    moves: Mapping[str, str] = field(default_factory=dict)
    """Files by their old path. The imports of a module follow from the move of its file."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Names by their old name, if they are not where the move of their module takes them."""
    removals: Mapping[str, str] = field(default_factory=dict)
    """The paths and the names that are gone."""

    def path(self, path: str) -> Place:
        """Return where a file went, which may be nowhere else."""
        return Place(self.moves.get(path, path), self.removals.get(path, ""))

    def name(self, name: str) -> Place:
        """Return where a name or a module went, which may be nowhere else.

        What is said of a name itself counts before what is said of its module.
        """
        for parent, rest in _prefixes(name):
            if parent in self.removals:
                return Place(name, self.removals[parent])
            if parent in self.renames:
                return Place(self.renames[parent] + rest)
            for file in files_of(parent):
                if file in self.removals:
                    return Place(name, self.removals[file])
                if file in self.moves:
                    return Place(module_of(self.moves[file]) + rest)
        return Place(name)


@dataclass(frozen=True)
class Moves:
    """What several versions did, one after the other."""

    sections: Mapping[Version, Section] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | bytes) -> "Moves":
        """Read the list.

        Raises:
            RefusedError: if it is of a later format than this command knows.
        """
        try:
            listed = yaml.safe_load(text) or {}
            return cls({_version(each): _section(listed[each] or {}) for each in sorted(listed)})
        except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            raise RefusedError(
                f"this copier-fastapi cannot read {FILE} of the template: "
                f"upgrade the command, then try again ({error})"
            ) from None

    def since(self, version: str) -> "Moves":
        """Return what came after a version: a tag, or what `git describe` says.

        Versions that cannot be compared come before all others.
        """
        found = re.match(r"v?(\d+(?:\.\d+)*)", version)
        start = _version(found.group(1)) if found and "." in found.group(1) else ()
        return Moves({each: done for each, done in self.sections.items() if each > start})

    def path(self, path: str) -> Place:
        """Return where a file is now."""
        place = Place(path)
        for section in self._in_order():
            if not place.removed:
                place = section.path(place.now)
        return place

    def name(self, name: str) -> Place:
        """Return where a name or a module is now."""
        place = Place(name)
        for section in self._in_order():
            if not place.removed:
                place = section.name(place.now)
        return place

    def _in_order(self) -> Iterator[Section]:
        return (self.sections[version] for version in sorted(self.sections))


def module_of(path: str) -> str:
    """Return the dotted name of the module in a file."""
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files_of(module: str) -> tuple[str, str]:
    """Return the files that a module may be in."""
    path = module.replace(".", "/")
    return f"{path}.py", f"{path}/__init__.py"


def _prefixes(name: str) -> Iterator[tuple[str, str]]:
    """Yield a dotted name, then its parents, each with what follows it in the name."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        yield ".".join(parts[:end]), "".join(f".{part}" for part in parts[end:])


def _version(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def _section(listed: Mapping[str, Any]) -> Section:
    kinds = {kind: dict(entries or {}) for kind, entries in listed.items()}
    texts = [text for entries in kinds.values() for pair in entries.items() for text in pair]
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("every entry is a text")
    return Section(**kinds)
