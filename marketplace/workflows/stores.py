"""A store together with its owner, and the entry in the log."""

from collections.abc import Callable

from marketplace.contract.errors import Problem
from marketplace.postgres.callers import Caller, Client
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, stores
from marketplace.workflows import product_documents

BATCH = 1000


def open_store(conn: Conn, client: Client, *, name: str, description: str | None) -> Row:
    """Open the client's store, and log that; a buyer is a seller from here on."""
    store = stores.open_store(conn, owner_id=client.user_id, name=name, description=description)
    activities.record(conn, client, "open_store", related=("store", store["id"], store["name"]))
    return store


def find_own(conn: Conn, caller: Caller) -> Row:
    """Return the caller's store; 404 if they have none."""
    store = stores.find(conn, caller.store_id) if caller.store_id else None
    if store is None:
        raise Problem("not_found", "You have not opened a store yet.")
    return store


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
                if settled:
                    product_documents.refresh(conn, settled, currency)
            done += len(settled)
    return done
