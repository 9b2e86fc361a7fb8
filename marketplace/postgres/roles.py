"""The three database roles that all grants go to; `migrate` makes them if it may.

They are groups without a login and belong to the whole server, so several databases, and several
migrations at once, share them. A DBA makes them with sql/admin/roles.sql if the owner of the
database may not.
"""

import time
from typing import Any

import psycopg
from psycopg import sql

from marketplace.postgres.statements import ADMIN, named_sql

SQL = named_sql("make_roles", ADMIN)
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
    present = {row[0] for row in conn.execute(SQL["present"], {"roles": list(ROLES)})}
    for role in ROLES:
        if role not in present:
            conn.execute(sql.SQL(SQL["make"]).format(role=sql.Identifier(role)))
    # With one DATABASE_URL for everything the owner steps down to the first two.
    user = _user(conn)
    for role, member in ((ROLES[0], ROLES[1]), (ROLES[0], user), (ROLES[1], user)):
        if not _may_act_as(conn, member, role):
            names = {"role": sql.Identifier(role), "member": sql.Identifier(member)}
            conn.execute(sql.SQL(SQL["grant"]).format(**names))


def _may_act_as(conn: psycopg.Connection[Any], user: str, role: str) -> bool:
    """Return whether SET ROLE would work. From PostgreSQL 16 membership is not enough: who makes a
    role only administers it.
    """
    kind = "SET" if conn.info.server_version >= 160000 else "MEMBER"
    values = {"member": user, "role": role, "kind": kind}
    row = conn.execute(SQL["may_act_as"], values).fetchone()
    return bool(row and row[0])


def _user(conn: psycopg.Connection[Any]) -> str:
    row = conn.execute(SQL["whoami"]).fetchone()
    return str(row[0]) if row else ""
