"""Passwords: hashing, judging and proving them.

bcrypt takes a quarter of a second of one core, so few hashes at a time are computed in a process.
"""

import base64
import hmac
import os
import unicodedata

import bcrypt

from marketplace.config import places
from marketplace.contract.errors import FieldError, Problem
from marketplace.security.hash_queue import HashQueue
from marketplace.text.messages import say, together

#: At least this much of zxcvbn's 0 to 4: 2 is "somewhat guessable", safe against attempts through
#: this API.
STRENGTH = 2
#: Hashes that a process computes at a time. A second one costs a thread, and serves a burst in one
#: process twice as fast.
AT_ONCE = min(os.cpu_count() or 1, 2)
_PASSWORD_DOMAIN = b"marketplace password v1"


class Passwords:
    """bcrypt behind a queue: a burst of sign-ins is served in turn, and listings go before it.

    bcrypt reads 72 bytes at most, so it is given base64(HMAC-SHA384(NFKC(password))): nothing is
    cut off, and a passphrase of any script and length counts whole. `address` is the client's;
    waiting requests take turns by it.
    """

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self.queue = HashQueue(
            at_once=AT_ONCE,
            places=places.PASSWORDS,
            of_one_address=places.OF_ONE_ADDRESS,
            patience=places.PATIENCE,
        )
        #: The salt of a sign-in of an unknown address, so that it takes as long as any.
        self._nobody = bcrypt.gensalt(cost)

    def require_strong(
        self, password: str, pointer: str, *about: str, address: str | None = None
    ) -> None:
        """Refuse a weak password; in the queue, as judging one can take as long as hashing it."""
        self.queue.compute_here(lambda: require_strong(password, pointer, *about), address)

    def hash(self, password: str, address: str | None = None) -> str:
        """Return the bcrypt hash to store."""
        return self._hashed(password, bcrypt.gensalt(self._cost), address)

    def prove(self, password: str, salt: str | None, address: str | None = None) -> str:
        """Return the hash of a password with the salt of an account's: the proof of knowing it.

        `salt` is None for an address without an account: it takes the same time, and proves
        nothing.
        """
        return self._hashed(password, salt.encode() if salt else self._nobody, address)

    def costlier(self, password: str, proof: str, address: str | None = None) -> str | None:
        """Return the same password hashed at the present cost, if that is higher; else None.

        None too if too many wait: the next sign-in will do it.
        """
        if int(proof.split("$")[2]) >= self._cost:
            return None
        try:
            return self.hash(password, address)
        except Problem:
            return None

    def _hashed(self, password: str, salt: bytes, address: str | None) -> str:
        digest = _digest(password)
        return self.queue.compute(lambda: bcrypt.hashpw(digest, salt), address).decode()


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
