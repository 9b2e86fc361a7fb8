"""A store together with its owner, and the entry in the log."""

from marketplace.contract.errors import Problem
from marketplace.postgres.callers import Caller, Client
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, stores


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
