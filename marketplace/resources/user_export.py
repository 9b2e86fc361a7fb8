"""All data about a user, for that user."""

from collections.abc import Callable, Iterator
from typing import Any

import falcon

from marketplace.contract import pages
from marketplace.contract.operations import operation
from marketplace.files.storage import URL_MARKER
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import (
    activities,
    addresses,
    audit,
    exports,
    imports,
    sessions,
    store_settings,
    users,
)
from marketplace.schemas import user_export as schemas
from marketplace.web import client, paging, rendering
from marketplace.workflows import products as workflow
from marketplace.workflows import store_settings as settings_workflow
from marketplace.workflows import stores as store_workflow
from marketplace.workflows.addresses import shown

BATCH = 200
Read = Callable[[Conn, Any], list[Row]]


class UserExport:
    """/api/users/export"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "exportMyData",
        "All data about the caller, as a file",
        responses={200: schemas.EXPORTED},
        rate="export",
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Stream all data about the caller: profile, devices, store, addresses, activities, orders
        with their returns, payments, imports, changes in the store, products. A batch at a time: no
        transaction waits for a slow phone.
        """
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            parts = {
                "profile": users.find(conn, caller.user_id),
                "sessions": sessions.all_mine(conn),
                "store": None,
                "addresses": list(map(shown, addresses.of_user(conn, caller.user_id))),
            }
            if caller.store_id is not None:
                parts["store"] = store_workflow.find_own(conn, caller)
                settings = store_settings.find(conn, caller.store_id, owner_id=caller.user_id)
                parts["store_settings"] = settings and settings_workflow.shown(settings)
            if req.method != "HEAD":
                activities.record(conn, client.client(req), "export_profile")
        resp.content_type = falcon.MEDIA_JSON
        resp.downloadable_as = "my-data.json"
        resp.stream = _written(self.db, caller, parts, rendering.uploads_url(req))


def _written(
    db: Database, caller: Caller, parts: dict[str, Any], uploads: bytes
) -> Iterator[bytes]:
    """Yield the document, piece by piece."""
    head = paging.items([parts])[:-1]
    yield head.replace(URL_MARKER.encode(), uploads)
    for name, (read, *keys) in _lists(caller).items():
        yield b',"%s":[' % name.encode()
        between = b""
        for rows in pages.batches(_reading(db, caller, read), _place(*keys), size=BATCH):
            yield between + _items(name, rows).replace(URL_MARKER.encode(), uploads)
            between = b","
        yield b"]"
    yield b"}"


def _lists(caller: Caller) -> dict[str, tuple[Any, ...]]:
    """The long parts: how a batch is read, and the columns of the place where it ended."""

    def acts(conn: Conn, after: Any) -> list[Row]:
        return activities.search(
            conn, caller.user_id, type=None, since=None, until=None, after=after, limit=BATCH
        ).fetchall()

    def files(conn: Conn, after: Any) -> list[Row]:
        rows = imports.search(
            conn, store_id=caller.store_id, after_id=after and after[0], limit=BATCH, offset=0
        )
        return [{name: row[name] for name in row if name != "error_said"} for row in rows]

    def changes(conn: Conn, after: Any) -> list[Row]:
        return audit.search(conn, {"store_id": caller.store_id}, after=after, limit=BATCH, offset=0)

    def things(conn: Conn, after: Any) -> list[Row]:
        return exports.documents(conn, caller.store_id or 0, after=after, limit=BATCH)

    def orders(conn: Conn, after: Any) -> list[Row]:
        return exports.my_orders(conn, caller.user_id, after=after, limit=BATCH)

    def payments(conn: Conn, after: Any) -> list[Row]:
        return exports.my_payments(conn, caller.user_id, after=after, limit=BATCH)

    found: dict[str, tuple[Any, ...]] = {
        "activities": (acts, "created_at", "id"),
        "orders": (orders, "placed_at", "id"),
        "payments": (payments, "created_at", "id"),
    }
    if caller.store_id is not None:
        found["imports"] = (files, "id")
        found["audit"] = (changes, "created_at", "id")
        found["products"] = (things, "created_at", "id")
    return found


def _place(*keys: str) -> Callable[[Row], tuple[Any, ...]]:
    return lambda row: tuple(row[key] for key in keys)


def _items(name: str, rows: list[Row]) -> bytes:
    if name == "products":
        return ",".join(workflow.whole(row) for row in rows).encode()
    return paging.items(rows)


def _reading(db: Database, caller: Caller, read: Read) -> Callable[[Any], list[Row]]:
    def one_batch(after: Any) -> list[Row]:
        with db.transaction(caller) as conn:
            return read(conn, after)

    return one_batch
