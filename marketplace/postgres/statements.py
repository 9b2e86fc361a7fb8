"""The named statements of sql/queries and sql/admin: every text that is sent to PostgreSQL."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from psycopg.rows import tuple_row

from marketplace.config.folders import HOME, SQL
from marketplace.postgres import statement_files
from marketplace.postgres.pool import Conn, Connection, LiteralString, Row
from marketplace.postgres.statement_files import Statement

__all__ = [
    "ADMIN",
    "QUERIES",
    "StatementError",
    "find",
    "named_sql",
    "nouns",
    "numbered",
    "one",
    "quick",
    "script",
    "shown",
]

QUERIES = SQL / "queries"
ADMIN = SQL / "admin"
_PLACEHOLDER = re.compile(r"%\((\w+)\)s|%%")


class StatementError(Exception):
    """Statements cannot be read; the message has a line for each error, with its place."""


def named_sql(noun: str, folder: Path = QUERIES) -> Mapping[str, LiteralString]:
    """Return the statements of sql/queries/NOUN.sql (or of another folder) by name.

    Raises StatementError. Each ends with its own name in a comment, behind the text, where
    pg_stat_statements keeps it.
    """
    return {
        name: f"{statement.text}\n-- {noun}.{name}"
        for name, statement in _read(noun, folder).items()
    }


def find(name: str) -> Statement:
    """Return the statement NOUN.NAME. Raises StatementError, which lists the existing ones."""
    noun, _, verb = name.partition(".")
    known = nouns()
    if noun in known:
        statements = _read(noun, QUERIES)
        if verb in statements:
            return statements[verb]
        known = [f"{noun}.{each}" for each in statements]
    raise StatementError(f"There is no statement {name}; there are {', '.join(known)}.")


def nouns() -> list[str]:
    """Return the files of sql/queries, without .sql."""
    return sorted(path.stem for path in QUERIES.glob("*.sql"))


def _read(noun: str, folder: Path) -> dict[str, Statement]:
    path = folder / f"{noun}.sql"
    found = statement_files.read(path)
    if found.complaints:
        raise StatementError(
            "\n".join(f"{shown(path)}:{line}: {words}" for line, words in found.complaints)
        )
    return found.statements


def script(name: str) -> bytes:
    """Return a whole file of sql/admin that has no parameters, as `psql -f` would send it."""
    return (ADMIN / f"{name}.sql").read_bytes()


def numbered(text: str) -> tuple[str, list[str]]:
    """Return a statement with $1, $2 in place of %(name)s, as PostgreSQL has it, and the names in
    their order.
    """
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    return _PLACEHOLDER.sub(number, text), names


def written(text: str, position: int) -> int:
    """Return the place in a statement of what stands at `position` of its numbered text."""
    names: list[str] = []
    gone = 0
    for match in _PLACEHOLDER.finditer(text):
        if match[1] is not None and match[1] not in names:
            names.append(match[1])
        length = 1 if match[1] is None else len(f"${names.index(match[1]) + 1}")
        if match.start() - gone + length > position:
            break
        gone += match.end() - match.start() - length
    return position + gone


def shown(path: Path) -> str:
    """Return a path as messages name it: below the project's folder."""
    return str(path.relative_to(HOME)) if path.is_relative_to(HOME) else str(path)


def quick(
    conn: Conn, statement: LiteralString, values: Mapping[str, Any]
) -> tuple[Any, ...] | None:
    """Return the row of a frequent statement, or None: as a tuple, by a cursor that stays with its
    connection, which knows from the last time how values and results are read.
    """
    kept = conn.cursors if isinstance(conn, Connection) else {}
    cursor = kept.get(statement)
    if cursor is None:
        cursor = kept[statement] = conn.cursor(row_factory=tuple_row, binary=True)
    return cursor.execute(statement, values, prepare=True).fetchone()


def one(conn: Conn, statement: LiteralString, values: Mapping[str, Any] | None = None) -> Row:
    """Return the row of a statement that always has one: INSERT ... RETURNING, an aggregate, a
    function.
    """
    row = conn.execute(statement, values).fetchone()
    if row is None:
        raise LookupError(f"no row from {statement.rpartition('-- ')[2]}")
    return row
