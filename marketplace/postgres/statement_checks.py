"""Makes PostgreSQL parse every named statement, and executes none of them.

A statement is sent as the first half of its execution (Parse), which refuses a second statement,
too.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from marketplace.postgres import statement_files
from marketplace.postgres.statement_files import Complaint, Statement
from marketplace.postgres.statements import QUERIES, numbered, shown, written


class Report(NamedTuple):
    """The number of statements read, and a line for each error: its place and its reason."""

    statements: int
    mistakes: list[str]


def check(
    conn: psycopg.Connection[Any], only: Sequence[str] = (), *, copying: bool = True
) -> Report:
    """Check the statements of all nouns, or of some `only`. Raises FileNotFoundError.

    `copying` also starts each COPY and rolls it back; that needs the right to write its table.
    """
    count = 0
    mistakes: list[str] = []
    for path in [QUERIES / f"{noun}.sql" for noun in only] or sorted(QUERIES.glob("*.sql")):
        found = statement_files.read(path)
        count += len(found.statements)
        misunderstood = _misunderstood(conn, list(found.statements.values()), copying)
        for line, words in sorted({*found.complaints, *misunderstood}):
            mistakes.append(f"{shown(path)}:{line}: {words}")
    return Report(count, mistakes)


def _misunderstood(
    conn: psycopg.Connection[Any], statements: Sequence[Statement], copying: bool
) -> list[Complaint]:
    """Return PostgreSQL's errors about statements; an error of a fragment once, with all names."""
    blamed: dict[Complaint, list[str]] = {}
    for statement in statements:
        error = _refusal(conn, statement.text, copying)
        if error is not None:
            position = int(error.diag.statement_position or 1) - 1
            line = statement.line_at(written(statement.text, position))
            blamed.setdefault(Complaint(line, str(error.diag.message_primary)), []).append(
                statement.name
            )
    return [
        Complaint(line, f"{', '.join(names)}: {words}") for (line, words), names in blamed.items()
    ]


def _refusal(conn: psycopg.Connection[Any], text: str, copying: bool) -> psycopg.Error | None:
    sent = numbered(text)[0].encode()
    result = conn.pgconn.prepare(b"", sent)
    if copying and result.status == ExecStatus.COMMAND_OK and text.split()[0] == "COPY":
        result = conn.pgconn.exec_params(sent, None)
        if result.status == ExecStatus.COPY_IN:
            conn.pgconn.put_copy_end(b"only a check")
            while conn.pgconn.get_result() is not None:
                pass
            return None
    if result.status == ExecStatus.COMMAND_OK:
        return None
    error = error_from_result(result)
    if conn.pgconn.status != psycopg.pq.ConnStatus.OK:
        raise error
    # A login that may not write has found the table and its columns before it says so.
    return None if isinstance(error, psycopg.errors.ReadOnlySqlTransaction) else error
