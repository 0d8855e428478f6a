"""A Debian in a directory. Only root can make one, and run programs in it."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.shell import clean_environment, run

ENTER = """
root=$1 uv=$2 cache=$3 authority=$4 project=$5
shift 5
mkdir --parents "$root/root/.cache/uv" "$root/project"
touch "$root/usr/local/bin/uv"
mount --bind "$uv" "$root/usr/local/bin/uv"
mount --bind "$cache" "$root/root/.cache/uv"
mount --bind "$project" "$root/project"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
test -z "$authority" || mount --bind "$authority" "$root/etc/ssl/certs/ca-certificates.crt"
mount --rbind /dev "$root/dev"
mount --types proc proc "$root/proc"
exec chroot "$root" env --chdir=/project "$@"
"""
"""Enters the root in a namespace of its own: with it, its mounts and its processes end."""


def bootstrap(root: Path, release: str, packages: Iterable[str]) -> None:
    """Make a small Debian with these packages."""
    if os.geteuid() != 0:
        pytest.fail("Only root can make a Debian in a directory.")
    if shutil.which("debootstrap") is None:
        pytest.fail("There is no debootstrap: run the tests by `nox`, which fetches it.")
    included = f"--include={','.join(packages)}"
    run(root.parent, "debootstrap", "--variant=minbase", included, release, root)


def run_in(root: Path, project: Path, *command: str, **environment: str) -> str:
    """Run `command` in a project with the programs of the root, and with our uv and its cache."""
    uv = shutil.which("uv")
    assert uv
    cache = run(project, "uv", "cache", "dir").strip()
    Path(cache).mkdir(parents=True, exist_ok=True)
    authority = os.environ.get("SSL_CERT_FILE", "")  # a network may have an authority of its own
    settings = {name: value for name, value in clean_environment().items() if _is_kept(name)} | {
        "HOME": "/root",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "UV_CACHE_DIR": "/root/.cache/uv",
        "UV_LINK_MODE": "copy",  # the cache is on another mount
        **({"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"} if authority else {}),
        **environment,
    }
    return run(
        project,
        *("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ENTER, "sh"),
        *(root, Path(uv).resolve(), cache, authority, project),
        *("--ignore-environment", *(f"{name}={value}" for name, value in settings.items())),
        *command,
    )


def _is_kept(name: str) -> bool:
    """Return whether a variable of ours is for the root too: of uv and of the network."""
    return name.startswith("UV_") or name.lower().endswith("_proxy")
