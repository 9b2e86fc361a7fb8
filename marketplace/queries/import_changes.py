"""What became of the rows of an import, before and after.

Statements: sql/queries/import_changes.sql.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("import_changes")
#: Rows that are kept together.
CHUNK = 100


class Change(NamedTuple):
    """What became of a row; `before` and `after` have the fields that differ."""

    line: int
    product_id: int | None
    variant_id: int | None = None
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


def add(conn: Conn, import_id: int, outcome: str, changes: Sequence[Change]) -> None:
    """Keep what became of rows, all of the same outcome."""
    ordered = sorted(changes, key=lambda each: each.line)
    chunks = [ordered[first : first + CHUNK] for first in range(0, len(ordered), CHUNK)]
    values = {
        "import_id": import_id,
        "numbers": [chunk[0].line for chunk in chunks],
        "outcomes": [outcome] * len(chunks),
        "changes": [orjson.dumps([_kept(each) for each in chunk]).decode() for chunk in chunks],
    }
    if chunks:
        conn.execute(SQL["add"], values)


def _kept(change: Change) -> dict[str, Any]:
    return {name: value for name, value in change._asdict().items() if value is not None}


def add_new(conn: Conn, batch: Mapping[str, Any], met: Sequence[int], *, dry_run: bool) -> None:
    """Keep that the rows of a batch make products, except for the lines that match one. The batch:
    import_id, after_line, last_line and default_stock.
    """
    values = {**batch, "met": list(met), "most": CHUNK, "dry_run": dry_run}
    conn.execute(SQL["add_new"], values)


def weigh(conn: Conn, import_id: int) -> None:
    """Note how much they take, once the import has ended."""
    conn.execute(SQL["weigh"], {"import_id": import_id})


def leave_out(conn: Conn, import_id: int, lines: Sequence[int]) -> None:
    """Forget what is kept of rows that turned out bad."""
    conn.execute(SQL["leave_out"], {"import_id": import_id, "lines": list(lines)})


def search(
    conn: Conn, import_id: int, *, after: tuple[int, int] | None, outcome: str | None, limit: int
) -> list[Row]:
    """Return the next changes behind a place: number, place, outcome, change."""
    number, place = after or (0, 0)
    values = {
        "import_id": import_id,
        "number": number,
        "place": place,
        "outcome": outcome,
        "limit": limit,
    }
    return conn.execute(SQL["search"], values, prepare=False).fetchall()
