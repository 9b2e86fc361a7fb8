"""Ways in which stores send. Statements: sql/queries/delivery_options.sql."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("delivery_options")
#: What a store says of an option, its rates aside.
FIELDS = (
    "name",
    "pricing",
    "price",
    "per_kg",
    "free_from",
    "max_grams",
    "areas",
    "cod",
    "days_min",
    "days_max",
    "position",
    "active",
)


def offered(conn: Conn, store_id: int) -> list[Row]:
    """Return what a store offers to everybody, in its order; nothing of a stopped one."""
    return conn.execute(SQL["offered"], {"store_id": store_id}).fetchall()


def store_there(conn: Conn, store_id: int) -> bool:
    """Return whether there is such a store, and it sells."""
    return bool(one(conn, SQL["store_there"], {"store_id": store_id})["there"])


def of_store(conn: Conn, store_id: int) -> list[Row]:
    """Return all options of the caller's store (an admin's: any), closed ones too."""
    return conn.execute(SQL["list"], {"store_id": store_id}).fetchall()


def rates(conn: Conn, store_id: int, option_ids: Sequence[int]) -> list[Row]:
    """Return the rates of some options: option_id, area, up_to_grams, price."""
    values = {"store_id": store_id, "option_ids": list(option_ids)}
    return conn.execute(SQL["rates"], values).fetchall()


def take_turn(conn: Conn, store_id: int) -> None:
    """Wait for other changes of this store's options; others wait until the transaction ends."""
    conn.execute(SQL["take_turn"], {"store_id": store_id})


def count(conn: Conn, store_id: int) -> int:
    """Return how many options a store offers."""
    return int(one(conn, SQL["count"], {"store_id": store_id})["options"])


def add(conn: Conn, fields: Mapping[str, Any], *, store_id: int) -> Row:
    """Add an option, without its rates."""
    values = {name: fields.get(name) for name in FIELDS}
    return one(conn, SQL["add"], {**values, "store_id": store_id})


def hold(conn: Conn, option_id: int, *, store_id: int) -> Row | None:
    """Return id, active and version of an option, locked; None if it is not the store's."""
    values = {"option_id": option_id, "store_id": store_id}
    return conn.execute(SQL["hold"], values).fetchone()


def change(conn: Conn, option_id: int, fields: Mapping[str, Any], *, store_id: int) -> Row | None:
    """Replace an option, without its rates; None if it is not the store's."""
    values = {name: fields.get(name) for name in FIELDS}
    whose = {"option_id": option_id, "store_id": store_id}
    return conn.execute(SQL["change"], {**values, **whose}).fetchone()


def close(conn: Conn, option_id: int, *, store_id: int) -> None:
    """Offer an option no longer."""
    conn.execute(SQL["close"], {"option_id": option_id, "store_id": store_id})


def set_rates(
    conn: Conn, option_id: int, new: Sequence[Mapping[str, Any]], *, store_id: int
) -> None:
    """Replace the rates of an option."""
    whose = {"option_id": option_id, "store_id": store_id}
    conn.execute(SQL["clear_rates"], whose)
    if new:
        values = {
            "areas": [rate["area"] for rate in new],
            "grams": [rate["up_to_grams"] for rate in new],
            "prices": [rate["price"] for rate in new],
        }
        conn.execute(SQL["add_rates"], {**whose, **values})
