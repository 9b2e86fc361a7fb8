"""Whether a reload may go ahead: new code is loaded and its SQL read by a process of its own, before any worker ends.

gunicorn's master loads this, so it needs nothing but the standard library.
"""

import os
import subprocess
import sys
from pathlib import Path

#: The exit status of the rehearsal that means no. Any other is no answer, and does not stand in the way of a reload.
REFUSED = 3
SECONDS = 30.0


def refusal(release: Path) -> str | None:
    """Return why the code in a folder could not serve, or None where it could, or where that is not known.

    It is not known of a release that has no rehearsal, or while the database does not answer.
    """
    env = {**os.environ, "PYTHONPATH": str(release)}
    command = [sys.executable, "-m", "marketplace.server.rehearse"]
    try:
        done = subprocess.run(
            command, cwd=release, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == REFUSED else None
