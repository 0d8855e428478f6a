"""The launcher of Valkey. No feature renders it yet, so it is proven here, in its source."""

import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT, clean_environment

OWNER = """
import time
from dev.valkey import throwaway_valkey
with throwaway_valkey() as url:
    print(url, flush=True)
    time.sleep(60)
"""


def ask(address: Path, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(100).decode().strip()


def test_several_at_once_end_with_their_owners() -> None:
    """Each is a server of its own, and kill -9 of its owner leaves nothing behind."""
    owners = [
        subprocess.Popen(
            [sys.executable, "-c", OWNER],
            env=clean_environment() | {"PYTHONPATH": str(ROOT / "template")},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    addresses = []
    for owner in owners:
        assert owner.stdout is not None
        addresses.append(Path(owner.stdout.readline().strip().removeprefix("unix://")))
    for number, address in enumerate(addresses):
        assert ask(address, f"SET owner {number}") == "+OK"
    for number, address in enumerate(addresses):
        assert ask(address, "GET owner").endswith(str(number))
    for owner in owners:
        owner.kill()
        owner.communicate()
    deadline = time.monotonic() + 10
    while any(address.parent.exists() for address in addresses):
        assert time.monotonic() < deadline, addresses
        time.sleep(0.05)
