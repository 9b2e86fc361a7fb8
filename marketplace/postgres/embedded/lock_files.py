"""Is the server of a cluster alive? Reads PostgreSQL's lock files, and the process table behind
them.

A lock file names a process by number. After a crash that number may belong to somebody else, or to
a zombie, and PostgreSQL then refuses to start; `forget_strangers` removes just the number. The rest
of the file stays: with it PostgreSQL makes sure that no process of a killed server still uses the
files.
"""

import os
import subprocess
from pathlib import Path

NOBODY = 9_999_999  # above the highest process number of Linux and macOS


def running(cluster: Path) -> int | None:
    """Return the number of the living server process of this cluster, or None."""
    pid = _named(cluster / "postmaster.pid")
    return pid if pid is not None and _serves(pid, cluster) else None


def forget_strangers(cluster: Path, socket: Path) -> None:
    """If a lock file names a process that is not this cluster's server, replace the number with one
    that nobody has.
    """
    for file in (cluster / "postmaster.pid", socket / ".s.PGSQL.5432.lock"):
        pid = _named(file)
        if pid is not None and not _serves(pid, cluster):
            rest = file.read_text(encoding="utf-8", errors="surrogateescape").partition("\n")[2]
            with file.open(
                "r+", encoding="utf-8", errors="surrogateescape"
            ) as out:  # keeps owner and mode
                out.write(f"{NOBODY}\n{rest}")
                out.truncate()


def _named(file: Path) -> int | None:
    try:
        first = file.read_text(encoding="utf-8", errors="surrogateescape").split("\n", 1)[0].strip()
    except FileNotFoundError:
        return None
    return abs(int(first)) if first.lstrip("-").isdigit() else None


def _serves(pid: int, cluster: Path) -> bool:
    """Return whether a living process is a PostgreSQL server running in this folder (a server's
    folder is its own).
    """
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):  # gone, or another user's
        return False
    process = Path("/proc") / str(pid)
    if not process.exists():  # not Linux
        shown = subprocess.run(
            ["/bin/ps", "-o", "stat=,command=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split(maxsplit=1)
        return len(shown) == 2 and not shown[0].startswith("Z") and str(cluster) in shown[1]
    try:
        return (process / "cwd").samefile(cluster)
    except PermissionError:  # root in a container that may not look into other users' processes
        return os.fsencode(cluster) in (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False  # a zombie, or gone meanwhile
