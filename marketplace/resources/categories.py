"""Categories: the tree, one of them, and changes by admins."""

from typing import Any

import falcon
from psycopg.errors import ForeignKeyViolation

from marketplace.contract.errors import Problem
from marketplace.contract.operations import PUBLIC, operation
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import activities, categories
from marketplace.schemas import categories as schemas
from marketplace.web import client, etags, idempotency
from marketplace.workflows import categories as workflow

#: Categories that are returned at once.
MOST = 5000


class Categories:
    """/api/categories"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listCategories",
        "The tree of categories",
        roles=PUBLIC,
        responses={200: schemas.TREE},
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the tree, by name, with counts of products. A very large one lacks its lower
        levels, which GET /api/categories/{category_id} has.
        """
        with self.db.read(req.context.read_after) as conn:
            rows = categories.all_sorted(conn, limit=MOST)
        resp.media = {"categories": _tree(rows), "complete": len(rows) < MOST}

    @operation(
        "createCategory",
        "Add a category",
        roles=("admin",),
        body=schemas.NEW,
        responses={201: schemas.CATEGORY},
        problems=("category_exists",),
        idempotent=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add a category at the top or below another one."""
        body = req.context.body
        with idempotency.transaction(self.db, req, resp) as conn:
            category_id = workflow.add(conn, name=body["name"], parent_id=body["parent_id"])
            activities.record(
                conn,
                client.client(req),
                "create_category",
                related=("category", category_id, body["name"]),
            )
            resp.media = categories.find(conn, category_id)
            resp.status = falcon.HTTP_201
            resp.location = f"/api/categories/{category_id}"


class Category:
    """/api/categories/{category_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getCategory",
        "One category",
        roles=PUBLIC,
        responses={200: schemas.CATEGORY},
        problems=("not_found",),
        max_age=60,
        catalogue=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, category_id: int) -> None:
        """Return a category with its ancestors and its children."""
        with self.db.read(req.context.read_after) as conn:
            category = categories.find(conn, category_id)
        if category is None:
            raise _not_found()
        resp.media = category

    @operation(
        "replaceCategory",
        "Rename or move a category",
        roles=("admin",),
        body=schemas.CHANGE,
        responses={200: schemas.CATEGORY},
        problems=("not_found", "category_exists"),
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response, category_id: int) -> None:
        """Replace name and parent; its descendants move along, and a job writes the products'
        documents.
        """
        self._change(req, resp, category_id)

    @operation(
        "updateCategory",
        "Change fields of a category",
        roles=("admin",),
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.CATEGORY},
        problems=("not_found", "category_exists"),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, category_id: int) -> None:
        """Change the given fields, as PUT does; {"parent_id": null} moves it to the top."""
        self._change(req, resp, category_id)

    def _change(self, req: falcon.Request, resp: falcon.Response, category_id: int) -> None:
        with self.db.transaction(req.context.caller) as conn:
            before = workflow.hold(conn, category_id)
            if before is None:
                raise _not_found()
            etags.require(req, before["version"])
            after = {**before, **req.context.body}
            category = workflow.change(
                conn, before, name=after["name"], parent_id=after["parent_id"]
            )
            activities.record(
                conn,
                client.client(req),
                "update_category",
                related=("category", category_id, category["name"]),
                details={"parent_id": category["parent_id"]},
            )
            resp.media = category

    @operation(
        "deleteCategory",
        "Remove a category",
        roles=("admin",),
        query=schemas.REMOVE,
        responses={204: None},
        problems=("not_found", "category_in_use", "category_exists"),
        conditional=True,
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response, category_id: int) -> None:
        """Remove an empty category, or empty it into `move_to` first."""
        move_to = req.context.query.get("move_to")
        try:
            with self.db.transaction(req.context.caller) as conn:
                before = workflow.hold(conn, category_id)
                if before is None:
                    raise _not_found()
                etags.require(req, before["version"])
                removed = workflow.remove(conn, category_id, move_to)
                details = {"move_to": move_to, "products": removed.moved} if move_to else None
                activities.record(
                    conn,
                    client.client(req),
                    "delete_category",
                    details=details,
                    related=("category", category_id, removed.name),
                )
        except ForeignKeyViolation:
            raise Problem(
                "category_in_use",
                "Products or categories are in it; ?move_to=ID moves them into another category.",
            ) from None
        resp.status = falcon.HTTP_204


def _tree(rows: list[Row]) -> list[dict[str, Any]]:
    """Add `children` to each row; return those at the top. Keeps the order of the rows."""
    nodes: dict[int | None, dict[str, Any]] = {row["id"]: {**row, "children": []} for row in rows}
    top: list[dict[str, Any]] = []
    for node in nodes.values():
        parent = nodes.get(node["parent_id"])
        (top if parent is None else parent["children"]).append(node)
    return top


def _not_found() -> Problem:
    return Problem("not_found", "There is no such category.")
