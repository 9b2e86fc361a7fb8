"""What only a store and admins know of it. Statements: sql/queries/store_settings.sql."""

from collections.abc import Mapping
from typing import Any

import orjson

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("store_settings")


def find(conn: Conn, store_id: int, *, owner_id: int | None) -> Row | None:
    """Return the settings of a store: the owner's, or any for an admin (no owner); None if there is
    no such store. Version 0: nothing was said yet.
    """
    return conn.execute(SQL["find"], {"store_id": store_id, "owner_id": owner_id}).fetchone()


def take_turn(conn: Conn, store_id: int) -> None:
    """Wait for other changes of these settings; others wait until the transaction ends."""
    conn.execute(SQL["take_turn"], {"store_id": store_id})


def write(conn: Conn, store_id: int, settings: Mapping[str, Any]) -> None:
    """Replace the settings of a store. Who collects cash is an admin's to say: the database refuses
    it to others.
    """
    origin = settings["origin"]
    values = {
        "store_id": store_id,
        "origin": None if origin is None else orjson.dumps(origin, default=str).decode(),
        "taxable": settings["taxable"],
        "accept_after_minutes": settings["accept_after_minutes"],
        "cod_collector": settings["cod_collector"],
    }
    conn.execute(SQL["write"], values)
