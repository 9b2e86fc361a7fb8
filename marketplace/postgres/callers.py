"""Who makes a request, as the database is told."""

from typing import NamedTuple


class Caller(NamedTuple):
    """Who makes the request: the session's hash opens transactions, the rest is what the session
    stood for.
    """

    session_hash: bytes
    user_id: int
    role: str | None = None
    store_id: int | None = None
    session_id: int | None = None
    request_id: str | None = None


class Client(NamedTuple):
    """Where a request came from, as the activity log keeps it."""

    user_id: int
    ip: str | None
    device: str | None
