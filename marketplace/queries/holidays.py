"""Days on which no store has to send. Statements: sql/queries/holidays.sql."""

from datetime import date

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("holidays")


def coming(conn: Conn, country: str) -> list[Row]:
    """Return the holidays of a country that are still to come."""
    return conn.execute(SQL["list"], {"country": country}).fetchall()


def add(conn: Conn, country: str, day: date, name: str) -> None:
    """Add a holiday, or rename it."""
    conn.execute(SQL["add"], {"country": country, "day": day, "name": name})


def remove(conn: Conn, country: str, day: date) -> bool:
    """Remove a holiday; False if there is none."""
    return conn.execute(SQL["remove"], {"country": country, "day": day}).rowcount > 0
