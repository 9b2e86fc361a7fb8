"""The number of products for each choice. Statements: sql/queries/facets.sql."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("facets")


class Facts(NamedTuple):
    """What products are counted by: PostgreSQL's arrays, as texts."""

    of_categories: str | None
    of_brands: str | None
    of_prices: str | None
    of_stock: str | None


NONE = Facts(None, None, None, None)


def count(
    conn: Conn,
    listing: Mapping[str, Any],
    *,
    facets: Sequence[str],
    crossing: bool,
    found: Sequence[int] | None,
    facts: Facts | None,
    most: int,
) -> list[Row]:
    """Return rows of facet, id, name, count, low, high, in_stock; the first, `all`, also has
    whether it is `complete`.

    They count what a list's filters leave, or the products `found`; at most `most`, or those of
    which the `facts` are known.
    """
    values = {
        **listing,
        **(facts or NONE)._asdict(),
        "facets": list(facets),
        "crossing": crossing,
        "found": found,
        "most": most,
    }
    return conn.execute(SQL["count"], values, prepare=False).fetchall()


def categories(conn: Conn, category_id: int | None) -> list[Row]:
    """Return the largest child categories of one, or of the top: facet, id, name, count."""
    return conn.execute(SQL["categories"], {"category_id": category_id}).fetchall()
