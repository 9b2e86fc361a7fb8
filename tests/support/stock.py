"""Products with stock, and the verbs of stock as other verbs call them: by the owner of the tables, line by line."""

import secrets
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from psycopg import errors
from psycopg.rows import dict_row

#: product, variant (0: the product itself), pieces
Line = tuple[int, int, int]


class Stock(NamedTuple):
    """A row of stock."""

    quantity: int
    reserved: int


class Moved(NamedTuple):
    """A movement of one row of stock, without its time."""

    kind: str
    change: int
    change_reserved: int


def columns(lines: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Lines as the arrays that a verb takes."""
    lines = list(lines)
    return [[line[place] for line in lines] for place in range(width)]


def hold(
    conn: Any, lines: Iterable[tuple[int, int, int, int]], *, minutes: float | None = 30
) -> list[dict[str, Any]]:
    """Hold lines (order, product, variant, pieces) for so long, or for good; what is short."""
    orders, products, variants, pieces = columns(lines, 4)
    query = (
        "SELECT * FROM hold_stock(%s::bigint[], %s::bigint[], %s::bigint[], %s::integer[],"
        " clock_timestamp() + make_interval(secs => %s))"
    )
    seconds = None if minutes is None else minutes * 60
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, [orders, products, variants, pieces, seconds]).fetchall()


def rehold(conn: Any, lines: Iterable[tuple[int, int, int, int]]) -> list[int]:
    """Hold lines firmly, again where they have lapsed; the orders that have all of theirs."""
    query = (
        "SELECT rehold_stock(%s::bigint[], %s::bigint[], %s::bigint[], %s::integer[]) AS order_id"
    )
    with conn.cursor(row_factory=dict_row) as cursor:
        return [row["order_id"] for row in cursor.execute(query, columns(lines, 4)).fetchall()]


def release(conn: Any, *orders: int) -> int:
    """Give back all that orders hold; how many holds they were."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "SELECT release_stock(%s::bigint[]) AS released", [list(orders)]
        ).fetchone()
        assert row is not None
        return int(row["released"])


def take(conn: Any, verb: str, order: int, lines: Iterable[Line]) -> None:
    """release_lines, ship_stock or return_stock of some lines of an order."""
    query = f"SELECT {verb}(%s, %s::bigint[], %s::bigint[], %s::integer[])"
    conn.execute(query, [order, *columns(lines, 3)])


def stock(conn: Any, product: int, variant: int = 0) -> Stock:
    """What a row of stock says."""
    with conn.cursor(row_factory=dict_row) as cursor:
        query = "SELECT quantity, reserved FROM inventory WHERE product_id = %s AND variant_id = %s"
        row = cursor.execute(query, [product, variant]).fetchone()
    assert row is not None, (product, variant)
    return Stock(**row)


def moves(conn: Any, product: int, variant: int = 0) -> list[Moved]:
    """The movements of a row of stock, in their order."""
    query = (
        "SELECT kind, change, change_reserved FROM stock_movements WHERE product_id = %s AND variant_id = %s"
        " ORDER BY created_at, id"
    )
    with conn.cursor(row_factory=dict_row) as cursor:
        return [Moved(**row) for row in cursor.execute(query, [product, variant]).fetchall()]


def holds(conn: Any, order: int) -> dict[tuple[int, int], tuple[int, bool]]:
    """What an order holds: by product and variant, pieces and whether the hold is firm."""
    query = "SELECT product_id, variant_id, quantity, expires_at FROM holds WHERE order_id = %s"
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query, [order]).fetchall()
    return {
        (row["product_id"], row["variant_id"]): (row["quantity"], row["expires_at"] is None)
        for row in rows
    }


def broken(conn: Any, *, orders: bool = False) -> list[tuple[str, int]]:
    """Which invariants do not hold, and how often.

    The verbs of stock know no orders, and tests of them hold for numbers that no order has: only with `orders` it is
    asked whether there is an order behind each hold.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        return [
            (row["name"], row["broken"])
            for row in cursor.execute("SELECT * FROM broken_invariants()").fetchall()
            if orders or row["name"] != "holds_are_wanted"
        ]


def add_variants(
    conn: Any, product: int, quantities: Sequence[int], *, price: str = "85000.00"
) -> list[int]:
    """Make a simple product one with variants, by the owner's hand: the first takes over its stock; ids of all."""
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            "UPDATE products SET option_names = '{Warna}', variant_count = %s, sku = NULL, price = %s WHERE id = %s",
            [len(quantities), price, product],
        )
        rows = cursor.execute(
            "INSERT INTO variants (product_id, store_id, position, options, price)"
            " SELECT %s, 0, n, ARRAY['Warna ' || n], %s FROM generate_series(1, %s) AS n RETURNING id",
            [product, price, len(quantities)],
        ).fetchall()
        ids = sorted(row["id"] for row in rows)
        cursor.execute("DELETE FROM inventory WHERE product_id = %s", [product])
        cursor.execute(
            "INSERT INTO inventory (product_id, variant_id, quantity)"
            " SELECT %s, u.id, u.quantity FROM unnest(%s::bigint[], %s::integer[]) AS u (id, quantity)",
            [product, ids, list(quantities)],
        )
    return ids


def act_as(conn: Any, user_id: int | None) -> None:
    """Have the rest of the transaction act for a user, as a request with their token does; None: for nobody."""
    if user_id is None:
        conn.execute("SELECT set_config('app.session', '', true)")
        return
    secret = secrets.token_bytes(32)
    conn.execute(
        "INSERT INTO auth.sessions (user_id, secret_hash, expires_at) VALUES (%s, %s, now() + interval '1 hour')",
        [user_id, secret],
    )
    conn.execute("SELECT set_config('app.session', %s, true)", [secret.hex()])


@contextmanager
def refused(conn: Any, code: str, constraint: str | None = None) -> Any:
    """What is sent inside fails with this SQLSTATE, by this constraint, and is undone."""
    with pytest.raises(errors.Error) as caught, conn.transaction():
        yield
    assert caught.value.sqlstate == code, caught.value
    if constraint is not None:
        assert caught.value.diag.constraint_name == constraint


@contextmanager
def role(conn: Any, name: str) -> Any:
    """Send what is inside with the rights of a role."""
    conn.execute(f"SET LOCAL ROLE {name}")
    try:
        yield conn
    finally:
        if conn.info.transaction_status.name != "INERROR":
            conn.execute("RESET ROLE")


class Room:
    """A seller with products, in a transaction that is rolled back; what is asked of `conn` is asked by the owner."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.conn = api.db.conn
        self.seller = api.seller()
        self.become("none")

    def become(self, name: str) -> None:
        """Send what comes next with the rights of a role: none is the owner of the tables."""
        self.conn.execute("SELECT set_config('role', %s, false)", [name])

    def product(self, quantity: int = 10, **fields: Any) -> int:
        """A product of the seller's; its id."""
        self.become("marketplace_app")
        made = self.api.product(self.seller, stock=quantity, **fields)
        self.become("none")
        return int(made["id"])

    def product_with_variants(self, *quantities: int, **fields: Any) -> tuple[int, list[int]]:
        """A product with a variant for each quantity; its id and theirs."""
        product = self.product(0, **fields)
        return product, add_variants(self.conn, product, quantities)

    def user(self, kind: str) -> Any:
        """Somebody else: buyer, seller or admin."""
        self.become("marketplace_app")
        user = getattr(self.api, kind)()
        self.become("none")
        return user


def many_products(conn: Any, store_id: int, count: int) -> list[int]:
    """Make simple products of a store with 50 pieces each, by the owner's hand; their ids, ascending."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "INSERT INTO products (store_id, name, price, in_stock)"
            " SELECT %s, 'Kopi Gayo ' || n, 90000, true FROM generate_series(1, %s) AS n RETURNING id",
            [store_id, count],
        ).fetchall()
        ids = sorted(row["id"] for row in rows)
        cursor.execute(
            "INSERT INTO inventory (product_id, quantity) SELECT unnest(%s::bigint[]), 50", [ids]
        )
    return ids
