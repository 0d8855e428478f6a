"""CPU time and memory of a process."""

import ctypes
import subprocess
import sys
import time


def cpu_seconds(process_id: int) -> float:
    """Return the CPU time of all threads of a process, including those that have ended.

    Linux counts nanoseconds, macOS hundredths of a second.

    Raises:
        ProcessLookupError: there is no such process.
    """
    if sys.platform != "linux":
        return parse_time(_ps("time", process_id))
    clock = ctypes.c_int()
    if ctypes.CDLL(None).clock_getcpuclockid(process_id, ctypes.byref(clock)):
        raise ProcessLookupError(process_id)
    return time.clock_gettime(clock.value)


def memory_mib(process_id: int) -> float:
    """Return the resident memory of a process."""
    return int(_ps("rss", process_id)) / 1024


def parse_time(text: str) -> float:
    """Return the seconds of a time that `ps` prints: [[days-]hours:]minutes:seconds."""
    days, _, clock = text.strip().rpartition("-")
    seconds = 0.0
    for part in clock.split(":"):
        seconds = seconds * 60 + float(part)
    return int(days or 0) * 86_400 + seconds


def _ps(column: str, process_id: int) -> str:
    command = ["ps", "-o", f"{column}=", "-p", str(process_id)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
