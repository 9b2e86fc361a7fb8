"""Passwords: hashing, judging and comparing them.

bcrypt runs for a quarter of a second of one core, so at most one hash at a time is computed in a
process.
"""

import base64
import hmac
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import bcrypt

from marketplace.contract.errors import FieldError, Problem
from marketplace.text.messages import say, together

#: At least this much of zxcvbn's 0 to 4: 2 is "somewhat guessable", safe against attempts through
#: this API.
STRENGTH = 2
_PASSWORD_DOMAIN = b"marketplace password v1"


class Passwords:
    """bcrypt behind a semaphore: at most one hash at a time in this process, and one more that
    waits.

    Each holds a thread of the server for a quarter of a second; the others stay free for listings.

    bcrypt reads 72 bytes at most, so it is given base64(HMAC-SHA384(NFKC(password))): nothing is
    cut off, and a passphrase of any script and length counts whole.
    """

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._gate = threading.Semaphore(1)
        self._waiting = threading.BoundedSemaphore(2)
        #: A sign-in of an unknown address is checked against this, so that it takes as long as any
        #: other: a salt of the same cost, and a hash that is nobody's.
        self._nobody = bcrypt.gensalt(cost) + b"." * 31

    def require_strong(self, password: str, pointer: str, *about: str) -> None:
        """Refuse a weak password; behind the semaphore, since judging one can take as long as
        hashing it.
        """
        with self._turn():
            require_strong(password, pointer, *about)

    def hash(self, password: str) -> str:
        """Return the bcrypt hash to store."""
        with self._turn():
            return bcrypt.hashpw(_digest(password), bcrypt.gensalt(self._cost)).decode()

    def verify(self, password: str, stored: str | None) -> bool:
        """Return whether it is the password. `stored` is None for an address without an account:
        same time, always False.
        """
        with self._turn():
            right = bcrypt.checkpw(_digest(password), stored.encode() if stored else self._nobody)
        return right and stored is not None

    def costlier(self, password: str, stored: str) -> str | None:
        """Return the same password hashed at the present cost, if it was stored at a lower one;
        None otherwise.

        None too if others wait: the next sign-in will do it.
        """
        if int(stored.split("$")[2]) >= self._cost:
            return None
        try:
            return self.hash(password)
        except Problem:
            return None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Take a place in the queue, then the semaphore."""
        busy = Problem(
            "too_many_requests", "Too many sign-ins at this moment. Try again in a second."
        )
        if not self._waiting.acquire(blocking=False):
            raise busy
        try:
            if not self._gate.acquire(timeout=5):
                raise busy
            try:
                yield
            finally:
                self._gate.release()
        finally:
            self._waiting.release()


def _digest(password: str) -> bytes:
    folded = unicodedata.normalize("NFKC", password).encode()
    return base64.b64encode(hmac.digest(_PASSWORD_DOMAIN, folded, "sha384"))


def require_strong(password: str, pointer: str, *about: str) -> None:
    """Refuse a password that is easily guessed, with zxcvbn's reason; and the most common ones
    anyway.
    """
    from zxcvbn import zxcvbn  # late: its word lists take 50 ms and some memory
    from zxcvbn.matching import RANKED_DICTIONARIES

    # For a password made to be slow, 64 characters take it seconds and 24 a quarter of one;
    # strength of a part is enough.
    verdicts = [
        zxcvbn(part, user_inputs=list(about))
        for part in dict.fromkeys((password[:24], password[-24:]))
    ]
    best = max(verdicts, key=lambda verdict: verdict["score"])
    if best["score"] < STRENGTH:
        feedback = best["feedback"]
        hints = [hint for hint in (feedback["warning"], *feedback["suggestions"]) if hint]
        reason = FieldError(
            pointer, "weak_password", together(*hints) if hints else say("is too easily guessed")
        )
        detail = together(*hints) if hints else say("The password is too easily guessed.")
        raise Problem("weak_password", detail, errors=[reason])
    if unicodedata.normalize("NFKC", password).lower() in RANKED_DICTIONARIES["passwords"]:
        common = "This is a very common password."
        raise Problem(
            "weak_password", common, errors=[FieldError(pointer, "weak_password", common)]
        )
