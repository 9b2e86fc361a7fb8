"""Refunds. Statements: sql/queries/refunds.sql."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from marketplace.contract.pages import FURTHEST, Part
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("refunds")


def of_caller(conn: Conn, caller: Caller, part: Part) -> list[Row]:
    """Return what a user gets back and what their store gives back, newest first."""
    values = {"user_id": caller.user_id, "store_id": caller.store_id, **part.newer()}
    return conn.execute(SQL["of_caller"], values).fetchall()


def newest(conn: Conn, part: Part) -> list[Row]:
    """Return all refunds, newest first. For admins."""
    return conn.execute(SQL["newest"], part.newer()).fetchall()


def by_hand(conn: Conn, way: str, state: str, part: Part) -> list[Row]:
    """Return refunds that wait for somebody, the longest waiting first. For admins."""
    return conn.execute(SQL["by_hand"], {"way": way, "state": state, **part.older()}).fetchall()


def at_provider(conn: Conn, state: str, part: Part) -> list[Row]:
    """Return what a provider has not sent yet, the longest waiting first. For admins."""
    return conn.execute(SQL["at_provider"], {"state": state, **part.older()}).fetchall()


def of_order(conn: Conn, caller: Caller, order_id: int, part: Part) -> list[Row]:
    """Return the refunds of an order, newest first; the caller's alone. `part.after` is an id."""
    values = {
        "order_id": order_id,
        "before_id": part.after[0] if part.after else FURTHEST,
        "limit": part.limit,
        **_whose(caller),
    }
    return conn.execute(SQL["of_order"], values).fetchall()


def find(conn: Conn, caller: Caller, refund_id: int) -> Row | None:
    """Return a refund, or None if it is not the caller's."""
    values = {"refund_id": refund_id, **_whose(caller)}
    return conn.execute(SQL["find"], values).fetchone()


def lock(conn: Conn, refund_id: int) -> int | None:
    """Return the version of a refund, locked until the transaction ends; None: not the caller's."""
    told: int | None = one(conn, SQL["lock"], {"refund_id": refund_id})["told"]
    return told


def give_account(conn: Conn, refund_id: int, account: Mapping[str, Any]) -> str | None:
    """Say to which account a refund goes. None: it is not the caller's."""
    values = {"refund_id": refund_id, "account": Jsonb(dict(account))}
    told: str | None = one(conn, SQL["give_account"], values)["told"]
    return told


def finish(conn: Conn, refund_id: int, reference: str | None) -> str | None:
    """Say that the money of a refund was sent: done or repeated. None: it is not the caller's."""
    values = {"refund_id": refund_id, "reference": reference}
    told: str | None = one(conn, SQL["finish"], values)["told"]
    return told


def fail(conn: Conn, refund_id: int, reason: str) -> str | None:
    """Say that a refund did not arrive, or cannot be sent so: needs_bank or repeated."""
    told: str | None = one(conn, SQL["fail"], {"refund_id": refund_id, "reason": reason})["told"]
    return told


def give_up(conn: Conn, refund_id: int, reason: str) -> str | None:
    """Say that nobody is found who takes a refund: given_up or repeated."""
    told: str | None = one(conn, SQL["give_up"], {"refund_id": refund_id, "reason": reason})["told"]
    return told


def promise(
    conn: Conn,
    order_id: int,
    *,
    amount: Decimal | None,
    lines: Sequence[Mapping[str, int]] | None,
    reason: str | None,
    bearer: str,
) -> int | None:
    """Promise money of an order back, for pieces of lines or as a sum; the refund's id. None: the
    order is not the caller's to give money of.
    """
    values = {
        "order_id": order_id,
        "amount": amount,
        "reason": reason,
        "line_ids": None if lines is None else [line["line_id"] for line in lines],
        "pieces": None if lines is None else [line["quantity"] for line in lines],
        "bearer": bearer,
    }
    told: int | None = one(conn, SQL["promise"], values)["told"]
    return told


def claim(conn: Conn, *, most: int) -> list[int]:
    """Claim refunds that a provider is to send or to be asked about; their ids. For the worker."""
    return [row["id"] for row in conn.execute(SQL["claim"], {"most": most}).fetchall()]


def to_send(conn: Conn, refund_id: int) -> Row | None:
    """Return what a provider has to know of a refund; None where it has ended. For the worker."""
    return conn.execute(SQL["to_send"], {"refund_id": refund_id}).fetchone()


def step(
    conn: Conn,
    refund_id: int,
    state: str,
    *,
    reference: str | None = None,
    reason: str | None = None,
) -> str | None:
    """Move a refund as its provider says: its state, or repeated. For the worker."""
    values = {
        "refund_id": refund_id,
        "state": state,
        "reference": reference,
        "reason": reason,
    }
    told: str | None = one(conn, SQL["step"], values)["told"]
    return told


def _whose(caller: Caller) -> dict[str, Any]:
    return {
        "everything": caller.role == "admin",
        "user_id": caller.user_id,
        "store_id": caller.store_id,
    }
