"""The template's sources, each rendered under all combinations of the answers that it reads.

A file depends on few answers: those that its text reads, and those that decide whether it is there.
Whatever the others are, its text is the same. So all combinations of all features are covered,
although only those of a few are rendered. tests/test_render.py holds that the texts are Copier's.
"""

from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from copier import Worker
from jinja2 import meta, nodes

from copier_fastapi.questions import Questions
from tests.support.conditions import Condition, Row, combinations

ANSWERS_FILE = ".copier-answers.yml"
"""Reads every answer, by its nature."""

MOST_COMBINATIONS = 4096
"""Of one file. One that reads more than a dozen features is to be split."""


class Sources:
    """The sources of a template that lies in a plain directory."""

    def __init__(self, root: Path) -> None:
        """Read the questions, as Copier does, with their default answers."""
        self.questions = Questions.load(root)
        self.domain = self.questions.features()
        self._worker = Worker(
            src_path=str(root),
            dst_path=root / "nowhere",
            data={"preset": "custom"},
            defaults=True,
            quiet=True,
        )
        self._worker._ask()  # noqa: SLF001  # so that the context is Copier's
        self._context = {**self._worker._render_context(), "_copier_operation": "copy"}  # noqa: SLF001
        self._environment = self._worker.jinja_env
        self._folder = self._worker.template_copy_root
        self._matchers = list(self._exclusions())

    @cached_property
    def paths(self) -> dict[str, Path]:
        """The source of each file by its path in a project."""
        files = (path for path in sorted(self._folder.rglob("*")) if path.is_file())
        suffix = self._worker.template.templates_suffix
        paths = {}
        for path in files:
            name = path.relative_to(self._folder).as_posix().removesuffix(suffix)
            assert not self._reads(name), f"the name of {name} depends on a feature: use _exclude"
            paths[self._environment.from_string(name).render(self._context)] = path
        return paths

    @cache  # noqa: B019  # lives as long as its session
    def presence(self, path: str) -> Condition:
        """Return the condition under which a file, or a directory, is there."""
        matching = [
            (names, found)
            for names, matchers in self._matchers
            if (found := [row for row, match in matchers if match(Path(path))])
        ]
        names = {name for names, _ in matching for name in names}

        def is_there(row: Row) -> bool:
            return not any(rows.items() <= row.items() for _, found in matching for rows in found)

        return Condition.of(self.domain, names, is_there)

    @cache  # noqa: B019
    def reads(self, path: str) -> frozenset[str]:
        """Return the features that a file's text depends on."""
        source = self.paths[path]
        if source.suffix != self._worker.template.templates_suffix:
            return frozenset()
        return frozenset(self._reads(source.read_text(encoding="utf-8")))

    def dependence(self, path: str) -> list[str]:
        """Return the features that decide whether a file is there, and what it says."""
        return sorted(self.reads(path) | set(self.presence(path).names))

    def shared(self, feature: str) -> list[str]:
        """Return the files that say something else with the feature, but stay without it."""
        off = {feature: self.domain[feature][0]}
        return [
            path
            for path in self.paths
            if feature in self.reads(path) and self.presence(path).given(off).rows
        ]

    def conditionals(self, path: str) -> int:
        """Return how many conditions a file's source has."""
        source = self.paths[path]
        if source.suffix != self._worker.template.templates_suffix:
            return 0
        tree = self._environment.parse(source.read_text(encoding="utf-8"))
        return len(list(tree.find_all((nodes.If, nodes.CondExpr))))

    @cache  # noqa: B019
    def renderings(self, path: str) -> list[tuple[Row, str]]:
        """Return the texts of a file, each with the answers that make it so."""
        presence = self.presence(path)
        names = self.dependence(path)
        rows = [row for row in combinations(self.domain, names) if presence.holds(row)]
        assert len(rows) <= MOST_COMBINATIONS, f"{path} reads too many features: {names}"
        return [(row, self._render(path, row)) for row in rows]

    def condition(self, path: str, rows: Iterable[Row]) -> Condition:
        """Return the condition that holds for these of a file's rows."""
        names = self.dependence(path)
        chosen = {tuple(row.values()) for row in rows}
        return Condition.of(self.domain, names, lambda row: tuple(row.values()) in chosen)

    def texts(self) -> Iterator[tuple[str, Row, str]]:
        """Yield each file with all its renderings."""
        for path in self.paths:
            if path != ANSWERS_FILE:
                for row, text in self.renderings(path):
                    yield path, row, text

    def project(self, row: Row) -> dict[str, str]:
        """Return all files of one combination of all features, but its answers file."""
        there = [path for path in self.paths if self.presence(path).holds(row)]
        return {path: self._render(path, row) for path in there if path != ANSWERS_FILE}

    def answer(self, name: str) -> Any:
        """Return the default answer to a question that is no feature."""
        return self._context[name]

    def _render(self, path: str, row: Row) -> str:
        source = self.paths[path]
        if source.suffix != self._worker.template.templates_suffix:
            return source.read_text(encoding="utf-8")
        template = self._environment.get_template(
            source.relative_to(self._worker.template.local_abspath).as_posix()
        )
        text: str = template.render(self._answers(row))
        return text

    def _answers(self, row: Row) -> dict[str, Any]:
        """Return what a template sees; other answers are derived anew where they read a feature."""
        answers: dict[str, Any] = {**self._context, **row}
        for name, default in self._derived.items():
            rendered = self._environment.from_string(default).render(answers)
            answers[name] = yaml.safe_load(rendered)
        return answers

    @cached_property
    def _derived(self) -> dict[str, str]:
        return {
            name: str(question["default"])
            for name, question in self.questions.by_name.items()
            if name not in self.domain and self._reads(str(question.get("default", "")))
        }

    def _reads(self, text: str) -> set[str]:
        """Return the features that a template reads, also through other answers and includes."""
        tree = self._environment.parse(text)
        features = set()
        for name in meta.find_undeclared_variables(tree):
            if name in self.domain:
                features.add(name)
            elif name in self.questions.by_name:
                features |= self._reads(str(self.questions.by_name[name].get("default", "")))
        root = Path(self._worker.template.local_abspath)
        for included in meta.find_referenced_templates(tree):
            assert included, "the name of an included file is no constant"
            features |= self._reads((root / included).read_text(encoding="utf-8"))
        return features

    def _exclusions(self) -> Iterator[tuple[set[str], list[tuple[Row, Any]]]]:
        """Yield the patterns of `_exclude`: what each reads, and what it matches then."""
        for pattern in self._worker.all_exclusions:
            names = self._reads(pattern)
            matchers: list[tuple[Row, Any]] = []
            for row in combinations(self.domain, sorted(names)):
                rendered = self._environment.from_string(pattern).render(self._context | row)
                lines = [line for line in rendered.splitlines() if line.strip()]
                if lines:
                    matchers.append((row, self._worker._path_matcher(lines)))  # noqa: SLF001
            yield names, matchers
