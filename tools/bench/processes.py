"""CPU time and memory of processes, as Linux counts them in /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
TICK = 1e6 / os.sysconf("SC_CLK_TCK")


def running(pid: int) -> float:
    """Microseconds of CPU that a process of one thread has used, to the nanosecond (schedstat)."""
    return int((PROC / str(pid) / "schedstat").read_text(encoding="ascii").split()[0]) / 1000


def tree(pid: int) -> list[int]:
    """A process and all that come from it."""
    children: dict[int, list[int]] = {}
    for each in _all():
        try:
            children.setdefault(int(_stat(each)[1]), []).append(each)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def cpu(pids: Iterable[int]) -> float:
    """Microseconds of CPU that processes have used in all their threads, in user and in system mode.

    Take the same processes before and after: of those that have ended nothing is left to read.
    """
    return sum(_used(pid) for pid in pids)


def memory(pids: Iterable[int]) -> float:
    """Megabytes that processes take together; what they share is counted once (PSS)."""
    kilobytes = 0
    for pid in pids:
        for line in (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def _used(pid: int) -> float:
    """All threads of a process; those that have ended are in its own line of ticks alone."""
    try:
        return sum(
            int((thread / "schedstat").read_text(encoding="ascii").split()[0]) / 1000
            for thread in (PROC / str(pid) / "task").iterdir()
        )
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name, which may have spaces and brackets."""
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
