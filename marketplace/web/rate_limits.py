"""Rate limits: one for each class of call, by user or by address.

Calls that cost or write are counted in PostgreSQL, so that all workers and machines agree. Reads
are counted in each worker for itself, so that a read costs no write. Both use the generic cell rate
algorithm (ITU-T I.371). A refusal is a 429 at once: no thread waits. Headers:
draft-ietf-httpapi-ratelimit-headers.
"""

import math
import time
from collections.abc import Mapping
from typing import NamedTuple

import falcon

from marketplace.config.rate_limits import Limit
from marketplace.contract.errors import too_many_requests
from marketplace.contract.operations import Operation
from marketplace.postgres.database import Database
from marketplace.queries import limits
from marketplace.web import client

#: Counted in each worker.
READS = ("read", "search", "quote")
#: Subjects that a worker remembers; past that it forgets those that have all of their limit again.
REMEMBERED = 50_000


class Use(NamedTuple):
    """The state after a use: how many remain, seconds until all may be used again; `retry_after` if
    it is refused.
    """

    remaining: int
    reset_after: int
    retry_after: int | None


class Limits:
    """The limits of this worker; one instance an application."""

    def __init__(self, db: Database, limits: Mapping[str, Limit]) -> None:
        self._db = db
        self._limits = limits
        self._full_at: dict[tuple[str, str], float] = {}

    def of(self, req: falcon.Request, declared: Operation) -> Limit | None:
        """Return the limit that a call falls under; None if there is none."""
        return self._limits.get(declared.rate or _class_of(req))

    def take_here(self, limit: Limit, subject: str, resp: falcon.Response) -> None:
        """Take one use of a limit on reads. Two threads may both take the last one, which harms
        nobody.
        """
        now = time.monotonic()
        full_at = max(self._full_at.get((limit.name, subject), now), now) + limit.every
        ahead = full_at - now - limit.every * limit.burst
        if ahead > 1e-6:
            set_headers(
                resp,
                limit,
                Use(0, math.ceil(full_at - limit.every - now), max(1, math.ceil(ahead))),
            )
        self._full_at[limit.name, subject] = full_at
        if len(self._full_at) > REMEMBERED:
            self._full_at = {
                key: until for key, until in self._full_at.copy().items() if until > now
            }

    def take(self, limit: Limit, subject: str, resp: falcon.Response) -> None:
        """Take one use of a limit that all workers share."""
        with self._db.primary() as conn:
            used = limits.take(
                conn, f"{limit.name} {subject}", every=limit.every, burst=limit.burst
            )
        set_headers(resp, limit, Use(**used))


def by_address(req: falcon.Request) -> str:
    """Return the client's address as a limit counts it; clients of a Unix socket that no proxy
    names are counted as one.
    """
    ip: str | None = req.context.ip
    if ip is not None and ":" in ip:  # whoever has one IPv6 address has a /64 of them
        ip = client.network(ip)
    return f"address {ip or 'unix'}"


def set_headers(resp: falcon.Response, limit: Limit, use: Use) -> None:
    """Put what is left into the headers, or raise 429."""
    resp.set_header("RateLimit-Policy", limit.policy)
    resp.set_header("RateLimit", f'"{limit.name}";r={use.remaining};t={use.reset_after}')
    if use.retry_after is not None:
        raise too_many_requests(use.retry_after)


def _class_of(req: falcon.Request) -> str:
    if req.method not in ("GET", "HEAD"):
        return "write"
    return "search" if "search=" in req.query_string else "read"
