"""Login throttling: password checks in which nobody gets far by trying.

Every attempt is counted in PostgreSQL before the password is checked (auth.begin_attempt in
sql/migrations), for its account and for its address. Known and unknown accounts take the same
statements, so neither response nor time tells them apart. The database gives the salt, never the
hash: it compares what the password yields.
"""

import logging
import threading
from typing import NamedTuple

from marketplace.contract.errors import FieldError, Problem, too_many_requests
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import sign_in_attempts
from marketplace.security.passwords import Passwords
from marketplace.telemetry import metrics
from marketplace.workflows import mails

log = logging.getLogger("marketplace.sign_in")


class Proof(NamedTuple):
    """Whose password was given, and the hash that only it yields."""

    user_id: int
    hash: str


def wrong_password() -> Problem:
    """Return the refusal of a change that needs the present password."""
    reason = FieldError("/current_password", "wrong_password", "is not the present password")
    return Problem("wrong_password", "The present password is wrong.", errors=[reason])


class SignIn:
    """Checks whose a password is."""

    def __init__(self, db: Database, passwords: Passwords) -> None:
        self._db = db
        self._passwords = passwords
        #: A burst begins one at a time: who reads the catalogue finds a connection free.
        self._beginning = threading.Semaphore(1)

    def prove(self, email: str, password: str, ip: str | None, language: str) -> Proof | None:
        """Return whose address and password it is; None for nobody's. Raises 429 after wrong ones.

        Runs bcrypt between two transactions: no connection waits for it. The function that takes
        the proof compares whether the password is still the account's.
        """
        with self._beginning, self._db.signing_in(durable=False) as conn:
            attempt = sign_in_attempts.begin(conn, email, ip)
        if attempt["retry_after"] is not None:
            metrics.SIGN_INS.labels("held_up").inc()
            raise too_many_requests(attempt["retry_after"])
        try:
            proof = self._passwords.prove(password, attempt["salt"], ip)
        except BaseException:  # it was not checked: too many are waiting
            with self._db.signing_in(durable=False) as conn:
                sign_in_attempts.settle(conn, attempt["ticket"], None)
            raise
        verdict = self._verdict(attempt["ticket"], proof, email, language)
        metrics.SIGN_INS.labels(verdict["outcome"]).inc()
        if verdict["spraying"]:
            metrics.SIGN_INS.labels("spraying").inc()
            log.warning("one address tries the passwords of many accounts", extra={"ip": ip})
        if verdict["retry_after"] is not None:
            raise too_many_requests(verdict["retry_after"])
        if verdict["outcome"] == "unread":  # the server has forgotten the attempt in a crash
            raise too_many_requests(1)
        if verdict["user_id"] is None:
            return None
        return self._at_todays_cost(Proof(verdict["user_id"], proof), password, ip)

    def prove_present(self, user: Row, password: str, ip: str | None, language: str) -> Proof:
        """Return the proof that a user (id, email) knows their present password, counted as a
        sign-in is. Raises wrong_password.
        """
        proof = self.prove(user["email"], password, ip, language)
        if proof is None or proof.user_id != user["id"]:
            raise wrong_password()
        return proof

    def _verdict(self, ticket: bytes, proof: str, email: str, language: str) -> Row:
        """Compare and count it; the owner hears of the tenth wrong one in a row."""
        with self._db.signing_in(durable=False) as conn:
            verdict = sign_in_attempts.settle(conn, ticket, proof)
            if verdict["tell_owner"]:
                mails.enqueue(conn, "locked", email, language)
        return verdict

    def _at_todays_cost(self, proof: Proof, password: str, ip: str | None) -> Proof:
        costlier = self._passwords.costlier(password, proof.hash, ip)
        if costlier is None:
            return proof
        with self._db.signing_in(durable=False) as conn:
            sign_in_attempts.rehash(conn, proof.user_id, proof.hash, costlier)
        return proof._replace(hash=costlier)
