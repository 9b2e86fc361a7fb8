"""Administrative areas. Statements: sql/queries/areas.sql."""

from collections.abc import Sequence

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("areas")


def within(
    conn: Conn, country: str, *, parent: str | None, after_code: str | None, limit: int
) -> list[Row]:
    """Return the areas in another one, or the largest of a country, by code."""
    values = {"country": country, "parent": parent, "after_code": after_code, "limit": limit}
    return conn.execute(SQL["list"], values).fetchall()


def search(
    conn: Conn,
    country: str,
    words: str,
    *,
    parent: str | None,
    after: tuple[str, str] | None,
    limit: int,
) -> list[Row]:
    """Return areas whose name begins so, by name and code; `after` is the last of the page
    before.
    """
    after_key, after_code = after or ("", "")
    values = {"country": country, "search": words, "parent": parent, "limit": limit}
    window = {"after_key": after_key, "after_code": after_code}
    return conn.execute(SQL["search"], {**values, **window}).fetchall()


def find(conn: Conn, country: str, code: str) -> Row:
    """Return the `names` from the largest area down to this one, its `postcodes`, whether it is
    `there`, and whether areas of the country are `known` at all.
    """
    return one(conn, SQL["find"], {"country": country, "code": code})


def load(
    conn: Conn, country: str, codes: Sequence[str], names: Sequence[str], postcodes: Sequence[str]
) -> int:
    """Write areas, new or changed; how many. For the owner of the tables."""
    values = {
        "country": country,
        "codes": list(codes),
        "names": list(names),
        "postcodes": list(postcodes),
    }
    return conn.execute(SQL["load"], values).rowcount


def forget_others(conn: Conn, country: str, codes: Sequence[str]) -> int:
    """Remove areas of a country other than these; how many. For the owner of the tables."""
    return conn.execute(SQL["forget_others"], {"country": country, "codes": list(codes)}).rowcount
