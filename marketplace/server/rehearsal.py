"""The check before a reload: another process loads the new code and checks its SQL first.

gunicorn's master loads this, so it needs nothing but the standard library.
"""

import os
import subprocess
import sys
from pathlib import Path

#: The exit status of a rehearsal that refuses; any other does not block a reload.
REFUSED = 3
#: How long it may take. The master waits for it: meanwhile no worker is replaced.
SECONDS = 60.0


def refusal(release: Path | None) -> str | None:
    """Return why the code in a folder could not serve, or was not seen to; None where it could.
    Without a folder it is the installed package.

    None also of a release without a rehearsal, and while the database is away.
    """
    env = {**os.environ, **({"PYTHONPATH": str(release)} if release else {})}
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
    except subprocess.TimeoutExpired:
        return f"it was not loaded and checked within {SECONDS:.0f} seconds"
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == REFUSED else None
