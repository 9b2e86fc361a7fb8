"""What users change about themselves, with the entry in the log; and how their data is deleted."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from marketplace.contract.errors import Problem
from marketplace.files.storage import Storage
from marketplace.postgres.callers import Client
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, jobs, users
from marketplace.workflows import product_documents, uploads
from marketplace.workflows.product_documents import Interrupted

BATCH = 1000
WRITTEN = ("name", "phone", "address", "email")


def change(
    conn: Conn, client: Client, before: Row, after: Mapping[str, Any], *, also: Sequence[str] = ()
) -> Row:
    """Replace the client's own data, and log which fields are new (and `also` which others).

    `before` is the client's own row, held. Returns the user as users.find does.
    """
    users.change(conn, client.user_id, **{name: after[name] for name in WRITTEN})
    changed = [name for name in WRITTEN if after[name] != before[name]]
    activities.record(
        conn,
        client,
        "update_profile",
        details={"changed": [*changed, *also]},
        related=("user", client.user_id, after["name"]),
    )
    return users.find(conn, client.user_id) or before


def leave(conn: Conn, user_id: int, proof: str) -> bool:
    """Delete the caller's data: identity and sign-in at once, the rest in a job. False if the proof
    is not that of their password.

    Raises Problem (has_open_orders), with the numbers of up to ten orders.
    """
    waiting = users.open_orders(conn)
    if waiting["is_open"]:
        words = "Orders, refunds, returns or a balance are not closed yet."
        raise Problem("has_open_orders", words, more={"orders": waiting["numbers"]})
    store_id = (users.find(conn, user_id) or {}).get("store_id")
    jobs.enqueue(conn, "forget_user", queue="long", user_id=user_id, store_id=store_id)
    return users.forget_me(conn, proof) is not None


def forget(
    db: Database,
    user_id: int,
    store_id: int | None,
    currency: str,
    *,
    private: Storage | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> None:
    """Delete the remaining data of a deleted user, private images among it, and close their store.
    For the worker; safe to repeat.

    Raises Interrupted.
    """
    with db.working() as conn:
        keys = users.private_images(conn, user_id)
    if private is not None:
        for key in keys:
            uploads.delete(private, key)
    with db.working() as conn:
        users.forget_trade(conn, user_id)
    left = BATCH
    while left:
        if stopping():
            raise Interrupted
        with db.working() as conn:
            left = users.forget_things(conn, user_id, most=BATCH)
    while store_id is not None:
        if stopping():
            raise Interrupted
        with db.working() as conn:
            closed = users.close_store(conn, store_id, most=BATCH)
            product_documents.refresh(conn, closed, currency)
        if len(closed) < BATCH:
            break
    place = None
    while store_id is not None:
        if stopping():
            raise Interrupted
        with db.working() as conn:
            place = users.forget_trail(conn, store_id, place, most=BATCH)
        if place is None:
            return
