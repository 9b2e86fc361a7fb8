"""Typed words, and the products they find. Statements: sql/queries/search.sql."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg.rows import namedtuple_row

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("search")


class Question(NamedTuple):
    """Words as queries: for all of them as typed, with related or corrected ones, for some of them,
    and each by itself with its weight.

    `little`: with fewer products found as typed, corrected words are looked for. `few`: with fewer
    whole matches, products with some of the words are returned too. `driver`: what all that these
    queries find has, if it finds few products; `partial_driver`: the same for `any_word` alone.
    `neighbours`: pairs of typed words as phrases, with their bonuses.
    """

    all_words: str
    related: str | None
    corrected: str | None
    any_word: str
    driver: str | None
    partial_driver: str | None
    forms: Sequence[str]
    rarities: Sequence[float]
    neighbours: Sequence[str]
    bonuses: Sequence[float]
    little: int
    few: int


def understand(
    conn: Conn,
    *,
    typed: str,
    left_out: str,
    filters: Sequence[str] = (),
    prices: tuple[Decimal | None, Decimal | None] = (None, None),
) -> list[Row]:
    """Return the words and filters (word, role: typed, left out, filter; forms, required, named,
    found, rarity, newest_id), and of typed words what they may stand for: related, corrected, each
    with how many products it finds.

    `filters`: words such as #c12. `prices`: from, to.
    """
    values = {
        "typed": typed,
        "left_out": left_out,
        "filters": list(filters),
        "min_price": prices[0],
        "max_price": prices[1],
    }
    return conn.execute(SQL["understand"], values, prepare=True).fetchall()


def find(
    conn: Conn, listing: Mapping[str, Any], question: Question, *, with_ids: bool = False
) -> list[Any]:
    """Return rows (item, id, key, matches) in the requested order; items are JSON.

    `matches` (at most 1,000) is the same in every row; if the page is empty, it is in one row whose
    item is None. `with_ids`: also `ids`, of all matches, in the first row.
    """
    values = {**listing, **question._asdict(), "with_ids": with_ids}
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(SQL["find"], values, prepare=True).fetchall()


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
