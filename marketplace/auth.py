"""Passwords, tokens, the authentication middleware and the require_role hook.

Access tokens are JWTs of minutes (the first app's: of weeks), signed with HS256. They carry the secret of a session;
the database keeps only its hash, and asks for it at the begin of every private transaction, so that a session that
was ended, a user who was suspended and a role that changed bite at the next request.
"""

import base64
import hashlib
import hmac
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bcrypt
import falcon
import jwt

from marketplace import operations
from marketplace.config import Config
from marketplace.db import Caller, Database
from marketplace.errors import FieldError, Problem, unauthorized
from marketplace.languages import say, together
from marketplace.limits import READS, Limits, Use, answer, by_address
from marketplace.queries import limits, sessions
from marketplace.rates import Limit

ALGORITHM = "HS256"
#: At least this much of zxcvbn's 0 to 4: 2 is "somewhat guessable", safe against guessing through this API.
STRENGTH = 2
LEEWAY = 30  # seconds of clock skew taken for iat; none for exp
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_ID = re.compile(r"[1-9][0-9]{0,18}\Z")
_PASSWORD_DOMAIN = b"marketplace password v1"


class Passwords:
    """bcrypt behind a gate: at most one hash at a time in this process, and one more that waits.

    Each holds a thread of the server for a quarter of a second; the others stay free for listings.

    bcrypt reads 72 bytes at most, so it is given base64(HMAC-SHA384(NFKC(password))): nothing is cut off, and
    a passphrase of any script and length counts whole.
    """

    def __init__(self, cost: int) -> None:
        self._cost = cost
        self._gate = threading.Semaphore(1)
        self._waiting = threading.BoundedSemaphore(2)
        #: What a sign-in of an unknown address is checked against, so that it takes as long as any other: a salt
        #: of the same cost, and a hash that nobody's is.
        self._nobody = bcrypt.gensalt(cost) + b"." * 31

    def require_strong(self, password: str, pointer: str, *about: str) -> None:
        """Refuse a weak password; behind the gate, since judging one can take as long as hashing it."""
        with self._turn():
            require_strong(password, pointer, *about)

    def hash(self, password: str) -> str:
        """The bcrypt hash to store."""
        with self._turn():
            return bcrypt.hashpw(_digest(password), bcrypt.gensalt(self._cost)).decode()

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether it is the password. `stored` is None for an address nobody has: same time, always False."""
        with self._turn():
            right = bcrypt.checkpw(_digest(password), stored.encode() if stored else self._nobody)
        return right and stored is not None

    def costlier(self, password: str, stored: str) -> str | None:
        """The same password hashed at the cost of today, where it was stored at a lower one; None otherwise.

        None too where others wait: the next sign-in comes.
        """
        if int(stored.split("$")[2]) >= self._cost:
            return None
        try:
            return self.hash(password)
        except Problem:
            return None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """A place in the queue, then the gate."""
        busy = Problem("too_many_requests", "Too many sign-ins at this moment. Try again in a second.")
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


class Tokens:
    """Makes and reads access and refresh tokens.

    A refresh token is the session's secret and a one-time part; only hashes of both are stored.
    """

    def __init__(self, config: Config) -> None:
        self._keys = {_key_id(key): _signing_key(key) for key in config.secret_keys}
        self._kid = _key_id(config.secret_keys[0])
        self._succession = hmac.digest(config.secret_keys[0].encode(), b"marketplace refresh token", "sha256")

    def access(self, user_id: int, secret: str, seconds: int) -> str:
        """An access token of a session, good for `seconds` unless the session ends before."""
        now = int(time.time())
        claims = {
            "iss": "marketplace",
            "typ": "access",
            "sub": str(user_id),
            "sid": secret,
            "iat": now,
            "exp": now + seconds,
        }
        return jwt.encode(claims, self._keys[self._kid], ALGORITHM, headers={"kid": self._kid})

    def read(self, token: str) -> Caller:
        """Whom an access token stands for, its signature and claims checked; 401 otherwise."""
        try:
            if len(token) > 2048 or not _TOKEN.match(token):
                raise jwt.InvalidTokenError
            if any(b"\0" in base64.urlsafe_b64decode(part + "==") for part in token.split(".")[:2]):
                raise jwt.InvalidTokenError  # JSON in UTF-16, which the decoder would take
            header = jwt.get_unverified_header(token)
            if set(header) != {"alg", "kid", "typ"} or header["typ"] != "JWT":
                raise jwt.InvalidTokenError
            key = self._keys.get(header["kid"]) if isinstance(header["kid"], str) else None
            if key is None:
                raise jwt.InvalidTokenError
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                issuer="marketplace",
                options={
                    "require": ["iss", "typ", "sub", "sid", "iat", "exp"],
                    "verify_iat": False,
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                },
            )
            return _caller(claims)
        except (jwt.PyJWTError, ValueError, TypeError, UnicodeError, RecursionError):
            raise unauthorized("invalid_token", "The access token is not valid or has expired.") from None

    @staticmethod
    def new_refresh(secret: str) -> str:
        """The first one-time refresh token of a session."""
        return f"{secret}.{secrets.token_urlsafe(24)}"

    def next_refresh(self, used: str) -> str:
        """The one that follows a token: always the same, so that two calls that exchange it at once get one successor.

        Were there two, a thief who is quick would have a line of tokens of their own, and no reuse would show it.
        """
        part = hmac.digest(self._succession, used.encode("utf-8", "replace"), "sha256")[:24]
        return f"{secret_of(used)}.{base64.urlsafe_b64encode(part).decode()}"


def require_strong(password: str, pointer: str, *about: str) -> None:
    """Refuse a password that is easily guessed, with the reason zxcvbn gives; and the most common ones anyway."""
    from zxcvbn import zxcvbn  # late: its word lists take 50 ms and some memory
    from zxcvbn.matching import RANKED_DICTIONARIES

    # Made to be slow, 64 characters take it seconds and 24 a quarter of one; what is strong in a part is strong.
    verdicts = [zxcvbn(part, user_inputs=list(about)) for part in dict.fromkeys((password[:24], password[-24:]))]
    best = max(verdicts, key=lambda verdict: verdict["score"])
    if best["score"] < STRENGTH:
        feedback = best["feedback"]
        hints = [hint for hint in (feedback["warning"], *feedback["suggestions"]) if hint]
        reason = FieldError(pointer, "weak_password", together(*hints) if hints else say("is too easily guessed"))
        detail = together(*hints) if hints else say("The password is too easily guessed.")
        raise Problem("weak_password", detail, errors=[reason])
    if unicodedata.normalize("NFKC", password).lower() in RANKED_DICTIONARIES["passwords"]:
        common = "This is a very common password."
        raise Problem("weak_password", common, errors=[FieldError(pointer, "weak_password", common)])


def new_secret() -> str:
    """A fresh secret for a session: 128 random bits."""
    return secrets.token_urlsafe(16)


def secret_of(refresh_token: str) -> str:
    """The session's secret inside a refresh token."""
    return refresh_token.partition(".")[0]


def hashed(secret: str) -> bytes:
    """SHA-256, as the database keeps secrets. They are random, so nothing slower is needed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _signing_key(key: str) -> bytes:
    """A key of its own for tokens; printable, as those who try to forge them want to be given it."""
    return base64.urlsafe_b64encode(hmac.digest(key.encode(), b"marketplace access token", "sha256"))


def _key_id(key: str) -> str:
    return hashlib.sha256(b"marketplace kid " + key.encode()).hexdigest()[:12]


def _caller(claims: dict[str, Any]) -> Caller:
    """The claims, each of the type and in the range it must have."""
    now = time.time()
    iat, exp, sub, sid = claims["iat"], claims["exp"], claims["sub"], claims["sid"]
    if type(iat) is not int or type(exp) is not int or not iat - LEEWAY <= now < exp:
        raise ValueError("time")
    if set(claims) != {"iss", "typ", "sub", "sid", "iat", "exp"} or claims["typ"] != "access":
        raise ValueError("claims")
    if not (isinstance(sub, str) and _ID.match(sub) and isinstance(sid, str) and len(sid) == 22):
        raise ValueError("subject")
    return Caller(session_hash=hashed(sid), user_id=int(sub))


class Authentication:
    """Middleware: reads the token, and lets nobody but guests' calls through without a living session.

    Closed by default: only an operation that says roles=PUBLIC is answered without a token. A token that is no
    good is refused also there: the app would rather hear of it.
    """

    def __init__(self, db: Database, tokens: Tokens, allowed: Limits) -> None:
        self._db = db
        self._tokens = tokens
        self._limits = allowed

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, params: dict[str, Any]
    ) -> None:
        """Set req.context.caller: None for a guest, with role and store on private calls."""
        req.context.operation = operation = operations.of(resource, req.method)
        if operation is None:  # OPTIONS, or a method that will answer 405
            return
        caller = self._bearer(req)
        if caller is None and not operation.public:
            raise unauthorized("unauthorized", "This call needs an access token: Authorization: Bearer ...")
        limit = self._limits.of(req, operation)
        if caller is not None and not operation.public:
            counted = limit if limit is not None and limit.name not in READS else None
            caller = self._living(caller, counted, resp)
        if limit is not None and (operation.public or limit.name in READS):
            known = caller is not None and limit.name in READS  # a token is no way round a limit on signing in
            self._limit(limit, f"user {caller.user_id}" if known and caller else by_address(req), resp)
        if operation.sells and req.context.config.verified_sellers and caller is not None:
            self._require_verified(caller)
        req.context.caller = caller

    def _require_verified(self, caller: Caller) -> None:
        with self._db.primary() as conn:
            if not sessions.is_verified(conn, caller.session_hash):
                raise Problem("email_unverified", "Enter the code from the mail we sent you; then you may sell.")

    def _limit(self, limit: Limit, subject: str | None, resp: falcon.Response) -> None:
        if subject is not None and limit.name in READS:
            self._limits.take_here(limit, subject, resp)
        elif subject is not None:
            self._limits.take(limit, subject, resp)

    def _bearer(self, req: falcon.Request) -> Caller | None:
        header = req.get_header("Authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthorized("invalid_token", "The Authorization header must be: Bearer and an access token.")
        return self._tokens.read(token)._replace(request_id=req.context.request_id)

    def _living(self, caller: Caller, limit: Limit | None, resp: falcon.Response) -> Caller:
        """The caller with role and store, who has used a limit once if there is one; 401 if the session has ended."""
        with self._db.primary() as conn:
            if limit is None:
                row = sessions.find(conn, caller.session_hash)
            else:
                row = limits.find_caller_and_take(
                    conn, caller.session_hash, rate_class=limit.name, every=limit.every, burst=limit.burst
                )
        if row is None or row["user_id"] != caller.user_id:
            raise unauthorized("invalid_token", "The session has ended; sign in again.")
        if limit is not None:
            answer(resp, limit, Use(row["remaining"], row["reset_after"], row["retry_after"]))
        return caller._replace(role=row["role"], store_id=row["store_id"], session_id=row["session_id"])


def require_role(
    req: falcon.Request, resp: falcon.Response, resource: Any, params: dict[str, Any], *roles: str
) -> None:
    """Hook: 403 unless the caller has one of the roles."""
    if req.context.caller.role not in roles:
        allowed = say(" and ".join(f"{role}s" for role in roles))
        raise Problem("forbidden", say("This call is for {roles}.", roles=allowed))
