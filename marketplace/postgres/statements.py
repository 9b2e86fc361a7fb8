"""The named statements of sql/queries and sql/admin: every text that is sent to PostgreSQL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marketplace.config import ROOT
from marketplace.connections import Conn, LiteralString, Row
from marketplace.postgres import statement_files

__all__ = ["ADMIN", "QUERIES", "StatementError", "named_sql", "one", "script"]

QUERIES = ROOT / "sql" / "queries"
ADMIN = ROOT / "sql" / "admin"


class StatementError(Exception):
    """A file of statements cannot be read; the message has a line for each mistake, with the file and its line."""


def named_sql(noun: str, folder: Path = QUERIES) -> Mapping[str, LiteralString]:
    """Return the statements of sql/queries/NOUN.sql (or of another folder) by name. Raises StatementError.

    Each ends with its own name in a comment, behind the text, where pg_stat_statements keeps it.
    """
    path = folder / f"{noun}.sql"
    found = statement_files.read(path)
    if found.complaints:
        raise StatementError("\n".join(f"{shown(path)}:{line}: {words}" for line, words in found.complaints))
    return {name: f"{statement.text}\n-- {noun}.{name}" for name, statement in found.statements.items()}


def script(name: str) -> bytes:
    """Return a whole file of sql/admin that has no parameters, as `psql -f` would send it."""
    return (ADMIN / f"{name}.sql").read_bytes()


def shown(path: Path) -> str:
    """Return a path as messages name it: below the project's folder."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def one(conn: Conn, statement: LiteralString, values: Mapping[str, Any] | None = None) -> Row:
    """Return the row of a statement that always has one: INSERT ... RETURNING, an aggregate, a function."""
    row = conn.execute(statement, values).fetchone()
    if row is None:
        raise LookupError(f"no row from {statement.rpartition('-- ')[2]}")
    return row
