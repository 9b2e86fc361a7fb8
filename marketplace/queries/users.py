"""Users. Statements: sql/queries/users.sql."""

from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("users")


def find(conn: Conn, user_id: int) -> Row | None:
    """Return a user as the API shows one: the caller, or anybody for an admin."""
    return conn.execute(SQL["find"], {"user_id": user_id}).fetchone()


def search(
    conn: Conn,
    *,
    search: str | None,
    role: str | None,
    suspended: bool | None,
    after_id: int | None,
    limit: int,
    offset: int,
) -> list[Row]:
    """Return users for an admin, newest first."""
    values = {
        "search": search,
        "role": role,
        "suspended": suspended,
        "after_id": after_id,
        "limit": limit,
        "offset": offset,
    }
    return conn.execute(SQL["search"], values, prepare=False).fetchall()


def count(
    conn: Conn, *, search: str | None, role: str | None, suspended: bool | None, limit: int
) -> int:
    """Return how many users match, counted up to `limit`."""
    values = {"search": search, "role": role, "suspended": suspended, "limit": limit}
    return int(conn.execute(SQL["count"], values, prepare=False).fetchall()[0]["matches"])


def hold(conn: Conn, user_id: int) -> int | None:
    """Lock the caller, or anybody for an admin, and return the version; nobody else changes that
    user meanwhile.
    """
    version: int | None = one(conn, SQL["hold"], {"user_id": user_id})["version"]
    return version


def change(
    conn: Conn, user_id: int, *, name: str, email: str, phone: str | None, address: str | None
) -> None:
    """Replace what users may change about themselves; of the address only its spelling."""
    values = {"user_id": user_id, "name": name, "email": email, "phone": phone, "address": address}
    conn.execute(SQL["change"], values)


def change_avatar(conn: Conn, user_id: int, avatar: str | None) -> Any:
    """Set the avatar (JSON) or remove it; return the previous one, or None."""
    return one(conn, SQL["change_avatar"], {"user_id": user_id, "avatar": avatar})["replaced"]


def manage(conn: Conn, user_id: int, *, role: str | None, suspended: bool | None) -> None:
    """Change a user's role, or suspend them, as an admin; None leaves a value unchanged."""
    conn.execute(SQL["manage"], {"user_id": user_id, "role": role, "suspended": suspended})


def forget_me(conn: Conn, proof: str) -> Row | None:
    """Delete the caller's data, except what a job does; return their user_id and store_id.

    None if the proof is not that of their password.
    """
    return conn.execute(SQL["forget_me"], {"proof": proof}).fetchone()


def forget_things(conn: Conn, user_id: int, *, most: int) -> int:
    """Delete imports and activities of a deleted user, some at a time; return how many rows. For
    the worker.
    """
    return int(one(conn, SQL["forget_things"], {"user_id": user_id, "most": most})["forgotten"])


def open_orders(conn: Conn) -> Row:
    """Return is_open and numbers: whether something of the caller, or of their store, is not
    closed, and up to ten orders.
    """
    return one(conn, SQL["open_orders"])


def private_images(conn: Conn, user_id: int) -> list[str]:
    """Return the keys of private images of a deleted user. For the worker."""
    rows = conn.execute(SQL["private_images"], {"user_id": user_id}).fetchall()
    return [row["key"] for row in rows]


def forget_trade(conn: Conn, user_id: int) -> int:
    """Take the words of a deleted user from orders, payments and returns; return how many rows. For
    the worker.
    """
    return int(one(conn, SQL["forget_trade"], {"user_id": user_id})["forgotten"])


def close_store(conn: Conn, store_id: int, *, most: int) -> list[int]:
    """Hide products of a store whose owner is deleted, some at a time; return which. For the
    worker.
    """
    product_ids: list[int] = one(conn, SQL["close_store"], {"store_id": store_id, "most": most})[
        "product_ids"
    ]
    return product_ids


def forget_trail(
    conn: Conn, store_id: int, after: tuple[Any, int] | None, *, most: int
) -> tuple[Any, int] | None:
    """Forget the words of a closed store in the audit trail, some entries at a time.

    Return where it goes on, None at the end. For the worker.
    """
    after_time, after_id = after or (None, None)
    values = {
        "store_id": store_id,
        "after_time": after_time,
        "after_id": after_id,
        "most": most,
    }
    row = one(conn, SQL["forget_trail"], values)
    return None if row["last_id"] is None else (row["last_time"], row["last_id"])


def add_admin(conn: Conn, *, name: str, email: str, password_hash: str) -> int:
    """Add an admin, as the tables' owner; return the new id. users_email_key refuses a taken
    address.
    """
    values = {"name": name, "email": email, "password_hash": password_hash}
    return int(one(conn, SQL["add_admin"], values)["user_id"])


def manage_as_owner(
    conn: Conn, who: str, *, role: str | None = None, suspended: bool | None = None
) -> Row | None:
    """Change a user's role, or suspend them, as the owner of the tables; None leaves a value
    unchanged.

    `who` is an address or an id. Returns id, name, email, role and suspended; None where nobody has
    it, or where it is the last admin who can sign in.
    """
    values = {"who": who, "role": role, "suspended": suspended}
    return conn.execute(SQL["manage_as_owner"], values).fetchone()
