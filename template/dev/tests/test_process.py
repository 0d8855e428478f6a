"""Servers end with their owners."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import randrange

import pytest

from dev.process import give_to_server_account, owned_process

OWNER = """
import sys, time
from pathlib import Path
from dev.process import owned_process
with owned_process(["sleep", sys.argv[1]], log=sys.stderr.buffer, stop_signal="TERM",
                   leftovers=Path(sys.argv[2])):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def leftovers() -> Path:
    """Files that the process would leave behind."""
    directory = Path(tempfile.mkdtemp(prefix="left-"))
    give_to_server_account(directory)
    return directory


def seconds() -> str:
    """Return a time to sleep by which its process can be found."""
    return f"1000.{randrange(10**9)}"


def is_over(mark: str, leftovers: Path) -> bool:
    """Wait until no file is left, and no process with `mark` in its command line."""
    for _ in range(200):
        processes = subprocess.run(["pgrep", "-f", mark], capture_output=True, check=False)
        if not leftovers.exists() and processes.returncode == 1:
            return True
        time.sleep(0.05)
    return False


def test_ends_with_its_block(leftovers: Path) -> None:
    command = ["sleep", seconds()]
    with (
        tempfile.TemporaryFile() as log,
        owned_process(command, log=log, stop_signal="TERM", leftovers=leftovers) as process,
    ):
        assert process.poll() is None
    assert is_over(command[1], leftovers)


def test_ends_with_its_owner_even_by_kill_9(leftovers: Path) -> None:
    mark = seconds()
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, mark, str(leftovers)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "up\n"
    owner.kill()
    owner.communicate()
    assert is_over(mark, leftovers)


def test_home_goes_with_its_owner_even_before_a_server_runs() -> None:
    script = """if True:
        import time
        from dev.process import throwaway_home
        with throwaway_home("home-") as home:
            (home / "half-made").mkdir()
            print(home, flush=True)
            time.sleep(60)
    """
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    home = Path(owner.stdout.readline().strip())
    assert (home / "half-made").exists()
    owner.kill()
    owner.communicate()
    for _ in range(200):
        if not home.exists():
            break
        time.sleep(0.05)
    assert not home.exists()


def test_own_death_is_noticed(leftovers: Path) -> None:
    with (
        tempfile.TemporaryFile() as log,
        owned_process(
            ["sh", "-c", "exit 3"], log=log, stop_signal="TERM", leftovers=leftovers
        ) as process,
    ):
        assert process.wait(timeout=10) == 3
    assert not leftovers.exists()
