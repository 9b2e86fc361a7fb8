"""python -m marketplace NAME, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from marketplace.config.settings import ROOT


def environment(url: str, folder: Path, **more: str) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.endswith("DATABASE_URL")}
    return (
        env
        | {"DATABASE_URL": url, "DATA_DIR": str(folder / "data"), "UPLOADS_DIR": str(folder / "up")}
        | more
    )


def command(
    url: str, folder: Path, *arguments: str, uploads: Path | None = None
) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "marketplace", *arguments],
        cwd=ROOT,
        env=environment(url, folder, **({"UPLOADS_DIR": str(uploads)} if uploads else {})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
