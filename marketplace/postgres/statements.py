"""The named statements of sql/queries, and two ways to run one."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marketplace.config.settings import ROOT
from marketplace.postgres.pool import Conn, LiteralString, Row

QUERIES = ROOT / "sql" / "queries"
_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)[ \t]*$", re.MULTILINE)


def named_sql(noun: str, folder: Path = QUERIES) -> Mapping[str, LiteralString]:
    """Return the statements of sql/queries/NOUN.sql (or of another folder) by name.

    Each ends with its own name in a comment, behind the text, where pg_stat_statements keeps it.
    """
    pieces = _NAME.split((folder / f"{noun}.sql").read_text(encoding="utf-8"))
    statements: dict[str, LiteralString] = {}
    for name, text in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in statements:
            raise ValueError(f"{noun}.sql has two statements named {name}.")
        statements[name] = f"{text.strip().rstrip(';')}\n-- {noun}.{name}"
    return statements


def one(conn: Conn, statement: LiteralString, values: Mapping[str, Any] | None = None) -> Row:
    """Return the row of a statement that always has one: INSERT ... RETURNING, an aggregate, a
    function.
    """
    row = conn.execute(statement, values).fetchone()
    if row is None:
        raise LookupError(f"no row from {statement.rpartition('-- ')[2]}")
    return row


def estimate(conn: Conn, counting: LiteralString, values: Mapping[str, Any]) -> int:
    """Return how many rows the planner expects below the count(*) of a statement."""
    plan = one(conn, f"EXPLAIN (FORMAT JSON) {counting}", values)["QUERY PLAN"][0]["Plan"]
    return int(plan["Plans"][0]["Plan Rows"])
