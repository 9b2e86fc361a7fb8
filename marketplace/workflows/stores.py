"""A store together with its owner, and the entry in the log."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from marketplace.contract.errors import Problem
from marketplace.postgres.callers import Caller, Client
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, brands, jobs, stores
from marketplace.text.messages import EVERY
from marketplace.workflows import mails, product_documents

BATCH = 1000
#: What documents of products say of their store.
SHOWN = ("name", "city")


def open_store(
    conn: Conn, client: Client, *, name: str, description: str | None, pending: bool = False
) -> Row:
    """Open the client's store, and log that; a buyer is a seller from here on. `pending`: nothing
    of it is shown until an admin says so.
    """
    store_id = stores.open_store(
        conn, owner_id=client.user_id, name=name, description=description, pending=pending
    )
    activities.record(conn, client, "open_store", related=("store", store_id, name))
    own = stores.find_own(conn, store_id, owner_id=client.user_id, verified=False) or {}
    return {field: own[field] for field in own if field not in ("whatsapp", "setup")}


def find_own(conn: Conn, caller: Caller, *, verified: bool = False) -> Row:
    """Return the caller's store; 404 if they have none. `verified`: as stores.find_own."""
    store = None
    if caller.store_id:
        store = stores.find_own(conn, caller.store_id, owner_id=caller.user_id, verified=verified)
    if store is None:
        raise Problem("not_found", "You have not opened a store yet.")
    return store


def hold(conn: Conn, caller: Caller) -> Row:
    """Return the caller's store, locked for a change; 404 if they have none."""
    store = stores.hold(conn, caller.store_id or 0, owner_id=caller.user_id)
    if store is None:
        raise Problem("not_found", "You have not opened a store yet.")
    return store


def change(conn: Conn, client: Client, before: Row, fields: Mapping[str, Any]) -> None:
    """Replace what the client says of their store, which is held, and log that."""
    stores.change(conn, before["id"], fields, owner_id=client.user_id)
    if any(fields.get(name) != before[name] for name in SHOWN):
        rebuild(conn, before["id"])
    activities.record(conn, client, "update_store", related=("store", before["id"], fields["name"]))


def change_logo(conn: Conn, client: Client, before: Row, logo: dict[str, Any] | None) -> None:
    """Replace the logo of the client's store, which is held, or remove it, and log that."""
    text = None if logo is None else orjson.dumps(logo).decode()
    if stores.change_logo(conn, before["id"], text, owner_id=client.user_id):
        rebuild(conn, before["id"])
        kind = "delete_logo" if logo is None else "upload_logo"
        activities.record(conn, client, kind, related=("store", before["id"], before["name"]))


def rebuild(conn: Conn, store_id: int) -> None:
    """Have documents of products name their store as it is now."""
    jobs.enqueue(
        conn, "rebuild_documents", queue="quick", lock="documents", by="store", id=store_id
    )


def set_state(conn: Conn, client: Client, before: Row, *, state: str, reason: str | None) -> None:
    """Stop a store that is held, or let it go, for an admin; its owner is told by mail. What is so
    already stays as it is.
    """
    done = stores.set_state(conn, before["id"], state=state, reason=reason)
    if done is None:
        return
    activities.record(
        conn,
        client,
        "manage_store",
        related=("store", before["id"], before["name"]),
        details={"state": state, **({"reason": reason} if reason else {})},
    )
    if done["state"] != before["state"]:
        jobs.enqueue(conn, "settle_stores", queue="quick", lock="settle_stores")
        kind = "store_active" if done["state"] == "active" else "store_suspended"
        mails.enqueue(conn, kind, done["email"], EVERY)


def settle(db: Database, currency: str, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Hide the products of stopped stores, and show those of stores that were let go; how many.

    For the worker, each minute: what a stopped store adds meanwhile is hidden too. Safe to repeat.
    """
    with db.working() as conn:
        waiting = stores.unsettled(conn)
    done = 0
    for store_id in waiting:
        settled = [0]
        while settled and not stopping():
            with db.working() as conn:
                settled = stores.settle(conn, store_id, most=BATCH)
                found = stores.brands_of(conn, settled)
                if settled:
                    product_documents.refresh(conn, settled, currency)
            if found:
                with db.working() as conn:
                    brands.settle(conn, found)
            done += len(settled)
    return done
