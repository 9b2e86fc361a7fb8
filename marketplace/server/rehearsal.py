"""Whether a reload may go ahead: another process loads the new code and has its SQL read first.

gunicorn's master loads this, so it needs nothing but the standard library.
"""

import os
import subprocess
import sys
from pathlib import Path

#: The exit status of the rehearsal that means no; any other does not stand in the way of a reload.
REFUSED = 3
SECONDS = 30.0


def refusal(release: Path) -> str | None:
    """Return why the code in a folder could not serve, or None.

    None also where that is not known: of a release without a rehearsal, or while the database is
    away.
    """
    env = {**os.environ, "PYTHONPATH": str(release)}
    command = [sys.executable, "-m", "marketplace.server.rehearse"]
    try:
        done = subprocess.run(
            command,
            cwd=release,
            env=env,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == REFUSED else None
