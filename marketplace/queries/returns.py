"""Returns. Statements: sql/queries/returns.sql.

A verb returns what became of it, or None where the return is not the caller's; what it refuses is a
psycopg.errors.IntegrityError with the name of a constraint.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from marketplace.contract.pages import Part
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("returns")


def of_caller(conn: Conn, caller: Caller, part: Part) -> list[Row]:
    """Return what a user asks to give back and what their store is asked for, newest first."""
    values = {"user_id": caller.user_id, "store_id": caller.store_id, **part.newer()}
    return conn.execute(SQL["of_caller"], values).fetchall()


def of_store(conn: Conn, caller: Caller, store_id: int, state: str | None, part: Part) -> list[Row]:
    """Return the returns of a store, newest first: for its seller and for admins."""
    values = {
        "everything": caller.role == "admin",
        "own_store_id": caller.store_id,
        "store_id": store_id,
        "state": state,
        **part.newer(),
    }
    return conn.execute(SQL["of_store"], values, prepare=False).fetchall()


def newest(conn: Conn, part: Part) -> list[Row]:
    """Return all returns, newest first. For admins."""
    return conn.execute(SQL["newest"], part.newer()).fetchall()


def disputed(conn: Conn, part: Part) -> list[Row]:
    """Return what an admin has to decide, the longest waiting first. For admins."""
    return conn.execute(SQL["disputed"], part.older()).fetchall()


def of_order(conn: Conn, caller: Caller, order_id: int) -> list[Row]:
    """Return the returns of an order, newest first; the caller's alone."""
    return conn.execute(SQL["of_order"], {"order_id": order_id, **_whose(caller)}).fetchall()


def find(conn: Conn, caller: Caller, order_id: int, return_id: int) -> Row | None:
    """Return a return, or None if it is not the caller's."""
    values = {"order_id": order_id, "return_id": return_id, **_whose(caller)}
    return conn.execute(SQL["find"], values).fetchone()


def images(conn: Conn, order_id: int, return_id: int) -> list[str]:
    """Return the ids of the images of a return, for whoever may see them."""
    rows = conn.execute(SQL["images"], {"order_id": order_id, "return_id": return_id}).fetchall()
    return [str(row["id"]) for row in rows]


def open(conn: Conn, order_id: int, asked: Mapping[str, Any]) -> int | None:
    """Ask to give pieces back; return the return's id."""
    lines: Sequence[Mapping[str, int]] = asked["lines"]
    values = {
        "order_id": order_id,
        "reason": asked["reason"],
        "message": asked.get("message"),
        "uploads": list(asked.get("uploads") or ()),
        "line_ids": [line["line_id"] for line in lines],
        "pieces": [line["quantity"] for line in lines],
        "keep_goods": bool(asked.get("keep_goods")),
    }
    told: int | None = one(conn, SQL["open"], values)["told"]
    return told


def move(
    conn: Conn,
    order_id: int,
    return_id: int,
    step: str,
    *,
    message: str | None = None,
    tracking_number: str | None = None,
    sellable: bool = False,
    amount: Decimal | None = None,
    bearer: str | None = None,
) -> str | None:
    """Make one step of a return: its state, or not_due (the worker)."""
    values = {
        "order_id": order_id,
        "return_id": return_id,
        "step": step,
        "message": message,
        "tracking_number": tracking_number,
        "sellable": sellable,
        "amount": amount,
        "bearer": bearer or "store",
    }
    told: str | None = one(conn, SQL["move"], values)["told"]
    return told


def due(conn: Conn, had: list[int], most: int) -> list[Row]:
    """Return what silence decides: order_id, id, step; not those that were had. For the worker."""
    return conn.execute(SQL["due"], {"had": had, "most": most}).fetchall()


def _whose(caller: Caller) -> dict[str, Any]:
    return {
        "everything": caller.role == "admin",
        "user_id": caller.user_id,
        "store_id": caller.store_id,
    }
