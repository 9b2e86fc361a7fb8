"""What a backup and a restore ask, as the owner. Statements: sql/queries/backups.sql."""

from collections.abc import Iterator

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("backups")


def try_hold(conn: Conn) -> bool:
    """As `hold`, but without waiting; False where somebody else has it."""
    return bool(one(conn, SQL["try_hold"])["held"])


def hold(conn: Conn) -> None:
    """Keep the sweeper from all files, and other backups away, until the connection is closed."""
    conn.execute(SQL["hold"])


def export_snapshot(conn: Conn) -> str:
    """What this transaction sees, by a name that pg_dump takes."""
    return str(one(conn, SQL["export_snapshot"])["snapshot"])


def server(conn: Conn) -> Row:
    """Version as number and name, which database, and whether it is a replica."""
    return one(conn, SQL["server"])


def locale(conn: Conn) -> Row:
    """How the database orders text: provider (c for libc), lc_collate, lc_ctype."""
    return one(conn, SQL["locale"])


def state(conn: Conn) -> Row:
    """wal_position, and the newest migration: its number and name."""
    return one(conn, SQL["state"])


def counts(conn: Conn) -> dict[str, int]:
    """Rows of every table, by schema.table."""
    return {
        row["name"]: int(one(conn, row["statement"])["found"])
        for row in conn.execute(SQL["counting"]).fetchall()
    }


def picture_files(conn: Conn) -> Iterator[str]:
    """Keys of all files that rows name, in the order of bytes; in a transaction, a few thousand
    at a time.
    """
    with conn.cursor(name="picture_files") as cursor:
        cursor.itersize = 5000
        for row in cursor.execute(SQL["picture_files"]):
            yield row["key"]


def import_files(conn: Conn) -> Iterator[str]:
    """Keys of files that imports still need, in the order of bytes."""
    for row in conn.execute(SQL["import_files"]):
        yield row["key"]


def relations(conn: Conn) -> int:
    """Tables, views, indexes, sequences; 0 in a database that is empty."""
    return int(one(conn, SQL["relations"])["relations"])


def extensions(conn: Conn) -> set[str]:
    """Names of extensions that this login may make."""
    return {row["name"] for row in conn.execute(SQL["extensions"])}
