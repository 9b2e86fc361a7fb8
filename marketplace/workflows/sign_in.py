"""Login throttling: password checks in which nobody gets far by trying.

Every attempt is counted in PostgreSQL before the password is checked (auth.begin_guess in
sql/migrations), for its account and for its address. Known and unknown accounts take the same
statements, so neither response nor time tells them apart.
"""

import logging

from marketplace.contract.errors import too_many_requests
from marketplace.postgres.database import Database
from marketplace.queries import sign_in_attempts
from marketplace.security.passwords import Passwords
from marketplace.telemetry import metrics
from marketplace.workflows import mails

log = logging.getLogger("marketplace.guessing")


class SignIn:
    """Checks whose a password is."""

    def __init__(self, db: Database, passwords: Passwords) -> None:
        self._db = db
        self._passwords = passwords

    def owner(self, email: str, password: str, ip: str | None, language: str) -> int | None:
        """Return the user who has this address and password; None if nobody has. Raises 429 after
        wrong ones.

        Runs bcrypt between two transactions: no connection waits for it.
        """
        with self._db.signing_in(durable=False) as conn:
            found = sign_in_attempts.begin(conn, email, ip)
        if found["retry_after"] is not None:
            metrics.SIGN_INS.labels("held_up").inc()
            raise too_many_requests(found["retry_after"])
        try:
            right = self._passwords.verify(password, found["password_hash"])
        except BaseException:  # it was not checked: too many are waiting
            with self._db.signing_in(durable=False) as conn:
                sign_in_attempts.end(conn, found["guess"], right_one=False)
            raise
        if not right:
            self._wrong(email, found["guess"], ip, language)
            return None
        metrics.SIGN_INS.labels("right").inc()
        costlier = self._passwords.costlier(password, found["password_hash"])
        with self._db.signing_in(durable=False) as conn:
            sign_in_attempts.end(conn, found["guess"], right_one=True)
            if costlier is not None:
                sign_in_attempts.rehash(conn, found["user_id"], found["password_hash"], costlier)
        return int(found["user_id"])

    def _wrong(self, email: str, guess: bytes, ip: str | None, language: str) -> None:
        """Count it for the address; the tenth in a row is reported to the owner, many accounts
        tried to the operator.
        """
        metrics.SIGN_INS.labels("wrong").inc()
        with self._db.signing_in(durable=False) as conn:
            counted = sign_in_attempts.wrong(conn, guess, ip)
            if counted["tell_owner"]:
                mails.enqueue(conn, "locked", email, language)
        if counted["spraying"]:
            metrics.SIGN_INS.labels("spraying").inc()
            log.warning("one address tries the passwords of many accounts", extra={"ip": ip})
