"""Building the image without a container engine, and running it as production does."""

import json
import os
import resource
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.support.debian import bootstrap
from tests.support.interpreters import interpreter
from tests.support.shell import clean_environment, run

RELEASES = {"3.11": "bookworm", "3.13": "forky", "3.14": "forky", "3.15": "forky"}
"""The Debian that has a Python. A base image of its packages stands for the official one."""

PACKAGES = ("bubblewrap", "buildah", "ca-certificates", "netavark")

LIBRARIES = ("libbz2-1.0", "libffi8", "liblzma5", "libsqlite3-0", "libssl3", "zlib1g")
"""What a Python of this machine needs, on the release before."""


@dataclass
class Image:
    """What was built."""

    workshop: "Workshop"
    name: str
    steps: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its configuration."""
        inspected = self.workshop.run(f"buildah inspect --type image localhost/{self.name}")
        config: dict[str, Any] = json.loads(inspected)["Docker"]["config"]
        return config

    @cached_property
    def files(self) -> Path:
        """A directory with a copy of its files."""
        self.workshop.run(f"""
            c=$(buildah from localhost/{self.name})
            rm -rf {self.name}
            cp -a $(buildah mount $c) {self.name}
            buildah rm $c
        """)
        return self.workshop.home / self.name


class Workshop:
    """A Debian in a directory, in which buildah builds; only root can make one.

    It has the Python of the images: Debian's, or else this machine's.
    """

    def __init__(self, home: Path, python: str) -> None:
        self.home = home
        self._root = home / "root"
        if release := RELEASES.get(python):
            bootstrap(self._root, release, [*PACKAGES, f"python{python}"])
            places = self._root / "usr" / "local" / "bin"
            for name in ("python", "python3"):
                (places / name).symlink_to(f"/usr/bin/python{python}")
        else:
            bootstrap(self._root, "bookworm", [*PACKAGES, *LIBRARIES])
            self._copy(python)
        apt = self._root / "etc" / "apt" / "apt.conf.d" / "late"
        apt.write_text('Acquire::Check-Valid-Until "false";\n')  # a mirror may be behind
        self._make_bases(python)

    def _copy(self, python: str) -> None:
        """Copy an interpreter of this machine, with its library."""
        found = interpreter(python)
        if found is None:
            pytest.fail(f"Neither Debian nor this machine has Python {python}.")
        prefix = run(self.home, found, "-c", "import sys; print(sys.base_prefix)").strip()
        shutil.copytree(prefix, self._root / "usr" / "local", symlinks=True, dirs_exist_ok=True)
        self.run("ldconfig")

    def _make_bases(self, python: str) -> None:
        """Make what the Dockerfile takes from registries, of what is here."""
        with tarfile.open(self.home / "base.tar", "w") as base:
            base.add(self._root, ".", filter=_without_the_builder)
        uv = shutil.which("uv")
        assert uv
        shutil.copy(Path(uv).resolve(), self.home / "uv")
        add = ["buildah add --quiet $c base.tar /"]
        if authority := os.environ.get("SSL_CERT_FILE"):  # a network with an authority of its own
            shutil.copy(authority, self.home / "authority.pem")
            add += [
                "buildah add --quiet $c authority.pem /etc/ssl/certs/ca-certificates.crt",
                "buildah config --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt $c",
            ]
        self.run(f"""
            c=$(buildah from scratch)
            {"; ".join(add)}
            buildah commit --quiet --rm $c docker.io/library/python:{python}-slim
            c=$(buildah from scratch)
            buildah add --quiet $c uv /uv
            buildah commit --quiet --rm $c ghcr.io/astral-sh/uv:0.13
        """)

    def build(self, project: Path, name: str) -> Image:
        """Build a project's Dockerfile.

        Layers stay cached from one build to the next.
        """
        context = self.home / "context"
        shutil.rmtree(context, ignore_errors=True)
        leave = shutil.ignore_patterns(".venv", ".dev", ".mypy_cache")
        shutil.copytree(project, context, ignore=leave)
        options = f"--format docker --layers --tag {name} {_limits()}"
        steps = self.run(f"buildah build {options} context")
        return Image(self, name, steps)

    def run(self, script: str) -> str:
        """Run a script in the workshop."""
        path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "BUILDAH_ISOLATION": "chroot"}
        return run(
            self.home,
            *self._in_namespace(path),
            *("--bind", self._root, "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc"),
            *("--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf", "--cap-add", "ALL"),
            *("--bind", self.home, "/workshop", "--chdir", "/workshop"),
            *("sh", "-ec", script),
        )

    def _in_namespace(self, environment: Mapping[str, str]) -> list[str | Path]:
        variables = [word for pair in environment.items() for word in ("--setenv", *pair)]
        (loader,) = self._root.glob("usr/lib/*/ld-linux-*.so.?")  # the machine's may be older
        bwrap = self._root / "usr" / "bin" / "bwrap"
        options = ["--die-with-parent", "--clearenv", *variables]
        return [loader, "--library-path", loader.parent, bwrap, *options]

    @contextmanager
    def running(
        self, image: Image, secrets: Path, *command: str, user: str = "", **environment: str
    ) -> Iterator[tuple["subprocess.Popen[str]", int]]:
        """Run a command, or the image's own, as process 1 of a container; yield it and its id here.

        The disk is read-only but for /tmp. There are no capabilities, nor a way to get any. The
        network is ours, and `secrets` lie where container engines put them.
        """
        config = image.config
        own = dict(variable.split("=", 1) for variable in config["Env"])
        user = user or config["User"]
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [
                *self._in_namespace(own | environment),
                *("--ro-bind", image.files, "/", "--dev", "/dev", "--proc", "/proc"),
                *("--tmpfs", "/tmp"),  # noqa: S108  # its own
                *("--tmpfs", "/run", "--ro-bind", secrets, "/run/secrets"),
                *("--unshare-user", "--uid", user, "--gid", user, "--cap-drop", "ALL"),
                *("--unshare-pid", "--as-pid-1", "--info-fd", str(writing)),
                *("--chdir", config["WorkingDir"], *(command or config["Cmd"])),
            ],
            env=clean_environment(),
            pass_fds=[writing],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        os.close(writing)
        with process, os.fdopen(reading) as info:
            try:
                yield process, json.loads(info.read())["child-pid"]
            finally:
                process.kill()


def _limits() -> str:
    """Return options that keep the limits of this process. Buildah would ask for more.

    An older Buildah lowers its own number of processes to that of the kernel.
    """
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="utf-8"))
    allowed = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    processes = most if allowed == resource.RLIM_INFINITY else min(allowed, most)
    return f"--ulimit nofile={files}:{files} --ulimit nproc={processes}:{processes}"


def _without_the_builder(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    unwanted = ("./usr/bin/buildah", "./usr/share/doc", "./debootstrap")
    return None if entry.name.startswith(unwanted) or entry.name.endswith(".deb") else entry
