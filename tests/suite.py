"""Runs the suite: side by side what can be, then alone what needs the machine for itself.

    make test, make test JOBS=4, make test ARGS="-k words"

Every process has databases of its own on one server. A test marked `alone` measures time or memory,
or stops a whole system; the last of these looks back at the whole suite. JOBS says how many
processes run side by side; without it there are as many as cores.

The server of the tests and their files live in memory (/dev/shm) where that has room: a database is
cloned several times as fast there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

NOTHING = int(pytest.ExitCode.NO_TESTS_COLLECTED)
FAILED = int(pytest.ExitCode.TESTS_FAILED)
MEMORY = Path("/dev/shm")
ROOM = 6 << 30


def main(arguments: list[str]) -> int:
    """Run both parts; 0 where nothing failed, or pytest's code of a failure or of no tests at all."""
    jobs = os.environ.get("JOBS") or str(cores())
    with tempfile.TemporaryDirectory(
        prefix="marketplace-suite-", dir=memory(), ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)  # the server is another user's, where root runs the suite
        parts = [run(folder, "not alone", "-n", jobs, "--dist", "worksteal", *arguments)]
        if parts[0] in (0, FAILED, NOTHING):  # else it was interrupted, or could not begin
            parts.append(run(folder, "alone", *arguments))
    return next((code for code in parts if code not in (0, NOTHING)), min(parts))


def run(folder: str, which: str, *arguments: str) -> int:
    """Run one part of the suite; its exit code."""
    print(f"-- {which}:", flush=True)
    started = time.monotonic()
    env = {**os.environ, "SUITE_FOLDER": folder}
    files = Path(folder) / which.replace(" ", "-")
    # Else each of many processes compiles all modules anew.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", which, "--basetemp", str(files), *arguments],
        env=env,
        check=False,
    ).returncode
    print(f"-- {which}: {time.monotonic() - started:.0f} s", flush=True)
    return code


def memory() -> Path | None:
    """The folder of files in memory, if both have room; None: where temporary files are."""
    try:
        available = re.search(r"^MemAvailable: +(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    roomy = available is not None and int(available[1]) << 10 >= 2 * ROOM and free >= ROOM
    return MEMORY if roomy and os.access(MEMORY, os.W_OK) else None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
