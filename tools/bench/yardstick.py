"""The yardstick: pgbench sends the application's statements, one for one, prepared.

They are not copied but recorded. Whole numbers become parameters, as they differ from one request
to the next. NULLs and words stay in the text, and PostgreSQL plans them away before it is measured.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import falcon.testing
import psycopg
from psycopg import sql

from marketplace.app import create_app
from marketplace.config.settings import Config
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from tools.bench import processes, shop
from tools.bench.load import CLIENTS

SCRIPTS = 100  # pgbench takes 128
OPTIONS = "-c role=marketplace_app -c jit=off -c max_parallel_workers_per_gather=0 -c TimeZone=UTC"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")
_COMMENT_OR_TEXT = re.compile(r"--[^\n]*|'(?:[^']|'')*'")


class Sent(NamedTuple):
    """A statement with its values, as the application passed them to psycopg."""

    text: str
    values: Mapping[str, Any]


class Spent(NamedTuple):
    """Microseconds of PostgreSQL's CPU a transaction, and transactions a second."""

    cpu: float
    rate: float


def overhear(config: Config, paths: Sequence[str]) -> list[list[Sent]]:
    """Return the statements that GETs of these paths send, by path."""
    heard: list[Sent] = []

    class Overheard(psycopg.Cursor[Row]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            heard.append(Sent(str(query), params or {}))
            return super().execute(query, params, **options)

    db = Database(config)
    client = falcon.testing.TestClient(create_app(config, db))
    found: list[list[Sent]] = []
    try:
        with db.read(0) as conn:
            conn.cursor_factory = Overheard
        for path in paths:
            client.simulate_get(path)
            found.append(heard[:])
            heard.clear()
    finally:
        db.close()
    return found


def script(conn: Conn, statements: Sequence[Sent]) -> str:
    """A transaction of pgbench."""
    lines: list[str] = []
    for number, sent in enumerate(statements):
        found = {
            name: value
            for name, value in sent.values.items()
            if isinstance(value, int) and not isinstance(value, bool) and f"%({name})s" in sent.text
        }
        lines += [f"\\set {name}_{number} {value}" for name, value in found.items()]

        def written(
            match: "re.Match[str]",
            sent: Sent = sent,
            found: dict[str, Any] = found,
            number: int = number,
        ) -> str:
            name = match[1]
            if name is None:
                return "%"
            return (
                f":{name}_{number}"
                if name in found
                else sql.Literal(sent.values[name]).as_string(conn)
            )

        lines.append(f"{_without_names(_PLACEHOLDER.sub(written, sent.text))}\n;")
    return "\n".join(lines) + "\n"


def _without_names(text: str) -> str:
    """Return a statement without comments, and with texts in pieces where pgbench would find the
    name of a variable in them ('HH24:MI'): it looks into texts too.
    """

    def apart(match: "re.Match[str]") -> str:
        return "" if match[0].startswith("--") else re.sub(r":(?=\w)", ":'\n'", match[0])

    return _COMMENT_OR_TEXT.sub(apart, text)


def pgbench() -> str | None:
    """Return the program: from PATH, where the embedded server's are too, or from
    Debian's folder.
    """
    debian = os.pathsep.join(map(str, Path("/usr/lib/postgresql").glob("*/bin")))
    return shutil.which("pgbench") or shutil.which("pgbench", path=debian)


@contextmanager
def scripts(conn: Conn, transactions: Sequence[Sequence[Sent]]) -> Iterator[list[Path]]:
    """The transactions as files for pgbench, for the length of the block."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, statements in enumerate(transactions[:SCRIPTS]):
            file = Path(folder) / f"{number}.sql"
            file.write_text(script(conn, statements), encoding="utf-8")
            files.append(file)
        yield files


def run(program: str, conn: Conn, url: str, files: Sequence[Path], seconds: int) -> Spent:
    """Let pgbench run for so many seconds, after one that is not counted."""
    others = shop.backends(conn)
    command = [
        program,
        "-n",
        "-M",
        "prepared",
        "-c",
        str(CLIENTS),
        "-P",
        "1",
        "-T",
        str(seconds + 2),
    ]
    command += [word for file in files for word in ("-f", str(file))]
    env = {**os.environ, "PGOPTIONS": OPTIONS}
    with subprocess.Popen(
        [*command, url], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None  # noqa: S101 - for mypy
        said = ""
        rates: list[float] = []
        before: dict[int, float] = {}
        after: dict[int, float] = {}
        for line in child.stderr:
            said += line
            if match := re.search(r"progress: [\d.]+ s, ([\d.]+) tps", line):
                used = processes.cpu(shop.backends(conn) - others)
                if not before:
                    before = used
                elif len(rates) < seconds:
                    rates.append(float(match[1]))
                    after = used
    if child.returncode or not rates:
        raise ChildProcessError(f"pgbench: {said}")
    rate = sum(rates) / len(rates)
    return Spent(processes.spent(before, after) / (rate * len(rates)), rate)
