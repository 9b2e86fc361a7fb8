"""Taxes of a country, for the owner of the tables. Statements: sql/queries/tax_rates.sql."""

from decimal import Decimal

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("tax_rates")


def in_force(conn: Conn) -> list[Row]:
    """Return the rates that are in force, by country and category."""
    return conn.execute(SQL["list"]).fetchall()


def otherwise(conn: Conn, country: str, *, included: bool) -> list[int]:
    """Return rates of a country that are not in the prices, or on top, as this one is."""
    values = {"country": country, "included": included}
    return [row["id"] for row in conn.execute(SQL["otherwise"], values)]


def add(
    conn: Conn, country: str, name: str, rate: Decimal, *, included: bool, category_id: int | None
) -> int:
    """Add a rate, in force at once; its id."""
    values = {
        "country": country,
        "name": name,
        "rate": rate,
        "included": included,
        "category_id": category_id,
    }
    return int(one(conn, SQL["add"], values)["id"])


def lock(conn: Conn) -> None:
    """Let nobody else add or close rates until the transaction ends."""
    conn.execute(SQL["lock"])


def close(conn: Conn, rate_id: int) -> bool:
    """End a rate now; False if it is not in force."""
    return conn.execute(SQL["close"], {"rate_id": rate_id}).fetchone() is not None
