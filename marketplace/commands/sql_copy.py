"""sql-copy: copies the SQL and gunicorn's configuration out of the package, to be read or changed.

    python -m marketplace sql-copy FOLDER

FOLDER gets migrations, queries, admin and gunicorn.conf.py; it must be empty or not exist. With
SQL_DIR=FOLDER every command uses this copy instead of what the package carries. A statement may be
changed; a migration that has been applied may not.
"""

import argparse
import shutil
import sys
from pathlib import Path

from marketplace.config.folders import BUILT_IN, PARTS, command

own_database = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a new or an empty folder")


def run(args: argparse.Namespace) -> int:
    """Copy; 1 if the folder has something in it."""
    folder: Path = args.folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        print(f"{folder} is not empty: nothing was copied.", file=sys.stderr)
        return 1
    for part in PARTS:
        shutil.copytree(BUILT_IN / "sql" / part, folder / part)
    for file in ("sql/README.md", "gunicorn.conf.py"):
        shutil.copy(BUILT_IN / file, folder)
    count = sum(1 for _ in folder.rglob("*.sql"))
    print(f"{folder}: {count} files of SQL, and gunicorn.conf.py.")
    print(f"To use them: {command('run', SQL_DIR=folder)}")
    return 0
