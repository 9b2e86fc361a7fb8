"""Sessions: signing in, refreshing, ending. Statements: sql/queries/sessions.sql."""

from marketplace.postgres.pool import Conn, Row, be_patient
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("sessions")


def set_up(conn: Conn) -> Row:
    """Return whether the login is `almighty` (bypasses policies), and whether its statements are
    `limited` in time.
    """
    return one(conn, SQL["set_up"])


def find(conn: Conn, session_hash: bytes) -> Row | None:
    """Return user_id, role, store_id and session_id of a living session, or None."""
    return conn.execute(SQL["find"], {"session_hash": session_hash}).fetchone()


def act_as(conn: Conn, session_hash: bytes, request_id: str | None = None) -> Row:
    """Make the rest of this transaction act as a session's user; return user_id, role, store_id,
    session_id.
    """
    values = {"session_hash": session_hash, "role": None, "request_id": request_id, "durable": True}
    return one(conn, SQL["act_as"], values)


def take_time(conn: Conn) -> None:
    """Let the statements of this transaction take a minute instead of seconds."""
    be_patient(conn, 65)
    conn.execute(SQL["take_time"])


def is_verified(conn: Conn, session_hash: bytes) -> bool:
    """Return whether a session's user has confirmed their address."""
    return bool(one(conn, SQL["is_verified"], {"session_hash": session_hash})["verified"])


def register(
    conn: Conn, *, name: str, email: str, role: str, phone: str | None, password_hash: str
) -> int:
    """Add a user; return the new id. users_email_key refuses a taken address."""
    values = {
        "name": name,
        "email": email,
        "role": role,
        "phone": phone,
        "password_hash": password_hash,
    }
    return int(one(conn, SQL["register"], values)["user_id"])


def open_device(
    conn: Conn,
    *,
    user_id: int,
    proof: str,
    session_hash: bytes,
    refresh_hash: bytes,
    seconds: int,
    device_name: str | None,
    user_agent: str | None,
    ip: str | None,
) -> int | None:
    """Sign a device in: add a session and its first refresh token. None if the proof is wrong.

    `proof` is the hash that the account's password yields; it is compared under a lock.
    """
    opened = one(
        conn,
        SQL["open"],
        {
            "user_id": user_id,
            "proof": proof,
            "session_hash": session_hash,
            "refresh_hash": refresh_hash,
            "seconds": seconds,
            "device_name": device_name,
            "user_agent": user_agent,
            "ip": ip,
        },
    )
    session_id: int | None = opened["session_id"]
    return session_id


def refresh(
    conn: Conn, *, old_hash: bytes, new_hash: bytes, seconds: int, grace: int, ip: str | None
) -> Row:
    """Exchange a refresh token; return outcome (renewed, unknown or reused),
    session_id, user_id.
    """
    values = {
        "old_hash": old_hash,
        "new_hash": new_hash,
        "seconds": seconds,
        "grace": grace,
        "ip": ip,
    }
    return one(conn, SQL["refresh"], values)


def all_mine(conn: Conn) -> list[Row]:
    """Return the caller's devices that are signed in, the last used first; at most 100."""
    return conn.execute(SQL["all_mine"]).fetchall()


def end(conn: Conn, session_id: int) -> bool:
    """End one of the caller's sessions; return False if it is not theirs, or ended already."""
    return bool(one(conn, SQL["end"], {"session_id": session_id})["ended"])


def end_others(conn: Conn) -> int:
    """End all of the caller's devices except this one; return how many."""
    return int(one(conn, SQL["end_others"])["ended"])


def change_password(conn: Conn, password_hash: str, proof: str) -> bool:
    """Set the caller's password, and end their other sessions; False if the proof is wrong."""
    values = {"password_hash": password_hash, "proof": proof}
    return bool(one(conn, SQL["change_password"], values)["changed"])


def change_email(conn: Conn, email: str, proof: str) -> bool:
    """Set the caller's address, and end their other sessions; False if the proof is wrong."""
    return bool(one(conn, SQL["change_email"], {"email": email, "proof": proof})["changed"])


def sweep(conn: Conn, *, most: int) -> int:
    """Delete sessions and used tokens that have been dead for a month, some at a time; return how
    many. For the worker.
    """
    return int(one(conn, SQL["sweep"], {"most": most})["swept"])
