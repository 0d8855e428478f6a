"""Every task of this repository. `nox --list` names them; CI calls nothing else."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests", "living", "suites"]
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent

DEBIAN = "trixie"
"""The release that programs come from which no package registry of Python has."""

PGBOUNCER = (
    "pgbouncer",
    "libaudit1",
    "libc6",
    "libcap-ng0",
    "libcap2",
    "libcares2",
    "libevent-2.1-7t64",
    "libpam0g",
    "libssl3t64",
    "libsystemd0",
    "libzstd1",
    "zlib1g",
)
"""PgBouncer and its libraries: those of the machine may be older."""

WRK = ("wrk", "libc6", "libluajit-5.1-2", "libssl3t64", "libzstd1", "zlib1g")
"""wrk and its libraries."""

VALGRIND = ("valgrind", "libc6")
"""Valgrind and its library."""

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

NOT_HERE = " and ".join(
    f"not {marker}"
    for marker in (
        "living",
        "suite",
        "pythons",
        "observability",
        "delivery",
        "image",
        "soak",
        "pooler",
        "openapi",
    )
)
"""What has sessions of its own."""

IN_PARALLEL = ("--numprocesses=2", "--dist=loadgroup")
"""Two at a time: it halves the time, and no machine is too small for it."""


def install(session: nox.Session, *groups: str) -> None:
    """Install what uv.lock names into the session's environment, with further groups."""
    session.run_install(
        "uv",
        "sync",
        "--locked",
        "--quiet",
        *(f"--group={group}" for group in groups),
        env={"UV_PROJECT_ENVIRONMENT": session.virtualenv.location, "UV_COMPILE_BYTECODE": "1"},
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and types of this repository's own code."""
    install(session)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Prove every combination right: texts, style, types, lock, imports; ask every question."""
    install(session)
    session.run("pytest", "-m", NOT_HERE, *IN_PARALLEL, *session.posargs)


@nox.session
def quick(session: nox.Session) -> None:
    """Do as lint and tests do, but leave out the types of rendered projects: for daily work."""
    lint(session)
    session.run("pytest", "-m", NOT_HERE, "-k", "not mypy", *IN_PARALLEL, *session.posargs)


@nox.session
def living(session: nox.Session) -> None:
    """Update projects, turn features on and off in them, and try the command on them."""
    install(session)
    session.run("pytest", "-m", "living and not deep", "-v", *IN_PARALLEL, *session.posargs)


@nox.session(tags=["nightly"])
def nightly(session: nox.Session) -> None:
    """Run what passes the time limit of a change: more updates and toggles, and coverage."""
    install(session)
    session.run(
        "pytest", "-m", "(living or coverage) and deep", "-v", *IN_PARALLEL, *session.posargs
    )


@nox.session
def suites(session: nox.Session) -> None:
    """Run the own checks of rendered projects, each in its own environment."""
    install(session)
    session.run("pytest", "-m", "suite and not deep", "-v", *IN_PARALLEL, *session.posargs)


@nox.session(tags=["deep"])
def more_suites(session: nox.Session) -> None:
    """Run the suites of the other rows of the covering array."""
    install(session)
    session.run(
        "pytest", "-m", "suite and deep and not coverage", "-v", *IN_PARALLEL, *session.posargs
    )


@nox.session(tags=["deep"])
def pythons(session: nox.Session) -> None:
    """Run a rendered suite on the default Python: the machine's, or else Debian's (needs root)."""
    install(session)
    with_debian(session, "pythons and not deep", "debootstrap")


@nox.session(tags=["nightly"])
def more_pythons(session: nox.Session) -> None:
    """Run a rendered suite and the image on the other Pythons that are offered."""
    install(session)
    with_debian(session, "(pythons or image) and deep", "debootstrap")


@nox.session(tags=["deep"])
def observability(session: nox.Session) -> None:
    """Hold alerts and dashboards against a real Prometheus."""
    install(session)
    with_debian(session, "observability", "prometheus", "promtool", options=IN_PARALLEL)


@nox.session(tags=["deep"])
def delivery(session: nox.Session) -> None:
    """Check image, compose, proxy, Kubernetes and CI with the tools of each."""
    install(session)
    with_debian(session, "delivery", "docker-compose", "kustomize", options=IN_PARALLEL)


@nox.session(tags=["deep"])
def image(session: nox.Session) -> None:
    """Build the image and run it as production does. Needs root, but no container engine."""
    install(session)
    with_debian(session, "image and not deep", "debootstrap")


@nox.session(tags=["deep"])
def openapi(session: nox.Session) -> None:
    """Hold the OpenAPI document against a running service, as a user and as an admin."""
    install(session, "openapi")
    session.run("pytest", "-m", "openapi", "-v", *session.posargs)


@nox.session(tags=["deep"])
def soak(session: nox.Session) -> None:
    """Run the rendered tests that take a while: load, outages, leaks."""
    install(session)
    session.run("pytest", "-m", "soak", "-v", *session.posargs)


@nox.session(tags=["deep"])
def pooler(session: nox.Session) -> None:
    """Run a rendered service behind PgBouncer in transaction mode."""
    install(session)
    environment = unpack_from_debian(session, *PGBOUNCER)
    use_own_libraries(Path(session.virtualenv.location, "debian"), "usr/sbin/pgbouncer")
    session.run("pytest", "-m", "pooler", "-v", *session.posargs, env=environment)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure services beside a bare FastAPI app, for docs/performance.md. Needs a quiet Linux."""
    install(session)
    environment = unpack_from_debian(session, *WRK)
    use_own_libraries(Path(session.virtualenv.location, "debian"), "usr/bin/wrk")
    projects = [render(session, preset) for preset in ("standard", "full")]
    for project in projects:
        environment["UV_PROJECT_ENVIRONMENT"] = str(project / ".venv")
        with session.chdir(project):
            uv_run = ("uv", "run", "--quiet", "--locked", "pytest", "--quiet")
            session.run(*uv_run, "dev/tests/test_bench.py", external=True, env=environment)
            arguments = f"ARGS={' '.join(session.posargs)}"
            session.run("make", "bench", arguments, external=True, env=environment)
    session.run("python", "-m", "tests.bench.document", *map(str, projects))


@nox.session
def regression(session: nox.Session) -> None:
    """Fail if a request costs 15 % more than recorded; `-- --record` records.

    It counts instructions by Debian's Valgrind. Without Debian, or with `-- --cpu`, it measures CPU
    time.
    """
    install(session)
    by = "instructions" if shutil.which("apt-get") and "--cpu" not in session.posargs else "cpu"
    environment: dict[str, str] = {}
    if by == "instructions":
        environment |= unpack_from_debian(session, *VALGRIND)
        home = Path(session.virtualenv.location, "debian")
        use_own_libraries(home, "usr/bin/valgrind.bin", "valgrind")
        use_own_libraries(home, "usr/bin/vgdb")
        environment["VALGRIND_LIB"] = str(home / "usr" / "libexec" / "valgrind")
    project = render(session, "full")
    environment |= {"UV_PROJECT_ENVIRONMENT": str(project / ".venv"), "PYTHONPATH": str(project)}
    measured = project / ".dev" / "costs.json"
    measured.parent.mkdir(exist_ok=True)
    uv_run = ("uv", "run", "--quiet", "--locked", "--project", str(project))
    count = str(ROOT / "tests" / "bench" / "count.py")
    with session.chdir(project):  # where the service finds its migrations
        session.run(*uv_run, count, by, str(measured), external=True, env=environment)
    options = [option for option in session.posargs if option != "--cpu"]
    session.run("python", "-m", "tests.bench.regression", by, str(measured), *options)


def render(session: nox.Session, preset: str) -> Path:
    """Render a project with a preset, and return its directory."""
    project = Path(session.create_tmp(), preset).resolve()
    options = ("--quiet", "--defaults", "--overwrite", "--data", f"preset={preset}")
    session.run("copier", "copy", *options, str(ROOT), str(project))
    return project


def with_debian(
    session: nox.Session, marker: str, *packages: str, options: Iterable[str] = ()
) -> None:
    """Run the tests with a marker beside the programs of Debian packages."""
    environment = unpack_from_debian(session, *packages)
    session.run("pytest", "-m", marker, "-v", *options, *session.posargs, env=environment)


def unpack_from_debian(session: nox.Session, *packages: str) -> dict[str, str]:
    """Unpack packages of one release of Debian, whichever the machine has. Nothing is installed.

    Returns the environment in which their programs run.
    """
    home = Path(session.virtualenv.location, "debian")
    targets = ("apt-get", "indextargets", "--format=$(REPO_URI)", "Created-By: Packages")
    mirror = str(session.run(*targets, external=True, silent=True)).split()[0]
    for directory in ("lists/partial", "cache/archives/partial"):
        (home / "apt" / directory).mkdir(parents=True, exist_ok=True)
    sources = home / "apt" / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {mirror} {DEBIAN} main\n", encoding="utf-8")
    options = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "-",
        "Dir::State::Lists": home / "apt" / "lists",
        "Dir::Cache": home / "apt" / "cache",
        "APT::Sandbox::User": "root",
    }
    apt_get = ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in options.items())]
    with session.chdir(home):
        session.run(*apt_get, "update", external=True, silent=True)
        for package in packages:
            if not list(home.glob(f"{package}_*.deb")):
                session.run(*apt_get, "download", package, external=True, silent=True)
            (archive,) = home.glob(f"{package}_*.deb")
            session.run("dpkg", "--extract", archive.name, ".", external=True)
    plugins = home / "usr" / "libexec" / "docker" / "cli-plugins"
    path = [home / "bin", plugins, home / "usr" / "bin", home / "usr" / "sbin", os.environ["PATH"]]
    return {
        "PATH": os.pathsep.join(map(str, path)),
        "DEBOOTSTRAP_DIR": str(home / "usr" / "share" / "debootstrap"),
    }


def use_own_libraries(home: Path, program: str, name: str = "") -> None:
    """Write a script that runs an unpacked program with the unpacked libraries."""
    (loader,) = home.glob("usr/lib/*/ld-linux-*.so.?")
    script = home / "bin" / (name or Path(program).name)
    script.parent.mkdir(exist_ok=True)
    command = f'"{loader}" --library-path "{loader.parent}" "{home}/{program}" "$@"'
    script.write_text(f"#!/bin/sh\nexec {command}\n", encoding="utf-8")
    script.chmod(0o755)


@nox.session
def lock(session: nox.Session) -> None:
    """Lock the rendered project's dependencies anew: `nox -s lock -- --upgrade` renews them."""
    install(session)
    session.run("python", "-m", "tests.support.lock", *session.posargs)
    session.run("pytest", "-k", "lock")
