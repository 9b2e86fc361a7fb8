"""The number of processes that serve the API on this machine: from the cores and the memory that it
may use.

Read by gunicorn.conf.py in its master, which must not load what a reload is to load anew: standard
library only.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

#: Connections that all workers may open together. During a reload the old and the new run side by
#: side for some seconds, and twice this is within the 200 that sql/admin/settings.sql leaves the
#: API.
CONNECTIONS = 96
#: A worker takes some 100 MB, its decoder process 15, and a photo while it is decoded some 60.
WORKER_BYTES = 200 * 1024**2
_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def workers(pool_size: int) -> int:
    """Return WEB_CONCURRENCY, or as many as suit this machine. Raises ValueError: zero would serve
    nobody.
    """
    given = os.environ.get("WEB_CONCURRENCY")
    if not given:
        return planned(usable(), memory(), pool_size)
    if not (given.isascii() and given.isdigit() and int(given)):
        raise ValueError(f"WEB_CONCURRENCY must be a whole number from 1, not {given!r}.")
    return int(given)


def planned(cores: int, memory: int, pool_size: int) -> int:
    """Return one for each core, whose threads take turns with PostgreSQL; and one more, so that
    somebody serves while another restarts. Fewer if connections or bytes of memory would not
    suffice; never zero.
    """
    return max(1, min(cores + 1, CONNECTIONS // pool_size, memory // WORKER_BYTES))


def usable() -> int:
    """Return the cores that this process may run on: not all of the host's if it is pinned, or a
    container has a share of them.
    """
    pinned = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    shares = []
    for text in _limits("cpu.max"):
        quota, _, period = text.partition(" ")
        if quota != "max":
            shares.append(int(quota) / int(period or 100_000))
    return max(1, min(pinned, *map(math.ceil, shares))) if shares else pinned


def memory() -> int:
    """Return the bytes of memory that this process may use: the machine's, or its container's."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([machine, *(int(text) for text in _limits("memory.max") if text != "max")])


def _limits(name: str) -> Iterator[str]:
    """Return the limits of a control group (version 2), and of those around it:
    each of them holds.
    """
    try:
        own = next(
            line[3:] for line in _OWN_GROUP.read_text().splitlines() if line.startswith("0::")
        )
    except (OSError, StopIteration):
        return
    folder = _GROUPS / own.strip("/")
    for group in (folder, *folder.parents):
        if group != _GROUPS and _GROUPS not in group.parents:
            return
        try:
            yield (group / name).read_text().strip()
        except OSError:
            continue
