"""Changes of the tree of categories together with their products.

Locks are taken in one order: the tree, products by id, categories by id. Writers of products take
theirs in the same order (the product, then its category by the foreign key), so there is no circle
of waits.
"""

from typing import NamedTuple

from marketplace.contract.errors import invalid
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import categories, jobs, sessions


class Removed(NamedTuple):
    """A removed category: its name, and how many products were moved out of it."""

    name: str
    moved: int


def add(conn: Conn, *, name: str, parent_id: int | None) -> int:
    """Add a category; return the new id."""
    categories.lock_tree(conn)
    if parent_id is not None:
        categories.keep(conn, parent_id)
    return categories.add(conn, name=name, parent_id=parent_id)


def hold(conn: Conn, category_id: int) -> Row | None:
    """Return a category that is about to be changed or removed, or None; nobody else changes the
    tree meanwhile.
    """
    categories.lock_tree(conn)
    return categories.find(conn, category_id, unlisted=True)


def change(conn: Conn, before: Row, *, name: str, parent_id: int | None) -> Row:
    """Replace name and parent of a category that `hold` has found, and move its descendants with
    it.

    A job writes the documents of its products. A 422 if the parent is the category itself or below
    it.
    """
    category_id = before["id"]
    subtree = categories.lock_below(conn, category_id)
    if parent_id in subtree:
        raise invalid(
            "/parent_id", "in_own_subtree", "must not be the category itself or one below it"
        )
    if parent_id is not None:
        categories.keep(conn, parent_id)
    categories.change(conn, category_id, name=name, parent_id=parent_id)
    if (name, parent_id) != (before["name"], before["parent_id"]):
        _rebuild(conn, category_id)
    return categories.find(conn, category_id) or before


def remove(conn: Conn, category_id: int, move_to: int | None) -> Removed:
    """Remove a category that `hold` has found.

    With `move_to`, its products move to that category and its children below that one, each with
    its own subtree. Without, ForeignKeyViolation while anything is in it.
    """
    moved = 0
    if move_to is not None:
        if not categories.below(conn, move_to):
            raise invalid("/move_to", "not_found", "there is no such category")
        if move_to in categories.below(conn, category_id):
            raise invalid(
                "/move_to", "in_own_subtree", "must not be the category itself or one below it"
            )
        sessions.take_time(conn)
        moved = categories.move_products(conn, category_id, move_to)
        categories.lock_below(conn, category_id)
        categories.move_children(conn, category_id, move_to)
        _rebuild(conn, move_to)
    return Removed(categories.remove(conn, category_id), moved)


def _rebuild(conn: Conn, category_id: int) -> None:
    jobs.enqueue(
        conn, "rebuild_documents", queue="quick", lock="documents", by="category", id=category_id
    )
