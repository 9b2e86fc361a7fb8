"""The three database roles that all grants go to; `migrate` makes them if it may.

They are groups without a login and belong to the whole server, so several databases, and several
migrations at once, share them. A DBA makes them with sql/admin/roles.sql if the owner of the
database may not.
"""

import time
from typing import Any

import psycopg
from psycopg import sql

ROLES = ("marketplace_app", "marketplace_worker", "marketplace_readonly")
TRIES = 20
#: The errors of two migrations that make or grant the same role at once.
_RACES = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.InternalError_,
)


class MigrationError(Exception):
    """The database cannot be brought up to date; the message says where and why."""


def ensure(conn: psycopg.Connection[Any]) -> None:
    """Make sure that the roles exist and that the present user may act as them. Raises
    MigrationError.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with conn.transaction():
                _make(conn)
            return
        except psycopg.errors.InsufficientPrivilege as error:
            raise MigrationError(
                f"The roles {', '.join(ROLES)} are missing or not granted to {_user(conn)}, who "
                "may not see to it"
                f" ({error.diag.message_primary}); let a superuser run sql/admin/roles.sql."
            ) from error
        except _RACES:
            if attempt == TRIES:
                raise
            time.sleep(0.05 * attempt)


def _make(conn: psycopg.Connection[Any]) -> None:
    there = {
        row[0]
        for row in conn.execute(
            "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(ROLES)]
        )
    }
    for role in ROLES:
        if role not in there:
            conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    if not _may_act_as(conn, "marketplace_worker", "marketplace_app"):
        conn.execute("GRANT marketplace_app TO marketplace_worker")
    user = _user(conn)
    for role in ROLES[:2]:  # with one DATABASE_URL for everything the owner steps down to these
        if not _may_act_as(conn, user, role):
            conn.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(user))
            )


def _may_act_as(conn: psycopg.Connection[Any], user: str, role: str) -> bool:
    """Return whether SET ROLE would work. From PostgreSQL 16 membership is not enough: who makes a
    role only administers it.
    """
    kind = "SET" if conn.info.server_version >= 160000 else "MEMBER"
    row = conn.execute("SELECT pg_has_role(%s::name, %s::name, %s)", [user, role, kind]).fetchone()
    return bool(row and row[0])


def _user(conn: psycopg.Connection[Any]) -> str:
    row = conn.execute("SELECT current_user").fetchone()
    return str(row[0]) if row else ""
