"""The number of products for each choice. Statements: sql/queries/facets.sql."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("facets")


def count(
    conn: Conn,
    listing: Mapping[str, Any],
    *,
    facets: Sequence[str],
    crossing: bool,
    found: Sequence[int] | None,
    most: int,
) -> list[Row]:
    """Return rows of facet, id, name, count, low, high, in_stock; the first, `all`, also has
    whether it is `complete`.

    They count what a list's filters leave, or the products `found`; at most `most`.
    """
    values = {**listing, "facets": list(facets), "crossing": crossing, "found": found, "most": most}
    return conn.execute(SQL["count"], values, prepare=False).fetchall()


def categories(conn: Conn, category_id: int | None) -> list[Row]:
    """Return the largest child categories of one, or of the top: facet, id, name, count."""
    return conn.execute(SQL["categories"], {"category_id": category_id}).fetchall()
