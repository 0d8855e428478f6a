"""Every task of this repository. `nox --list` names them; CI calls nothing else."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from itertools import accumulate, combinations, groupby, product
from operator import itemgetter
from pathlib import Path

import nox

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "tests", "living", "suites"]
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
LOCK = ROOT / "template" / "uv.lock.jinja"

DEBIAN = "trixie"
"""The release that programs come from which no package registry of Python has."""

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

DEPENDENCY_FEATURES = ("auth", "example", "redis", "metrics", "tracing")
"""The features that bring dependencies of their own."""

NOT_HERE = " and ".join(
    f"not {marker}" for marker in ("living", "suite", "observability", "delivery", "image", "soak")
)
"""What has sessions of its own."""

IN_PARALLEL = ("--numprocesses=2", "--dist=loadgroup")
"""Two at a time: it halves the time, and no machine is too small for it."""

Answers = dict[str, bool]
Blocks = dict[str, list[tuple[str, str]]]
"""The lines of a lock by the name of their package, each with the key that it stands under."""


def install(session: nox.Session) -> None:
    """Install what uv.lock names into the session's environment."""
    session.run_install(
        "uv",
        "sync",
        "--locked",
        "--quiet",
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
    """Render every combination and check it: style, types, lock, imports; ask every question."""
    install(session)
    session.run("pytest", "-m", NOT_HERE, *IN_PARALLEL, *session.posargs)


@nox.session
def quick(session: nox.Session) -> None:
    """Check style and types, and render the outermost combinations: for daily work."""
    lint(session)
    session.run("pytest", "-m", f"{NOT_HERE} and not inner", *IN_PARALLEL, *session.posargs)


@nox.session
def living(session: nox.Session) -> None:
    """Update projects, turn features on and off in them, and try the command on them."""
    install(session)
    session.run("pytest", "-m", "living", "-v", *IN_PARALLEL, *session.posargs)


@nox.session
def suites(session: nox.Session) -> None:
    """Run the own checks of rendered projects, each in its own environment."""
    install(session)
    session.run("pytest", "-m", "suite and not deep", "-v", *IN_PARALLEL, *session.posargs)


@nox.session(tags=["deep"])
def more_suites(session: nox.Session) -> None:
    """Run the suites of the other rows of the covering array."""
    install(session)
    session.run("pytest", "-m", "suite and deep", "-v", *IN_PARALLEL, *session.posargs)


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
    with_debian(session, "image", "debootstrap")


@nox.session(tags=["deep"])
def soak(session: nox.Session) -> None:
    """Run the rendered tests that take a while: load, outages, leaks."""
    install(session)
    session.run("pytest", "-m", "soak", "-v", *session.posargs)


@nox.session
def speed(session: nox.Session) -> None:
    """Measure what the standard service costs beside a bare FastAPI app. Needs a quiet Linux."""
    install(session)
    environment = unpack_from_debian(session, "wrk")
    project = Path(session.create_tmp(), "project").resolve()
    environment |= {"UV_PROJECT_ENVIRONMENT": str(project / ".venv"), "PYTHONPATH": str(project)}
    session.run("copier", "copy", "--quiet", "--defaults", "--overwrite", str(ROOT), str(project))
    uv_run = ("uv", "run", "--quiet", "--locked", "--project", str(project))
    measure = ROOT / "tests" / "speed" / "measure.py"
    session.run(*uv_run, str(measure), *session.posargs, external=True, env=environment)


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
    path = [plugins, home / "usr" / "bin", home / "usr" / "sbin", os.environ["PATH"]]
    return {
        "PATH": os.pathsep.join(map(str, path)),
        "DEBOOTSTRAP_DIR": str(home / "usr" / "share" / "debootstrap"),
    }


@nox.session
def lock(session: nox.Session) -> None:
    """Lock the rendered project's dependencies anew: `nox -s lock -- --upgrade` renews them."""
    install(session)
    with tempfile.TemporaryDirectory() as directory:
        everything = dict.fromkeys(DEPENDENCY_FEATURES, True)
        whole = lock_of(session, everything, Path(directory, "whole"), *session.posargs)
        LOCK.write_text(whole, encoding="utf-8")  # so that each variant takes its versions
        variants: list[tuple[Answers, Blocks]] = []
        for number, choice in enumerate(product([True, False], repeat=len(DEPENDENCY_FEATURES))):
            answers = dict(zip(DEPENDENCY_FEATURES, choice, strict=True))
            text = lock_of(session, answers, Path(directory, str(number)), "--offline")
            variants.append((answers, blocks_of(text)))
    LOCK.write_text("\n".join(conditional(whole, variants)) + "\n", encoding="utf-8")
    session.run("pytest", "-k", "lock")


def lock_of(session: nox.Session, answers: Answers, project: Path, *options: str) -> str:
    """Return the lock of a variant, with the project's name as the answer it is."""
    data = [f"--data={name}={str(value).lower()}" for name, value in answers.items()]
    preset = ["--data=preset=full", "--data=project_slug=project-slug"]
    session.run("copier", "copy", "--quiet", "--defaults", *preset, *data, str(ROOT), str(project))
    session.run("uv", "lock", "--quiet", "--directory", str(project), *options, external=True)
    text = (project / "uv.lock").read_text(encoding="utf-8")
    text, found = re.subn(
        '^name = "project-slug"$', 'name = "{= project_slug =}"', text, flags=re.MULTILINE
    )
    if found != 1:
        session.error(f"expected the project once in its lock, found it {found} times")
    return text


def blocks_of(text: str) -> Blocks:
    """Split a lock at its packages."""
    blocks = {}
    for block in text.split("\n[[package]]\n"):
        lines = block.splitlines()
        blocks[lines[0]] = list(zip(accumulate(lines, key_of), lines, strict=True))
    return blocks


def key_of(before: str, line: str) -> str:
    """Return the key that a line stands under, given that of the line before."""
    return before if line.startswith(" ") else line


def conditional(whole: str, variants: list[tuple[Answers, Blocks]]) -> Iterator[str]:
    """Yield the template whose renderings are all the variants' locks.

    A variant lacks whole lines. If it differs in any other way, the test of its lock fails.
    """
    for number, (name, lines) in enumerate(blocks_of(whole).items()):
        rows = [*(["", "[[package]]"] if number else []), *(line for _, line in lines)]
        frame = len(rows) - len(lines)
        needs = [
            condition([(answers, row in blocks.get(name, ())) for answers, blocks in variants])
            for row in lines
        ]
        # What frames a package goes with its name.
        for needed, group in groupby(
            zip([needs[0]] * frame + needs, rows, strict=True), itemgetter(0)
        ):
            texts = [row for _, row in group]
            yield from [f"# {{% if {needed} %}}", *texts, "# {% endif %}"] if needed else texts


def condition(present: list[tuple[Answers, bool]]) -> str:
    """Return the shortest expression that holds exactly where something is present."""
    features = DEPENDENCY_FEATURES
    pairs = [f"{a} {word} {b}" for word in ("or", "and") for a, b in combinations(features, 2)]
    triples = [f"{a} and ({b} or {c})" for a in features for b, c in combinations(features, 2)]
    for expression in ("True", *features, *pairs, *triples):
        if all(eval(expression, {}, answers) == there for answers, there in present):  # noqa: S307  # our own words
            return "" if expression == "True" else expression
    raise ValueError(f"no simple condition: {present}")
