"""What users change of themselves, together with the line in the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.db import Client, Conn, Row
from marketplace.queries import activities, users

WRITTEN = ("name", "phone", "address", "email")


def change(conn: Conn, client: Client, before: Row, after: Mapping[str, Any], *, also: Sequence[str] = ()) -> Row:
    """Replace what the client says of themselves, and log which fields are new (and `also` which others).

    `before` is the client's own row, held. Answers the user as users.find does.
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
