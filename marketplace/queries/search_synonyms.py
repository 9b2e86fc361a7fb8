"""Words that mean the same to a search. Statements: sql/queries/search_synonyms.sql."""

from collections.abc import Sequence

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("search_synonyms")


def take_turn(conn: Conn) -> None:
    """Wait for other changes of the list; others wait until the transaction ends."""
    conn.execute(SQL["take_turn"])


def version(conn: Conn) -> int:
    """Return the version of the list."""
    return int(one(conn, SQL["version"])["version"])


def groups(conn: Conn) -> list[list[str]]:
    """Return the words of each group, in their order."""
    return [row["words"] for row in conn.execute(SQL["groups"])]


def fold(conn: Conn, words: Sequence[str]) -> list[str]:
    """Return words as a search reads them when they are typed, in the same order."""
    rows = conn.execute(SQL["fold"], {"words": list(words)})
    return [row["word"] for row in rows]


def replace(
    conn: Conn, words: Sequence[str], group_ids: Sequence[int], positions: Sequence[int]
) -> None:
    """Write the whole list: a word, its group and its place there by index. What stays is not
    written.
    """
    values = {"words": list(words), "group_ids": list(group_ids), "positions": list(positions)}
    conn.execute(SQL["remove"], values)
    conn.execute(SQL["add"], values)
