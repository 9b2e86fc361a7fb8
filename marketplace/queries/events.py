"""What happened to orders, payments and refunds. Statements: sql/queries/events.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

SQL = named_sql("events")


def next(conn: Conn, reader: str, most: int) -> list[Row]:
    """Return the next events that this reader was not told of, and move its cursor: id, type,
    actor, data, order_id, cod, state, way (of a refund), first. For the worker.
    """
    return conn.execute(SQL["next"], {"reader": reader, "most": most}).fetchall()


def order_facts(conn: Conn, order_id: int, party: str, event_id: int) -> Row | None:
    """Return what a mail about an order says; `email` is None where there is nobody to write to,
    `parcel` what was sent by the time of this event.
    """
    values = {"order_id": order_id, "party": party, "event_id": event_id}
    return conn.execute(SQL["order_facts"], values).fetchone()


def refund_facts(conn: Conn, refund_id: int) -> Row | None:
    """Return amount, currency, state, reason and way of a refund."""
    return conn.execute(SQL["refund_facts"], {"refund_id": refund_id}).fetchone()


def payment_facts(conn: Conn, payment_id: int) -> Row | None:
    """Return amount, currency, method, state, problem, reversed and refusal of a payment."""
    return conn.execute(SQL["payment_facts"], {"payment_id": payment_id}).fetchone()
