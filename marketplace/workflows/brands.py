"""What changes a brand together with the products that are of it."""

from typing import NamedTuple

from marketplace.db import Conn, Row
from marketplace.errors import invalid
from marketplace.queries import brands, jobs, sessions


class Removed(NamedTuple):
    """A brand that is gone: its name, and how many products were given to another one."""

    name: str
    moved: int


def change(conn: Conn, brand_id: int, name: str) -> Row | None:
    """Rename a brand; None when there is none. The documents of its products follow by a job."""
    brands.lock(conn, brand_id)
    brand = brands.change(conn, brand_id, name)
    if brand is not None:
        _rebuild(conn, brand_id)
    return brand


def remove(conn: Conn, brand_id: int, move_to: int | None) -> Removed | None:
    """Remove a brand; None when there is no such one.

    With `move_to`, its products become those of that brand. Without, ForeignKeyViolation while it has any.
    """
    moved = 0
    brands.lock_removing(conn)
    if move_to is not None:
        if move_to == brand_id:
            raise invalid("/move_to", "not_allowed", "must be another brand")
        if brands.find(conn, brand_id) is None:
            return None
        if brands.find(conn, move_to) is None:
            raise invalid("/move_to", "not_found", "there is no such brand")
        sessions.take_time(conn)
        moved = brands.move_products(conn, brand_id, move_to)
        _rebuild(conn, move_to)
    name = brands.remove(conn, brand_id)
    return Removed(name, moved) if name is not None else None


def _rebuild(conn: Conn, brand_id: int) -> None:
    jobs.enqueue(conn, "rebuild_documents", queue="quick", lock="documents", by="brand", id=brand_id)
