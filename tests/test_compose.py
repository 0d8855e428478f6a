"""Dockerfile, compose files and the proxy, each checked by its own tool (`nox -s delivery`)."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml

from tests.support.features import read_by
from tests.support.files import replace_in
from tests.support.services import ask, free_port, running, wait_for
from tests.support.shell import run
from tests.support.template import QUESTIONS, Render

pytestmark = pytest.mark.delivery

IN_PRODUCTION = (
    *("--env-file=production.env", "--file=compose.yaml", "--file=compose.production.yaml"),
    "--profile=*",
)

FEATURES = read_by("compose*.jinja")
"""Those that compose files speak of."""


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    version = ["docker-compose", "version", "--short"]
    if not shutil.which("docker-compose") or run(Path.cwd(), *version).startswith("1."):
        pytest.fail("There is no docker-compose of our days: run `nox -s delivery`.")


def prepared(project: Path) -> Path:
    """Provide what docs/compose.md asks for."""
    example = (project / ".env.example").read_text(encoding="utf-8")
    (project / ".env").write_text(example.replace("change-me", token_urlsafe(48)))
    (project / "production.env").write_text("IMAGE=registry.example.com/x:1\nDOMAIN=example.com\n")
    return project


@pytest.fixture(scope="module")
def full(render: Render) -> Path:
    return prepared(render(preset="full"))


def compose(project: Path, *options: str) -> dict[str, Any]:
    """Return the services that docker-compose understands."""
    text = run(project, "docker-compose", *options, "config")
    services: dict[str, Any] = yaml.safe_load(text)["services"]
    return services


@pytest.mark.parametrize("choice", list(product([False, True], repeat=len(FEATURES))))
def test_compose_files_are_right(render: Render, choice: tuple[bool, ...]) -> None:
    """F8, F17, S4: in every variant, for development and for production."""
    answers = dict(zip(FEATURES, choice, strict=True))
    project = prepared(render(preset="minimal", **answers))
    check(project, answers)


def check(project: Path, answers: dict[str, bool]) -> None:
    check_development(compose(project, "--profile=*"), answers)
    check_production(compose(project, *IN_PRODUCTION), answers)


def check_development(services: dict[str, Any], answers: dict[str, bool]) -> None:
    """Hold what starts on a developer's machine against what is promised."""
    expected = {"app", "migrate", "postgres"}
    expected |= {"redis"} if answers["redis"] else set()
    expected |= {"prometheus", "grafana"} if answers["metrics"] else set()
    expected |= {"jaeger"} if answers["tracing"] else set()
    assert services.keys() == expected
    assert waits_for(services, "app", "migrate") == "service_completed_successfully"
    assert waits_for(services, "migrate", "postgres") == "service_healthy"
    if answers["redis"]:
        assert waits_for(services, "app", "redis") == "service_healthy"
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", f"{name} is open to the network"
        assert (service.get("profiles") == ["observability"]) is (
            name in {"prometheus", "grafana", "jaeger"}
        )
    check_hardening(services)


def check_production(services: dict[str, Any], answers: dict[str, bool]) -> None:
    """Hold what starts on a server against what is promised."""
    assert not services.keys() & {"postgres", "redis"}
    app = services["app"]
    assert app["environment"]["ENVIRONMENT"] == "production"
    names = {"database_ca", "database_url", "metrics_token"}
    names |= {"redis_url"} if answers.get("redis", True) else set()
    names |= {"jwt_secret_key", "jwt_previous_secret_key"} if answers.get("auth", True) else set()
    for service in (app, services["migrate"]):
        (secrets,) = service["volumes"]
        assert Path(secrets["source"]).name == "secrets"
        assert secrets["target"] == "/run/secrets"
        assert secrets["read_only"], "the service may write secrets"
        assert not secrets["bind"].get("create_host_path"), "it would start without secrets"
        assert not {name.lower() for name in service["environment"]} & names, "secret in a variable"
        assert "build" not in service
        assert "ports" not in service
    assert waits_for(services, "proxy", "app") == "service_healthy"
    assert waits_for(services, "app", "migrate") == "service_completed_successfully"
    assert {port["published"] for port in services["proxy"]["ports"]} == {"80", "443"}
    check_hardening(services)


def check_hardening(services: dict[str, Any]) -> None:
    """Hold what we built, and what faces the public, against what Kubernetes calls restricted."""
    for name, service in services.items():
        assert "memory" in service["deploy"]["resources"]["limits"], f"{name} may take all memory"
        if name in {"app", "migrate", "proxy"}:
            assert service["read_only"], f"{name} may write"
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
    grace = services["app"]["stop_grace_period"]
    least = 28 if services["app"]["environment"]["ENVIRONMENT"] == "production" else 23
    assert int(grace.removesuffix("s")) >= least, "requests under way are cut off"


def waits_for(services: dict[str, Any], service: str, other: str) -> object:
    return services[service]["depends_on"][other]["condition"]


@pytest.mark.parametrize(
    ("file", "found", "instead"),
    [
        ("compose.yaml", "env_file", "env_flie"),
        ("compose.yaml", "condition: service_healthy", "condition: service_helthy"),
        ("compose.yaml", "networks: [edge, data]", "networks: [edge, date]"),
        ("compose.yaml", '"postgres:/var', '"postgers:/var'),
        ("compose.yaml", '"127.0.0.1:8000:8000"', '"8000:8000"'),
        ("compose.yaml", "service_completed_successfully", "service_started"),
        ("compose.yaml", "read_only: true", "read_only: false"),
        ("compose.yaml", "cap_drop: [ALL]", "cap_drop: []"),
        ("compose.yaml", "stop_grace_period: 25s", "stop_grace_period: 5s"),
        ("compose.yaml", ", memory: 512M, pids", ", pids"),
        ("compose.production.yaml", "source: ./secrets", "sorce: ./secrets"),
        ("compose.production.yaml", "target: /run/secrets", "target: /run/secret"),
        ("compose.production.yaml", "      read_only: true", "      read_only: false"),
        ("compose.production.yaml", "create_host_path: false", "create_host_path: true"),
        ("compose.production.yaml", "PGSSLROOTCERT", "JWT_SECRET_KEY"),
        ("compose.production.yaml", "environment: !override", "environment:"),
        ("compose.production.yaml", "build: !reset null", "stdin_open: false"),
        ("compose.production.yaml", "postgres: !reset null", "x: !reset null"),
        ("compose.production.yaml", "stop_grace_period: 30s", "stop_grace_period: 10s"),
    ],
)
def test_checks_notice(full: Path, tmp_path: Path, file: str, found: str, instead: str) -> None:
    """A compose file that is broken is refused, by docker-compose or by us."""
    project = broken(full, tmp_path, file, found, instead)
    answers = dict.fromkeys(FEATURES, True)
    with pytest.raises((AssertionError, KeyError, pytest.fail.Exception)):
        check(project, answers)


def broken(project: Path, home: Path, file: str, found: str, instead: str) -> Path:
    """Return a copy of the project with a fault."""
    copied = shutil.copytree(project, home / "broken")
    replace_in(copied / file, found, instead)
    return copied


@pytest.mark.parametrize("version", QUESTIONS.choices("python_version"))
def test_dockerfile_is_right(render: Render, version: str) -> None:
    run(render(preset="standard", python_version=version), "hadolint", "Dockerfile")


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ("-slim AS build", " AS bulid"),
        ("python:3.14-slim", "python:latest"),
        ('CMD ["app", "serve"]', "CMD app serve"),
        ("WORKDIR /app", "WORKDIR app"),
        ("USER 10001", "USER root"),
        ("--no-install-recommends ", ""),
        ("uv sync", "sudo uv sync"),
        ("EXPOSE 8000", "EXPOSE 80000"),
    ],
)
def test_hadolint_notices(full: Path, tmp_path: Path, found: str, instead: str) -> None:
    project = broken(full, tmp_path, "Dockerfile", found, instead)
    assert subprocess.run(["hadolint", "Dockerfile"], cwd=project, check=False).returncode != 0


@pytest.mark.parametrize("tracing", [False, True])
@pytest.mark.parametrize("metrics", [False, True])
def test_proxys_configuration_is_right(render: Render, metrics: bool, tracing: bool) -> None:
    project = render(preset="minimal", metrics=metrics, tracing=tracing)
    caddyfile = ("--adapter", "caddyfile", "--config", "deploy/proxy/Caddyfile")
    environment = {"DOMAIN": "api.example.com", "HOME": str(project)}
    run(project, "caddy", "validate", *caddyfile, **environment)
    adapted = run(project, "caddy", "adapt", *caddyfile, **environment)
    assert ('"/metrics"' in adapted) is metrics
    assert ('{"delete":["traceparent"]}' in adapted) is tracing
    rules = [path.relative_to(project) for path in project.glob("deploy/proxy/*.caddy")]
    assert ("metrics" in {rule.stem for rule in rules}) is metrics
    assert ("tracing" in {rule.stem for rule in rules}) is tracing
    for file in (Path("deploy/proxy/Caddyfile"), *rules):
        run(project, "caddy", "fmt", "--diff", file)


def test_x10_proxy_ends_connections_first(full: Path) -> None:
    """X10: a connection that the service closes must not be one that the proxy still uses."""
    caddyfile = ("--adapter", "caddyfile", "--config", "deploy/proxy/Caddyfile")
    environment = {"DOMAIN": "api.example.com", "HOME": str(full)}
    adapted = run(full, "caddy", "adapt", *caddyfile, **environment)
    (nanoseconds,) = re.findall(r'"keep_alive":{"idle_timeout":(\d+)}', adapted)
    settings = (full / ".env.example").read_text(encoding="utf-8")
    (seconds,) = re.findall(r"^KEEP_ALIVE_TIMEOUT=(\d+)$", settings, re.MULTILINE)
    assert int(nanoseconds) / 1e9 < int(seconds)


@pytest.fixture(scope="module")
def proxied(full: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the proxy, in front of a running service; its patience is a second."""
    run(full, "uv", "sync", "--locked", "--no-dev", "--quiet")
    home = tmp_path_factory.mktemp("proxy")
    port, behind = free_port(), free_port()
    shutil.copytree(full / "deploy" / "proxy", home, dirs_exist_ok=True)
    for found, instead in {
        "{$DOMAIN}": f"http://127.0.0.1:{port}",
        "app:8000": f"127.0.0.1:{behind}",
        "read_header 10s": "read_header 1s",
        "read_body 30s": "read_body 1s",
    }.items():
        replace_in(home / "Caddyfile", found, instead)
    with ExitStack() as stack:
        serve = [full / ".venv" / "bin" / "app", "serve", "--port", str(behind)]
        stack.enter_context(running(full, *map(str, serve)))
        stack.enter_context(running(home, "caddy", "run", "--config", str(home / "Caddyfile")))
        wait_for(lambda: ask(f"http://127.0.0.1:{behind}/live"))
        wait_for(lambda: ask(f"http://127.0.0.1:{port}/"))
        yield port


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics"])
def test_proxy_hides_what_is_internal(proxied: int, path: str) -> None:
    """O7."""
    with pytest.raises(HTTPError, match="404"):
        ask(f"http://127.0.0.1:{proxied}{path}")


@pytest.mark.parametrize(
    "unfinished",
    [
        b"GET / HTTP/1.1\r\nHost: te",
        b"POST /api/v1/auth/register HTTP/1.1\r\nHost: test\r\nContent-Length: 99\r\n\r\n{",
    ],
    ids=["header", "body"],
)
def test_f11_slow_clients(proxied: int, unfinished: bytes) -> None:
    """F11: 500 clients that never finish delay no other client, and are disconnected."""
    with ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", proxied)))
            for _ in range(500)
        ]
        for client in slow:
            client.sendall(unfinished)
        assert "Welcome" in ask(f"http://127.0.0.1:{proxied}/")
        deadline = time.monotonic() + 20
        for client in slow:
            client.settimeout(max(0.1, deadline - time.monotonic()))
            while client.recv(4096):
                pass
