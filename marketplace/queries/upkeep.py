"""Statements that keep tables from growing without end: sql/queries/upkeep.sql."""

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("upkeep")


def sweep_guarding(conn: Conn) -> None:
    """Forget counts and mailed tokens that have no effect any more."""
    conn.execute(SQL["sweep_guarding"])


def month_tables(conn: Conn) -> dict[str, int | None]:
    """Return the tables that have months, with the days each is kept; None: a setting says."""
    return {row["name"]: row["keep_days"] for row in conn.execute(SQL["month_tables"])}


def make_months(conn: Conn, parent: str, *, months: int) -> int:
    """Make the partitions of this month and the next ones; how many were new."""
    return int(one(conn, SQL["make_months"], {"parent": parent, "months": months})["made"])


def reopen_stock(conn: Conn, *, days: int, most: int) -> int:
    """Write new openings of stock whose last one is so many days old, some at a time; how many."""
    return int(one(conn, SQL["reopen_stock"], {"days": days, "most": most})["reopened"])


def drop_months(conn: Conn, parent: str, *, days: int) -> int:
    """Drop the months of a table that ended so many days ago; return how many."""
    return int(one(conn, SQL["drop_months"], {"parent": parent, "days": days})["dropped"])


def sweep_unconfirmed(conn: Conn, *, days: int, after: int, most: int) -> tuple[int, int | None]:
    """Delete accounts never confirmed and not used for so long, behind this id; return how many,
    and the last one checked.
    """
    row = one(conn, SQL["sweep_unconfirmed"], {"days": days, "after": after, "most": most})
    return row["swept"], row["last_id"]


def sweep_surplus(conn: Conn, *, sessions: int, tokens: int) -> int:
    """End a user's sessions except the newest, delete a session's used tokens except the newest;
    return how many.
    """
    return int(one(conn, SQL["sweep_surplus"], {"sessions": sessions, "tokens": tokens})["swept"])


def forget_ended(conn: Conn, *, days: int, most: int) -> int:
    """Take tracking numbers and proofs of payment from orders that ended so many days ago, some at
    a time; return how many of whichever were more.
    """
    row = one(conn, SQL["forget_ended"], {"days": days, "most": most})
    return int(max(row["parcels"], row["proofs"]))


def sweep_callbacks(conn: Conn, *, days: int, most: int) -> int:
    """Delete what providers told so many days ago, some at a time; return how many."""
    return int(one(conn, SQL["sweep_callbacks"], {"days": days, "most": most})["swept"])
