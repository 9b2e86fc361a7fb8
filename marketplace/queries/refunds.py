"""Refunds. Statements: sql/queries/refunds.sql."""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from marketplace.contract.pages import Part
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


def find(conn: Conn, caller: Caller, refund_id: int) -> Row | None:
    """Return a refund, or None if it is not the caller's."""
    values = {
        "refund_id": refund_id,
        "everything": caller.role == "admin",
        "user_id": caller.user_id,
        "store_id": caller.store_id,
    }
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
