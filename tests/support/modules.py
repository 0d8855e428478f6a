"""What Python files import from each other, and what they define, under which conditions."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from tests.support.conditions import Condition, Row, counterexample, written
from tests.support.factoring import Sources


@dataclass(frozen=True)
class Import:
    """A module, or a name in it, that another module needs."""

    module: str
    name: str | None = None

    is_attribute: bool = False
    """Whether it is read as `module.name`, where `module` may just as well be a class."""

    def __str__(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass(frozen=True)
class Module:
    """What matters to others in the text of a module."""

    imports: frozenset[Import]
    defined: frozenset[str]


@cache
def parse(text: str, package: str) -> Module:
    """Read a module. `package` is what it lies in, from which relative imports go."""
    tree = ast.parse(text)
    imports = set()
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {Import(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: -node.level + 1 or None] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                imports.add(Import(module, alias.name))
                bound[alias.asname or alias.name] = f"{module}.{alias.name}"
    shadowed = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    shadowed |= {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    imports |= {
        Import(bound[node.value.id], node.attr, is_attribute=True)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in bound.keys() - shadowed
    }
    return Module(frozenset(imports), frozenset(_defined(tree.body)))


def _defined(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names at the top of a module, also behind `if`, `try` and `with`."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Import | ast.ImportFrom):
                yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)


class Modules:
    """The Python files of a template."""

    def __init__(self, sources: Sources) -> None:
        """Take the files that the sources have."""
        self.sources = sources
        self.paths = [path for path in sources.paths if path.endswith(".py")]
        self.own = {path.split("/")[0] for path in self.paths if "/" in path}

    @cached_property
    def imports(self) -> dict[str, dict[Import, Condition]]:
        """Of each file: what it imports, and when."""
        return {path: self._conditions(path, "imports") for path in self.paths}

    @cached_property
    def defined(self) -> dict[str, dict[str, Condition]]:
        """Of each file: what it defines, and when."""
        return {path: self._conditions(path, "defined") for path in self.paths}

    def _conditions(self, path: str, part: str) -> dict[Any, Condition]:
        package = path.removesuffix(".py").rpartition("/")[0].replace("/", ".")
        rows: dict[Any, list[Row]] = defaultdict(list)
        for row, text in self.sources.renderings(path):
            for each in getattr(parse(text, package), part):
                rows[each].append(row)
        return {each: self.sources.condition(path, found) for each, found in rows.items()}

    def missing(self) -> Iterator[str]:
        """Yield each import of our own that is not there in some combination, and name that one."""
        for path, imports in self.imports.items():
            for wanted, condition in imports.items():
                if wanted.module.split(".")[0] not in self.own or (
                    wanted.is_attribute and not self._files_of(wanted.module)
                ):
                    continue
                found = counterexample(self.sources.domain, condition, *self._sources_of(wanted))
                if found is not None:
                    yield f"{path}: {wanted} is missing with {written(found)}"

    def _sources_of(self, wanted: Import) -> Iterator[Condition]:
        """Yield the conditions under which there is what is imported, from one place or another."""
        for path in self._files_of(wanted.module):
            if wanted.name is None:
                yield self.sources.presence(path)
            for name, condition in self.defined[path].items():
                if name in (wanted.name, "__getattr__"):
                    yield condition
        if wanted.name is not None:
            for path in self._files_of(f"{wanted.module}.{wanted.name}"):
                yield self.sources.presence(path)

    def _files_of(self, module: str) -> list[str]:
        path = module.replace(".", "/")
        return [file for file in (f"{path}.py", f"{path}/__init__.py") if file in self.imports]
