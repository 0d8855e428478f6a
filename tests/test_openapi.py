"""The OpenAPI document, held against a running service by Schemathesis (`nox -s openapi`)."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.services import ask, free_port, running, wait_for
from tests.support.shell import clean_environment, run
from tests.support.template import ROOT, Render

pytestmark = pytest.mark.openapi

SERVE = """
app migrate
app create-admin --email boss@example.com --username boss --generate-password > admin.txt
exec app serve --port $PORT
"""

CHEAP = {"ARGON2_MEMORY_COST": "8", "ARGON2_TIME_COST": "1"}


class Document(BaseHTTPRequestHandler):
    """An item that may be imported."""

    def do_GET(self) -> None:
        body = b'{"title": "Pocket atlas"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def document() -> Iterator[str]:
    """Serve the item on the loopback interface, and yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Document) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/atlas.json"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def project(render: Render) -> Path:
    project = render(preset="full")
    run(project, "uv", "sync", "--locked", "--quiet")
    return project


@pytest.fixture(scope="module")
def service(project: Path) -> Iterator[str]:
    """A full service with an admin and without rate limits."""
    port = free_port()
    environment = CHEAP | {
        "PORT": str(port),
        "RATE_LIMIT_ENABLED": "false",
        "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8",
        "LOG_FORMAT": "json",
    }
    with running(project, "uv", "run", "app", "dev", "sh", "-ec", SERVE, **environment):
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: ask(f"{url}/ready"))
        yield url


@pytest.mark.parametrize("who", ["user", "admin"])
def test_service_is_as_its_document_says(
    service: str, project: Path, tmp_path: Path, who: str
) -> None:
    """X24: examples, limits of each schema, random and stateful calls: no 5xx, no violation."""
    environment = {
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": "tests.openapi.hooks",
        "SERVICE_URL": service,
    }
    if who == "admin":
        printed = (project / "admin.txt").read_text(encoding="utf-8")
        environment["ADMIN_PASSWORD"] = re.findall(r"shown only now: (\S+)", printed)[0]
    with document() as environment["DOCUMENT_URL"]:
        result = subprocess.run(
            [
                Path(sys.executable).with_name("st"),
                f"--config-file={ROOT / 'tests' / 'openapi' / 'schemathesis.toml'}",
                "run",
                f"{service}/openapi.json",
                "--continue-on-failure",
                "--no-color",
            ],
            cwd=tmp_path,
            env=clean_environment() | environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert re.search(rf"✅ +{phase} ", result.stdout), result.stdout
    selected, total = re.findall(r"(\d+) selected / (\d+) total", result.stdout)[0]
    assert selected == total
    assert int(re.findall(r"(\d+) covered", result.stdout)[0]) > 0
    assert '"level": "error"' not in (project / "output.log").read_text(encoding="utf-8")
