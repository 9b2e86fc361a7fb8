"""CPU time and memory of processes, as Linux counts them in /proc."""

import os
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
PARENT, USER, SYSTEM, THREADS = 1, 11, 12, 17  # fields of /proc/PID/stat, behind the name
ENDED_USER, ENDED_SYSTEM = 13, 14  # of children that have ended
TICK = 1e6 / os.sysconf("SC_CLK_TCK")


def running(pid: int) -> float:
    """Return microseconds of CPU that a process of one thread has used, to the nanosecond
    (schedstat).
    """
    return int((PROC / str(pid) / "schedstat").read_text(encoding="ascii").split()[0]) / 1000


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for each in _all():
        try:
            children.setdefault(int(_stat(each)[PARENT]), []).append(each)
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def parent(pid: int) -> int:
    """Return the parent process."""
    return int(_stat(pid)[PARENT])


def total(pid: int) -> float:
    """Return microseconds of CPU of a process, of all its descendants and of those of its children
    that have ended.

    These are counted in ticks.
    """
    while True:
        ended = _ended(pid)
        used = sum(_used(each) for each in tree(pid))
        if _ended(pid) == ended:
            return ended + used


def own_memory(pid: int) -> float:
    """Return megabytes that a process has of its own, without files and shared memory; 0 for one
    that has ended.

    The buffers of PostgreSQL count for nobody: "private" to Linux is memory that one process alone
    has touched.
    """
    return _kilobytes(pid, "smaps_rollup", "Pss_Anon:") / 1024


def peak(pid: int) -> float:
    """Return the most megabytes that a process has had, with shared memory; 0 for one that has
    ended.
    """
    return _kilobytes(pid, "status", "VmHWM:") / 1024


def cpu(pids: Iterable[int]) -> dict[int, float]:
    """Return microseconds of CPU that processes have used in all their threads, in user and in
    system mode, by process.
    """
    return {pid: _used(pid) for pid in pids}


def spent(before: dict[int, float], after: dict[int, float]) -> float:
    """Return the use between two readings; a process that has started meanwhile counts whole, one
    that has ended does not.
    """
    return sum(used - before.get(pid, 0.0) for pid, used in after.items())


def memory(pids: Iterable[int]) -> float:
    """Return megabytes that processes take together; shared memory is counted once (PSS)."""
    kilobytes = 0
    for pid in pids:
        for line in (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def _used(pid: int) -> float:
    """To the nanosecond if there is one thread; else in ticks, which include threads that have
    ended.
    """
    try:
        fields = _stat(pid)
        return (
            running(pid)
            if fields[THREADS] == "1"
            else TICK * (int(fields[USER]) + int(fields[SYSTEM]))
        )
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _ended(pid: int) -> float:
    """Return the use of the children of a process that have ended, and of theirs."""
    fields = _stat(pid)
    return TICK * (int(fields[ENDED_USER]) + int(fields[ENDED_SYSTEM]))


def _kilobytes(pid: int, file: str, name: str) -> int:
    try:
        for line in (
            (PROC / str(pid) / file).read_text(encoding="utf-8", errors="replace").splitlines()
        ):
            if line.startswith(name):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def _all() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the name, which may have spaces and brackets."""
    return (
        (PROC / str(pid) / "stat")
        .read_text(encoding="utf-8", errors="replace")
        .rpartition(")")[2]
        .split()
    )
