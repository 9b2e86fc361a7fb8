"""Statements of backup and restore, as the owner. Statements: sql/queries/backups.sql."""

from collections.abc import Iterator

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("backups")


def try_hold(conn: Conn) -> bool:
    """Like `hold`, but without waiting; False if somebody else has it."""
    return bool(one(conn, SQL["try_hold"])["held"])


def hold(conn: Conn) -> None:
    """Keep the sweeper from all files, and other backups away, until the connection is closed."""
    conn.execute(SQL["hold"])


def take_time(conn: Conn) -> None:
    """Let statements of this session take, and wait, as long as they need."""
    conn.execute(SQL["take_time"])


def analyze(conn: Conn) -> None:
    """Give the planner statistics of all tables."""
    conn.execute(SQL["analyze"])


def export_snapshot(conn: Conn) -> str:
    """Export this transaction's snapshot; return its name, which pg_dump takes."""
    return str(one(conn, SQL["export_snapshot"])["snapshot"])


def server(conn: Conn) -> Row:
    """Return version as number and name, which database, and whether it is a replica."""
    return one(conn, SQL["server"])


def locale(conn: Conn) -> Row:
    """Return how the database orders text: provider (c for libc), lc_collate, lc_ctype."""
    return one(conn, SQL["locale"])


def state(conn: Conn) -> Row:
    """Return wal_position, and the newest migration: its number and name."""
    return one(conn, SQL["state"])


def counts(conn: Conn) -> dict[str, int]:
    """Return the number of rows of every table, by schema.table."""
    return {
        row["name"]: int(one(conn, row["statement"])["found"])
        for row in conn.execute(SQL["counting"]).fetchall()
    }


def picture_files(conn: Conn) -> Iterator[str]:
    """Yield keys of all files that rows name, in the order of bytes; in a transaction, a few
    thousand at a time.
    """
    with conn.cursor(name="picture_files") as cursor:
        cursor.itersize = 5000
        for row in cursor.execute(SQL["picture_files"]):
            yield row["key"]


def import_files(conn: Conn) -> Iterator[str]:
    """Return keys of files that imports still need, in the order of bytes."""
    for row in conn.execute(SQL["import_files"]):
        yield row["key"]


def relations(conn: Conn) -> int:
    """Return the number of tables, views, indexes, sequences; 0 in an empty database."""
    return int(one(conn, SQL["relations"])["relations"])


def extensions(conn: Conn) -> set[str]:
    """Return names of extensions that this login may create."""
    return {row["name"] for row in conn.execute(SQL["extensions"])}
