"""Where files of ours are, in a checkout and in an installed package; how one starts a command
there.

A wheel carries `sql/` and gunicorn.conf.py inside the package. What a start makes (.data, uploads,
backups) is then in the folder that it was started in; in a checkout it is in the checkout.
"""

import os
import re
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
INSTALLED = (PACKAGE / "sql").is_dir()
#: What the code came with: `sql/` and gunicorn.conf.py.
BUILT_IN = PACKAGE if INSTALLED else PACKAGE.parent
#: Where data are made and kept unless settings name another place.
HOME = Path.cwd() if INSTALLED else PACKAGE.parent
PARTS = ("migrations", "queries", "admin")
#: The file in the data folder that has the logins of the demo shop.
LOGINS = "demo-logins.txt"
#: Commands that are a target of the Makefile too.
_TARGETS = ("run", "worker", "psql", "migrate", "check-sql", "check-documents", "demo-reset")
_NAME = re.compile(r"^-- (?:name|fragment): (\w+)", re.MULTILINE)


def sql(named: str | None) -> Path:
    """Return the folder of SQL: the one that SQL_DIR names, or the one that the code came with.

    Exits with a line that names SQL_DIR where that folder cannot serve this code. It is read while
    modules are being imported: nobody could catch an exception of ours.
    """
    if not named:
        return BUILT_IN / "sql"
    folder = Path(named).resolve()
    lacking = missing(folder)
    if lacking:
        raise SystemExit(
            f"SQL_DIR={named} lacks {lacking[0]}: it is no copy of this release's SQL, which"
            f" `{command('sql-copy')} FOLDER` writes."
        )
    return folder


def missing(folder: Path) -> list[str]:
    """Return the files and statements of the built-in SQL that a folder lacks; it may have more."""
    found = []
    for part in PARTS:
        for path in sorted((BUILT_IN / "sql" / part).glob("*.sql")):
            name, copy = f"{part}/{path.name}", folder / part / path.name
            if not copy.is_file():
                found.append(name)
            elif part == "queries":
                there = set(_NAME.findall(copy.read_text(encoding="utf-8")))
                names = _NAME.findall(path.read_text(encoding="utf-8"))
                found += [f"{each} in {name}" for each in names if each not in there]
    return found


def gunicorn_conf() -> Path:
    """Return the configuration of gunicorn: a copy in SQL_DIR, or the built-in one."""
    copy = SQL / "gunicorn.conf.py"
    return copy if copy.is_file() else BUILT_IN / "gunicorn.conf.py"


def command(name: str, **settings: object) -> str:
    """Return how the reader starts a command: `make run PORT=8001` in a checkout, `PORT=8001
    marketplace run` where the package or deploy/marketplace.sh is installed.
    """
    given = [f"{key}={value}" for key, value in settings.items()]
    if INSTALLED or os.environ.get("MARKETPLACE_ENV") == "production":
        return " ".join([*given, "marketplace", name])
    if name in _TARGETS:
        return " ".join(["make", name, *given])
    return " ".join([*given, ".venv/bin/python -m marketplace", name])


def program() -> str:
    """Return what this very process was started as."""
    started = Path(sys.argv[0]).name
    return "python -m marketplace" if started in ("__main__.py", "-m", "-c", "") else started


SQL = sql(os.environ.get("SQL_DIR"))
