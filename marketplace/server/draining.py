"""Draining: whether gunicorn's master has been told to stop, which a load balancer must know before
requests are refused.

The master leaves a file beside the counts of its workers, under its own process id, for two masters
may run side by side. Without gunicorn nobody drains. Standard library only: see gunicorn.conf.py.
"""

import contextlib
import os
from pathlib import Path


def begin() -> None:
    """In the master: requests should go elsewhere from now on."""
    file = _file(os.getpid())
    if file is not None:
        with contextlib.suppress(OSError):  # on a full disk it stops all the same
            file.touch()


def forget() -> None:
    """In a master that starts: it may have the process id of one that ended long ago."""
    file = _file(os.getpid())
    if file is not None:
        file.unlink(missing_ok=True)


def under_way() -> bool:
    """In a worker: return whether its master is about to stop."""
    file = _file(os.getppid())
    return file is not None and file.exists()


def _file(master: int) -> Path | None:
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(folder) / f"draining-{master}" if folder else None
