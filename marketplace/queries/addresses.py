"""Addresses of a user. Statements: sql/queries/addresses.sql."""

from collections.abc import Mapping
from typing import Any

import psycopg

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("addresses")
#: What its user says of an address.
FIELDS = (
    "label",
    "recipient",
    "phone",
    "country",
    "area_code",
    "province",
    "city",
    "district",
    "village",
    "postcode",
    "line1",
    "line2",
    "note",
    "latitude",
    "longitude",
    "is_default",
)


def of_user(conn: Conn, user_id: int) -> list[Row]:
    """Return all addresses of a user, the default one first."""
    return conn.execute(SQL["list"], {"user_id": user_id}).fetchall()


def find(conn: Conn, address_id: int, *, user_id: int) -> Row | None:
    """Return an address, or None if it is not the user's."""
    return conn.execute(SQL["find"], {"address_id": address_id, "user_id": user_id}).fetchone()


def send_find(conn: Conn, address_id: int | None, *, user_id: int) -> psycopg.Cursor[Row]:
    """Return where one address of a user will be, or all of them, the default one first, once a
    pipeline has ended.
    """
    if address_id is None:
        return conn.execute(SQL["list"], {"user_id": user_id})
    return conn.execute(SQL["find"], {"address_id": address_id, "user_id": user_id})


def take_turn(conn: Conn, user_id: int) -> None:
    """Wait for other changes of this user's addresses; others wait until the transaction ends."""
    conn.execute(SQL["take_turn"], {"user_id": user_id})


def count(conn: Conn, user_id: int) -> int:
    """Return how many addresses a user has."""
    return int(one(conn, SQL["count"], {"user_id": user_id})["addresses"])


def add(conn: Conn, fields: Mapping[str, Any], *, user_id: int) -> Row:
    """Add an address."""
    return one(conn, SQL["add"], {**_values(fields), "user_id": user_id})


def change(conn: Conn, address_id: int, fields: Mapping[str, Any], *, user_id: int) -> Row:
    """Replace an address, which is the user's."""
    whose = {"address_id": address_id, "user_id": user_id}
    return one(conn, SQL["change"], {**_values(fields), **whose})


def leave_default(conn: Conn, *, but: int, user_id: int) -> None:
    """Let no other address than this one be the default."""
    conn.execute(SQL["leave_default"], {"address_id": but, "user_id": user_id})


def pass_default(conn: Conn, user_id: int) -> None:
    """Make the oldest address the default where there is none."""
    conn.execute(SQL["pass_default"], {"user_id": user_id})


def remove(conn: Conn, address_id: int, *, user_id: int) -> bool:
    """Remove an address; False if it is not the user's."""
    done = conn.execute(SQL["remove"], {"address_id": address_id, "user_id": user_id})
    return done.rowcount > 0


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as parameters, whose names have no digits."""
    values = {name: fields.get(name) for name in FIELDS}
    return {**values, "line_one": values.pop("line1"), "line_two": values.pop("line2")}
