"""Changes of a brand together with its products."""

from typing import NamedTuple

from marketplace.contract.errors import invalid
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import brands, jobs, sessions


class Removed(NamedTuple):
    """A removed brand: its name, and how many products were moved to another one."""

    name: str
    moved: int


def change(conn: Conn, brand_id: int, before: Row, name: str) -> Row:
    """Rename a brand that brands.lock has locked. A job writes the documents of its products."""
    brand = brands.change(conn, brand_id, name)
    if name != before["name"]:
        _rebuild(conn, brand_id)
    return brand


def hold(conn: Conn, brand_id: int) -> Row | None:
    """Return the version of a brand that is about to be removed; nobody else changes it meanwhile.
    None if there is none.
    """
    brands.lock_removing(conn)
    return brands.hold(conn, brand_id)


def remove(conn: Conn, brand_id: int, move_to: int | None) -> Removed:
    """Remove a brand that `hold` has found.

    With `move_to`, its products are moved to that brand. Without, ForeignKeyViolation while it has
    any.
    """
    moved = 0
    if move_to is not None:
        if move_to == brand_id:
            raise invalid("/move_to", "not_allowed", "must be another brand")
        if brands.find(conn, move_to, unlisted=True) is None:
            raise invalid("/move_to", "not_found", "there is no such brand")
        sessions.take_time(conn)
        moved = brands.move_products(conn, brand_id, move_to)
        _rebuild(conn, move_to)
    return Removed(brands.remove(conn, brand_id), moved)


def _rebuild(conn: Conn, brand_id: int) -> None:
    jobs.enqueue(
        conn, "rebuild_documents", queue="quick", lock="documents", by="brand", id=brand_id
    )
