"""The project's own development database, under `.dev/`."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dotenv import dotenv_values, set_key

from dev.binaries import open_to_everyone, reachable_binaries, version
from dev.dotenv import provide_dotenv
from dev.postgres import accepts_connections, initialise, running_server
from dev.process import (
    ServerError,
    as_server_account,
    give_to_server_account,
    server_account,
)
from dev.shared import credentials, server_lock, write_secret


@contextmanager
def project_database(project: Path) -> Iterator[str]:
    """Yield the URL of the database to develop with.

    A `DATABASE_URL` in the environment or in `.env` is taken as it is. Without one, the project
    gets a server of its own: its data stays under `.dev/`, its URL is in `.env`. It stops with the
    command that started it; other commands share it meanwhile.

    Raises:
        ServerError: the server could not be started.
    """
    state = project / ".dev"
    own_url = state / "database-url"
    provide_dotenv(project)
    chosen = os.environ.get("DATABASE_URL") or dotenv_values(project / ".env").get("DATABASE_URL")
    if chosen and not (own_url.exists() and own_url.read_text() == chosen):
        yield chosen
        return

    state.mkdir(exist_ok=True)
    data = data_directory(state)
    with server_lock(state, "database", lambda: accepts_connections(data)) as lock:
        if lock is None:
            yield own_url.read_text()  # another command of this project runs the server
            return
        password, port = credentials(own_url)
        url = f"postgresql://app:{password}@127.0.0.1:{port}/app"
        write_secret(own_url, url)  # first, so that the password of a cluster is never lost
        binaries = reachable_binaries(data.parent)
        if not data.exists():
            _create_cluster(binaries, data, password)
        _require_same_version(binaries, data)
        if chosen != url:
            set_key(project / ".env", "DATABASE_URL", url, quote_mode="never")
        options = (f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=")
        with (
            (state / "postgres.log").open("w+b") as log,
            running_server(binaries, data, options, log=log, stop_signal="INT", keep_open=[lock]),
        ):
            yield url


def data_directory(state: Path) -> Path:
    """Return the directory of the data: in `state`, unless root's server cannot reach it."""
    if server_account() is None or open_to_everyone(state):
        return state / "postgres"
    name = hashlib.sha256(bytes(state.resolve())).hexdigest()[:16]
    home = Path("/var/lib/dev-postgres", name)
    home.mkdir(parents=True, exist_ok=True)
    return home / "postgres"


def _create_cluster(binaries: Path, data: Path, password: str) -> None:
    """Create the cluster with its database `app`, atomically."""
    with tempfile.TemporaryDirectory(dir=data.parent) as workshop:
        Path(workshop).chmod(0o711)
        password_file = Path(workshop, "password")
        write_secret(password_file, password)
        give_to_server_account(password_file)
        unfinished = Path(workshop, "postgres")
        authentication = ("--auth=scram-sha-256", f"--pwfile={password_file}")
        initialise(binaries, unfinished, "--username=app", *authentication)
        subprocess.run(
            [binaries / "postgres", "--single", "-D", unfinished, "postgres"],
            input=b"CREATE DATABASE app\n",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            cwd="/",
            **as_server_account(),
        )
        unfinished.rename(data)


def _require_same_version(binaries: Path, data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    ours = version(binaries)
    if ours.partition(".")[0] != made_by:
        raise ServerError(
            f"{data} was made by PostgreSQL {made_by}, but this is {ours}. "
            f"Remove {data} to begin anew, or point PG_BINDIR at the older programs."
        )
