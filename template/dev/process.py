"""A server process that cannot outlive its owner."""

import fcntl
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

START_TIMEOUT = 60.0
"""Seconds for a server to start: after a crash, it may have to recover first."""

_MEMORY = Path("/dev/shm")  # noqa: S108  # only our own directories in it are used
_MEMORY_NEEDED = 512 * 1024**2  # containers often have 64 MB there, too little

# The shell is the server's parent. Its second process reads a pipe whose only writer is our
# process: when that ends, even by kill -9, the read returns, and the server gets its signal.
_WATCHDOG = """
signal=$1 leftovers=$2; shift 2
exec 3<&0
"$@" 3<&- & server=$!
(read -r _ <&3; kill -s "$signal" "$server") 2>/dev/null & reader=$!
wait "$server"; status=$?
kill "$reader" 2>/dev/null
[ -z "$leftovers" ] || rm -rf "$leftovers"
exit "$status"
"""


# The same for a directory; removed again after a while, if a program still wrote to it.
_REAPER = 'read -r _; rm -rf "$1"; sleep 2; rm -rf "$1"'


class ServerError(Exception):
    """No server could be found or started. The message says what to do."""


def server_account() -> pwd.struct_passwd | None:
    """Return the account for servers if we are root, because some refuse to run as root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def as_server_account() -> dict[str, Any]:
    """Return the arguments for `subprocess` that make the process run as `server_account`."""
    account = server_account()
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give_to_server_account(path: Path) -> None:
    """Make the server's account the owner of `path`."""
    if account := server_account():
        os.chown(path, account.pw_uid, account.pw_gid)


def free_port() -> int:
    """Return a free TCP port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def throwaway_home(prefix: str) -> Iterator[Path]:
    """Yield a new directory for a server, in memory if there is room. It is removed at the end.

    Its path is short, because the path of a Unix socket may have at most 104 bytes.
    """
    in_memory = (
        _MEMORY.is_dir()
        and shutil.disk_usage(_MEMORY).free >= _MEMORY_NEEDED
        and not os.statvfs(_MEMORY).f_flag & getattr(os, "ST_NOEXEC", 0)  # programs are there too
    )
    home = Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if in_memory else None))
    reaper = subprocess.Popen(
        ["sh", "-c", _REAPER, "sh", home],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    try:
        give_to_server_account(home)
        yield home
    finally:
        reaper.kill()
        reaper.communicate()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def owned_process(
    command: Sequence[str | Path],
    *,
    log: IO[bytes],
    stop_signal: str,
    leftovers: Path | None = None,
    keep_open: Sequence[int] = (),
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `command` during the block, or until this process ends for any reason.

    It runs as `server_account`. At the end it gets `stop_signal`, and `leftovers` is removed. It
    does not get the terminal's signals, so that Ctrl-C reaches the application first. It keeps the
    descriptors in `keep_open`, and any lock on them, until it has ended.
    """
    # The shell's own descriptors are the low ones.
    kept = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in keep_open]
    watchdog = subprocess.Popen(
        ["sh", "-c", _WATCHDOG, "sh", stop_signal, str(leftovers or ""), *map(str, command)],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd="/",
        start_new_session=True,
        pass_fds=kept,
        **as_server_account(),
    )
    for descriptor in kept:
        os.close(descriptor)
    try:
        yield watchdog
    finally:
        if watchdog.stdin:
            watchdog.stdin.close()
        watchdog.wait()


def wait_until_ready(
    process: "subprocess.Popen[bytes]", is_ready: Callable[[], bool], log: IO[bytes]
) -> None:
    """Return once the server is ready.

    Raises:
        ServerError: it ended, or took longer than `START_TIMEOUT`; with its last output.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            log.seek(0)
            last_words = log.read().decode(errors="replace").strip()[-2000:]
            raise ServerError(f"The server did not start:\n{last_words}")
        time.sleep(0.005)
