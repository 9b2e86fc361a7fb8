"""Who makes a request, as the database knows it."""

from typing import NamedTuple


class Caller(NamedTuple):
    """Who makes the request: the session's hash opens transactions, the rest comes from the
    session.
    """

    session_hash: bytes
    user_id: int
    role: str | None = None
    store_id: int | None = None
    session_id: int | None = None
    request_id: str | None = None


class Client(NamedTuple):
    """Where a request came from, for the activity log."""

    user_id: int
    ip: str | None
    device: str | None
