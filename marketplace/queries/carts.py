"""Carts. Statements: sql/queries/carts.sql."""

from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("carts")


class Wanted(NamedTuple):
    """Pieces of a product, or of a variant of it; variant 0 is the product itself."""

    product_id: int
    variant_id: int
    quantity: int


def send_whole(conn: Conn, user_id: int) -> tuple[psycopg.Cursor[Row], psycopg.Cursor[Row]]:
    """Return where a cart will be, once a pipeline has ended: its `version`, no row if it was never
    used; everything about each line, live, with the `problem` it has.
    """
    version = conn.execute(SQL["version"], {"user_id": user_id})
    return version, conn.execute(SQL["lines"], {"user_id": user_id})


def wanted(conn: Conn, user_id: int) -> psycopg.Cursor[Row]:
    """Return where rows of what is in a cart (Wanted) will be, once a pipeline has ended."""
    return conn.execute(SQL["wanted"], {"user_id": user_id})


def priced(conn: Conn, lines: Sequence[Wanted], country: str) -> list[Row]:
    """Return everything that lines are priced from, with the taxes of a country."""
    values = {
        "country": country,
        "product_ids": [line.product_id for line in lines],
        "variant_ids": [line.variant_id for line in lines],
        "quantities": [line.quantity for line in lines],
    }
    return conn.execute(SQL["priced"], values).fetchall()


def bought(conn: Conn, product_ids: Sequence[int], *, user_id: int) -> psycopg.Cursor[Row]:
    """Return where rows will be, once a pipeline has ended: product_id and the pieces of it that a
    buyer has bought in 30 days.
    """
    return conn.execute(SQL["bought"], {"product_ids": list(product_ids), "user_id": user_id})


def hold(conn: Conn, user_id: int) -> int:
    """Return the version of a user's cart, which is made if need be and locked."""
    with conn.pipeline():  # one round trip for both
        conn.execute(SQL["make"], {"user_id": user_id})
        return int(one(conn, SQL["hold"], {"user_id": user_id})["version"])


def take_turn(conn: Conn, user_id: int) -> None:
    """Lock a cart and note that it has changed, in one."""
    conn.execute(SQL["take_turn"], {"user_id": user_id})


def touch(conn: Conn, user_id: int) -> None:
    """Note that a cart has changed."""
    conn.execute(SQL["touch"], {"user_id": user_id})


def strangers(conn: Conn, wanted: Sequence[Wanted]) -> list[int]:
    """Return the places, from 0, of lines whose product does not exist."""
    values = {"product_ids": [line.product_id for line in wanted]}
    return [row["place"] - 1 for row in conn.execute(SQL["strangers"], values)]


def put(conn: Conn, wanted: Sequence[Wanted], *, user_id: int, merge: bool) -> int:
    """Set lines, each once; merged, the larger quantity of the two stays. How many changed."""
    values = {
        "user_id": user_id,
        "merge": merge,
        "product_ids": [line.product_id for line in wanted],
        "variant_ids": [line.variant_id for line in wanted],
        "quantities": [line.quantity for line in wanted],
    }
    return conn.execute(SQL["put"], values).rowcount


def take_out(conn: Conn, wanted: Sequence[Wanted], *, user_id: int) -> int:
    """Remove lines; how many were there."""
    values = {
        "user_id": user_id,
        "product_ids": [line.product_id for line in wanted],
        "variant_ids": [line.variant_id for line in wanted],
    }
    return conn.execute(SQL["take_out"], values).rowcount


def count(conn: Conn, user_id: int) -> int:
    """Return how many lines a cart has."""
    return int(one(conn, SQL["count"], {"user_id": user_id})["lines"])


def clear(conn: Conn, user_id: int) -> int:
    """Empty a cart; how many lines it had."""
    return conn.execute(SQL["clear"], {"user_id": user_id}).rowcount


def sweep(conn: Conn, *, days: int, most: int) -> int:
    """Remove carts that nobody has touched for so long, some at a time; how many. For the
    worker.
    """
    return int(one(conn, SQL["sweep"], {"days": days, "most": most})["swept"])
