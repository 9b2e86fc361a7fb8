"""Days of providers, ours beside theirs. Statements: sql/queries/reconciliations.sql."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("reconciliations")


def ours(conn: Conn, provider: str, day: date, zone: str) -> list[Row]:
    """Return what was booked as come by a provider on a day: our_reference, received."""
    values = {"provider": provider, "day": day, "zone": zone}
    return conn.execute(SQL["ours"], values).fetchall()


def known(conn: Conn, provider: str, references: Sequence[str]) -> list[Row]:
    """Return those of our payments that a provider names."""
    values = {"provider": provider, "named": list(references)}
    return conn.execute(SQL["known"], values).fetchall()


def write(
    conn: Conn,
    provider: str,
    day: date,
    *,
    ours: Decimal,
    theirs: Decimal,
    differences: Sequence[dict[str, Any]],
) -> None:
    """Keep how a day compares; again replaces it."""
    values = {
        "provider": provider,
        "day": day,
        "ours": ours,
        "theirs": theirs,
        "differences": orjson.dumps(list(differences), default=str).decode(),
    }
    conn.execute(SQL["write"], values)


def find(conn: Conn, provider: str, day: date) -> Row | None:
    """Return how a day compared; None: it was not compared."""
    return conn.execute(SQL["find"], {"provider": provider, "day": day}).fetchone()


def post_settlement(conn: Conn, provider: str, day: date, amount: Decimal) -> int:
    """Book what a provider has paid out, once a day of it; the entry's id, also of one that is
    there.
    """
    values = {"provider": provider, "day": day, "amount": amount}
    return int(one(conn, SQL["post_settlement"], values)["id"])


def settled(conn: Conn, entry_id: int) -> Decimal:
    """Return what an entry has booked as paid out."""
    return Decimal(one(conn, SQL["settled"], {"entry_id": entry_id})["amount"])


def left(conn: Conn, provider: str) -> Decimal:
    """Return what the books have with a provider."""
    return Decimal(one(conn, SQL["left"], {"provider": provider})["amount"])
