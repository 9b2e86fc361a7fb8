"""Idempotency-Key: a repeated POST gets the first response, and is done once.

The row that keeps the response is written in the transaction of the effect, so one never exists
without the other, whichever process is killed in between. A key belongs to its user and is kept for
a day. A request is the same if method, path, query and content are: JSON without regard to the
order of its members, and a multipart body without regard to its boundary, since a restarted app
writes both anew.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import falcon

from marketplace.contract.errors import Problem
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import idempotency
from marketplace.web import rendering

_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")


class Replayed(Exception):
    """The request was done before; this is its response."""

    def __init__(self, kept: dict[str, Any]) -> None:
        super().__init__("replayed")
        self.kept = kept


def begin(req: falcon.Request, *, required: bool = False) -> None:
    """Start reading under the key of a request that has one; 400 for an invalid key, 422 for none
    where it is required.
    """
    key = req.env.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        if required:
            require_key(req)
        return
    if not _KEY.match(key):
        raise Problem(
            "invalid_idempotency_key", "Idempotency-Key takes 1 to 255 visible ASCII characters."
        )
    digest = hashlib.sha256()
    for part in (req.method, req.path, json.dumps(sorted(req.context.query.items()), default=str)):
        digest.update(hashlib.sha256(part.encode("utf-8", "replace")).digest())
    req.context.body_hash = digest
    req.context.idempotency_key = key


def require_key(req: falcon.Request) -> None:
    """Raise 422 for a request without a key: where not every request of a call needs one."""
    if req.context.idempotency_key is None:
        raise Problem(
            "idempotency_key_required",
            "Sent twice, this would be done twice: send an Idempotency-Key.",
        )


@contextmanager
def transaction(db: Database, req: falcon.Request, resp: falcon.Response) -> Iterator[Conn]:
    """The caller's transaction, run once a key. The response (media or data, status, location) is
    set inside the block.

    Raises Replayed if the request was done before; 409 while a duplicate is running; 422 if the key
    belongs to another request.
    """
    key: str | None = req.context.idempotency_key
    caller = req.context.caller
    with db.transaction(caller) as conn:
        if key is None:
            yield conn
            return
        kept = idempotency.take(conn, caller.user_id, key)
        fingerprint = req.context.body_hash.digest()
        if not kept["taken"]:
            raise Problem(
                "request_in_progress",
                "The first request with this Idempotency-Key is still running.",
            )
        if kept["fingerprint"] is not None:
            if kept["fingerprint"] != fingerprint:
                raise Problem(
                    "idempotency_key_reused",
                    "This Idempotency-Key came with another request before.",
                )
            raise Replayed(kept)
        yield conn
        rendering.serialize(resp)
        idempotency.keep(
            conn,
            caller.user_id,
            key,
            fingerprint=fingerprint,
            status=resp.status_code,
            location=resp.get_header("Location"),
            version=resp.context.tag or resp.context.version,
            body=resp.data or b"",
        )


def install(app: "falcon.App[Any, Any]") -> None:
    """Let the application replay stored responses."""
    app.add_error_handler(Replayed, _replay)


def _replay(req: falcon.Request, resp: falcon.Response, error: Replayed, params: Any) -> None:
    kept = error.kept
    resp.media = None
    resp.status = kept["status"]
    resp.data = kept["body"]
    resp.content_type = falcon.MEDIA_JSON
    if kept["location"] is not None:
        resp.location = kept["location"]
    if kept["version"] is not None:
        resp.context.version = kept["version"]
    if "-" in (kept["version"] or ""):  # a whole ETag
        resp.context.tag = kept["version"]
    resp.set_header("Idempotent-Replayed", "true")
