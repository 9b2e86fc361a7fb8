"""Typed words, and the products they find. Statements: sql/queries/search.sql."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.rows import namedtuple_row

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("search")


class Question(NamedTuple):
    """Words as queries: for all of them, for any, and each by itself with its weight.

    `few`: with fewer whole matches, products with any word are returned too.
    """

    all_words: str
    any_word: str
    forms: Sequence[str]
    rarities: Sequence[float]
    few: int


def understand(
    conn: Conn,
    *,
    typed: str,
    left_out: str,
    filters: Sequence[str] = (),
    prices: tuple[Decimal | None, Decimal | None] = (None, None),
    meant: Sequence[tuple[str, str]] = (),
) -> list[Row]:
    """Return the words and filters (word, role: typed, left out, filter; forms, required, named,
    found, rarity, newest_id).

    `filters`: words such as #c12. `prices`: from, to. `meant`: pairs of a misspelt word and one it
    may stand for.
    """
    values = {
        "typed": typed,
        "left_out": left_out,
        "filters": list(filters),
        "min_price": prices[0],
        "max_price": prices[1],
        "misspelt": [pair[0] for pair in meant],
        "meant": [pair[1] for pair in meant],
    }
    return conn.execute(SQL["understand"], values, prepare=True).fetchall()


def find(
    conn: Conn, listing: Mapping[str, Any], question: Question, *, with_ids: bool = False
) -> list[Any]:
    """Return rows (item, id, key, matches, whole) in the requested order; items are JSON.

    `matches` (at most 1,000) and `whole`, how many of them have all words, are the same in every
    row; if the page is empty, they are in one row whose item is None. `with_ids`: also `ids`, of
    all matches.
    """
    values = {**listing, **question._asdict(), "with_ids": with_ids}
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(SQL["find"], values, prepare=True).fetchall()


def correct(conn: Conn, words: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of a word and one of the catalogue that it may mean, at most three each."""
    rows = conn.execute(SQL["correct"], {"words": words}, prepare=True)
    return [(row["misspelt"], row["meant"]) for row in rows]


def suggest(conn: Conn, typed: str) -> list[Row]:
    """Return completions: rows of kind (products, brands, categories), id and name, at most five of
    a kind.
    """
    return conn.execute(SQL["suggest"], {"typed": typed}, prepare=True).fetchall()


def refresh_words(conn: Conn, sample: int) -> int:
    """Count how many products have each word, from a sample of that many products; return how many
    counts changed.
    """
    return int(one(conn, SQL["refresh_words"], {"sample": sample})["counted"])


def prune_words(conn: Conn, *, after: str, most: int) -> tuple[int, str | None]:
    """Delete words behind this one that no product has, checking so many; return how many, and the
    last one checked.
    """
    row = one(conn, SQL["prune_words"], {"after": after, "most": most})
    return row["pruned"], row["last_word"]
