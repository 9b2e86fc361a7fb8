"""Authentication: who calls, and how often they may."""

from collections.abc import Callable
from typing import Any, TypeVar

import falcon

from marketplace.config.rate_limits import Limit
from marketplace.contract import operations
from marketplace.contract.errors import Problem, unauthorized
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import limits, sessions
from marketplace.security.tokens import Tokens
from marketplace.web import links
from marketplace.web.rate_limits import READS, Limits, Use, by_address, set_headers

Sent = TypeVar("Sent")


class Authentication:
    """Reads the token, and lets only public calls through without a living session.

    Closed by default: only an operation with roles=PUBLIC needs no token. An invalid token is
    refused there too: the app would rather know it.
    """

    def __init__(self, db: Database, tokens: Tokens, allowed: Limits) -> None:
        self._db = db
        self._tokens = tokens
        self._limits = allowed

    def authenticate(self, req: falcon.Request, resp: falcon.Response, resource: Any) -> None:
        """Set req.context.caller: None for a guest, with role and store on private calls."""
        req.context.operation = operation = operations.of(resource, req.method)
        if operation is None:  # OPTIONS, or a method that will get a 405
            return
        caller = self._bearer(req)
        if caller is None and operation.linked:
            caller = links.caller_of(req)
        if caller is None and not operation.public:
            raise unauthorized(
                "unauthorized", "This call needs an access token: Authorization: Bearer ..."
            )
        limit = self._limits.of(req, operation)
        if caller is not None and not (operation.public or operation.at_once):
            counted = limit if limit is not None and limit.name not in READS else None
            caller = self._living(req, caller, counted, resp)
        if limit is not None and (operation.public or limit.name in READS):
            known = (
                caller is not None and limit.name in READS
            )  # a token is no way around a limit on signing in
            self._limit(
                limit, f"user {caller.user_id}" if known and caller else by_address(req), resp
            )
        if operation.sells and req.context.config.verified_sellers and caller is not None:
            self._require_verified(caller)
        req.context.caller = caller

    def _require_verified(self, caller: Caller) -> None:
        with self._db.primary() as conn:
            if not sessions.is_verified(conn, caller.session_hash):
                raise Problem(
                    "email_unverified",
                    "Enter the code from the mail we sent you; then you may sell.",
                )

    def _limit(self, limit: Limit, subject: str, resp: falcon.Response) -> None:
        if limit.name in READS:
            self._limits.take_here(limit, subject, resp)
        else:
            self._limits.take(limit, subject, resp)

    def _bearer(self, req: falcon.Request) -> Caller | None:
        header = req.env.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, token = header.strip(" ").partition(" ")
        token = token.lstrip(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized(
                "invalid_token", "The Authorization header must be: Bearer and an access token."
            )
        return self._tokens.read(token)._replace(request_id=req.context.request_id)

    def _living(
        self, req: falcon.Request, caller: Caller, limit: Limit | None, resp: falcon.Response
    ) -> Caller:
        """Return the caller with role and store, after one use of a limit if there is one; 401 if
        the session has ended. A request without a body goes on in the transaction that finds them.
        """
        row = self._find(req, caller, limit)
        if row is None or row["user_id"] != caller.user_id:
            raise _ended()
        if limit is not None:
            set_headers(resp, limit, Use(row["remaining"], row["reset_after"], row["retry_after"]))
        return caller._replace(
            role=row["role"], store_id=row["store_id"], session_id=row["session_id"]
        )

    def _find(self, req: falcon.Request, caller: Caller, limit: Limit | None) -> Row | None:
        if limit is None and req.method in ("GET", "HEAD"):
            return self._db.find_caller(caller)
        with self._db.primary() as conn:
            if limit is None:
                return sessions.find(conn, caller.session_hash)
            return limits.find_caller_and_take(
                conn,
                caller.session_hash,
                rate_class=limit.name,
                every=limit.every,
                burst=limit.burst,
            )


def read(db: Database, req: falcon.Request, send: Callable[[Conn], Sent]) -> Sent:
    """Return what `send` does: cursors of statements that need nothing of each other, sent in the
    caller's name. It is for calls that declare `at_once`; 401 if the session has ended.
    """
    caller = req.context.caller
    who, sent = db.at_once(caller, send)
    if who["user_id"] != caller.user_id:
        raise _ended()
    return sent


def _ended() -> Problem:
    return unauthorized("invalid_token", "The session has ended; sign in again.")
