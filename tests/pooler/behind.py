"""Run a command of a rendered project with a real PgBouncer before its database.

Each transaction may run in another session of the server, and the pooler keeps no prepared
statements: some poolers, and PgBouncer before 1.21, cannot.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.postgres import throwaway_server
from dev.process import free_port

CONFIGURATION = """\
[databases]
* = host={directory} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
max_prepared_statements = 0
default_pool_size = 8
"""

SECONDS = 60
"""Until PgBouncer must have started."""


@contextmanager
def pgbouncer(directory: str) -> Iterator[str]:
    """Yield the URL of a PgBouncer before the server whose socket is in the directory."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        configuration = Path(home, "pgbouncer.ini")
        configuration.write_text(CONFIGURATION.format(directory=directory, port=port))
        account = ["--user=nobody"] if os.geteuid() == 0 else []  # it refuses to run as root
        command = ["pgbouncer", "--quiet", *account, str(configuration)]
        with subprocess.Popen(command) as process:
            try:
                wait_for(port)
                yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
            finally:
                process.kill()


def wait_for(port: int) -> None:
    """Wait until something listens on the port."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def main(command: list[str]) -> int:
    """Run the command, and return its status."""
    with throwaway_server() as server, pgbouncer(server.partition("?host=")[2]) as pooler:
        environment = {
            **os.environ,
            "DB_POOLER": "true",
            "DATABASE_URL": pooler,
            "MIGRATION_DATABASE_URL": server,
        }
        return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
