"""Badges: what waits for a user. Statements: sql/queries/badges.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("badges")


def count(conn: Conn, user_id: int) -> Row:
    """Return how much waits for a buyer, each up to 99: cart, unpaid, to_ship, shipping."""
    return one(conn, SQL["count"], {"user_id": user_id})


def count_of_store(conn: Conn, store_id: int) -> Row:
    """Return how much waits for a store, each up to 99: new, to_ship, requests, low_stock."""
    return one(conn, SQL["count_of_store"], {"store_id": store_id})
