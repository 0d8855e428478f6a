"""Imports that an update breaks."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Leftover:
    """An import of a module or name that no longer exists."""

    path: str
    line: int
    name: str


def leftovers(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[Leftover]:
    """Return the imports in `after` that worked in `before` only.

    Both are files by their paths. A module with conflict markers cannot be parsed; it is left out.
    """
    old, new = _modules(before), _modules(after)
    gone = old.keys() - new.keys()
    lost = {
        module: _lost_names(before[old[module]], after[new[module]])
        for module in old.keys() & new.keys()
    }
    found = []
    for module, path in new.items():
        for line, source, name in _imports(module, path, after[path]):
            target = f"{source}.{name}" if name else source
            if target in new:
                continue
            if source in gone or target in gone or name in lost.get(source, ()):
                found.append(Leftover(path, line, target))
    return found


def _modules(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the path of each module by its dotted name."""
    modules = {}
    for path in files:
        pure = PurePosixPath(path)
        if pure.suffix == ".py":
            parts = pure.with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def _imports(module: str, path: str, source: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield each import: the line, the module and, of a `from`, the name."""
    for node in ast.walk(_parse(source) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = path.endswith("/__init__.py")
                package = module.split(".")
                kept = package[: len(package) - node.level + is_package]
                base = ".".join([*kept, *([base] if base else [])])
            yield from ((node.lineno, base, alias.name) for alias in node.names)


def _lost_names(before: bytes, after: bytes) -> set[str]:
    """Return the names that a module no longer defines; none if it cannot be parsed."""
    if before == after:
        return set()
    old, new = _names(before), _names(after)
    return set() if old is None or new is None else old - new


def _names(source: bytes) -> set[str] | None:
    """Return the names that a module defines, or None if they cannot be known."""
    tree = _parse(source)
    if tree is None:
        return None
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
    return None if names & {"*", "__getattr__"} else names


def _parse(source: bytes) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None
