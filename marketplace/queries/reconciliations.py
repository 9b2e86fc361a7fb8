"""Days of providers, ours beside theirs. Statements: sql/queries/reconciliations.sql."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import orjson

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql

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
