"""Access and refresh tokens.

Access tokens are JWTs of minutes (the legacy Android app's: of weeks), signed with HS256. They
carry the secret of a session. The database keeps only its hash, and checks it at the start of every
private transaction. So an ended session, a suspended user and a changed role take effect at the
next request.
"""

import base64
import hashlib
import hmac
import re
import secrets
import time
from functools import lru_cache
from typing import Any

import jwt

from marketplace.config.settings import Config
from marketplace.contract.errors import unauthorized
from marketplace.postgres.callers import Caller

ALGORITHM = "HS256"
#: Tokens whose signature is not checked again, as a device sends its own with every request.
REMEMBERED = 2000
LEEWAY = 30  # seconds of clock skew accepted for iat; none for exp
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_ID = re.compile(r"[1-9][0-9]{0,18}\Z")


class Tokens:
    """Makes and reads access and refresh tokens.

    A refresh token is the session's secret and a one-time part; only hashes of both are stored.
    """

    def __init__(self, config: Config) -> None:
        self._keys = {_key_id(key): _signing_key(key) for key in config.secret_keys}
        self._kid = _key_id(config.secret_keys[0])
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._signed)
        self._succession = hmac.digest(
            config.secret_keys[0].encode(), b"marketplace refresh token", "sha256"
        )

    def access(self, user_id: int, secret: str, seconds: int) -> str:
        """Return an access token of a session, valid for `seconds` unless the
        session ends before.
        """
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
        """Return whom an access token stands for, its signature and claims
        checked; 401 otherwise.
        """
        try:
            return _caller(self._remembered(token))
        except (jwt.PyJWTError, ValueError, TypeError, UnicodeError, RecursionError):
            raise unauthorized(
                "invalid_token", "The access token is not valid or has expired."
            ) from None

    def _signed(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that one of our keys has signed; raises for any other."""
        if len(token) > 2048 or not _TOKEN.match(token):
            raise jwt.InvalidTokenError
        if any(b"\0" in base64.urlsafe_b64decode(part + "==") for part in token.split(".")[:2]):
            raise jwt.InvalidTokenError  # JSON in UTF-16, which the decoder would accept
        header = jwt.get_unverified_header(token)
        if set(header) != {"alg", "kid", "typ"} or header["typ"] != "JWT":
            raise jwt.InvalidTokenError
        key = self._keys.get(header["kid"]) if isinstance(header["kid"], str) else None
        if key is None:
            raise jwt.InvalidTokenError
        claims: dict[str, Any] = jwt.decode(
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
        return claims

    @staticmethod
    def new_refresh(secret: str) -> str:
        """Return the first one-time refresh token of a session."""
        return f"{secret}.{secrets.token_urlsafe(24)}"

    def next_refresh(self, used: str) -> str:
        """Return the successor of a token: always the same, so that two calls that exchange it at
        once get one successor.

        Were there two, a quick thief would have a line of tokens of their own, and no reuse would
        show it.
        """
        part = hmac.digest(self._succession, used.encode("utf-8", "replace"), "sha256")[:24]
        return f"{secret_of(used)}.{base64.urlsafe_b64encode(part).decode()}"


def new_secret() -> str:
    """Return a fresh secret for a session: 128 random bits."""
    return secrets.token_urlsafe(16)


def secret_of(refresh_token: str) -> str:
    """Return the session's secret inside a refresh token."""
    return refresh_token.partition(".")[0]


def hashed(secret: str) -> bytes:
    """Return the SHA-256, in which form the database keeps secrets. They are random, so nothing
    slower is needed.
    """
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _signing_key(key: str) -> bytes:
    """Return a separate key for tokens; printable, since tools that try to forge
    them expect that.
    """
    return base64.urlsafe_b64encode(
        hmac.digest(key.encode(), b"marketplace access token", "sha256")
    )


def _key_id(key: str) -> str:
    return hashlib.sha256(b"marketplace kid " + key.encode()).hexdigest()[:12]


def _caller(claims: dict[str, Any]) -> Caller:
    """Return the claims, each of the required type and range."""
    now = time.time()
    iat, exp, sub, sid = claims["iat"], claims["exp"], claims["sub"], claims["sid"]
    if type(iat) is not int or type(exp) is not int or not iat - LEEWAY <= now < exp:
        raise ValueError("time")
    if set(claims) != {"iss", "typ", "sub", "sid", "iat", "exp"} or claims["typ"] != "access":
        raise ValueError("claims")
    if not (isinstance(sub, str) and _ID.match(sub) and isinstance(sid, str) and len(sid) == 22):
        raise ValueError("subject")
    return Caller(session_hash=hashed(sid), user_id=int(sub))
