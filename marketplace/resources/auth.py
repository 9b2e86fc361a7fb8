"""Registering, signing in and out, and the devices that are signed in."""

from typing import Any

import falcon

from marketplace.config.settings import Config
from marketplace.contract.errors import FieldError, Problem, unauthorized
from marketplace.contract.operations import PUBLIC, operation
from marketplace.postgres.callers import Client
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, mailed_tokens, sessions
from marketplace.queries import users as user_queries
from marketplace.schemas import users as schemas
from marketplace.security.passwords import Passwords
from marketplace.security.tokens import Tokens, hashed, new_secret, secret_of
from marketplace.web import client
from marketplace.workflows import mails
from marketplace.workflows.sign_in import Proof, SignIn

#: The legacy Android app (`client_type`) cannot refresh: it has to sign in again after this long,
#: and its token lives until then.
FIRST_APP_SECONDS = 30 * 86400
#: Its messages for the user.
GREETINGS = {
    "register": "Akun Anda sudah dibuat. Selamat berbelanja!",
    "login": "Anda berhasil masuk. Selamat datang kembali!",
}


class Register:
    """/api/auth/register"""

    def __init__(self, db: Database, passwords: Passwords, tokens: Tokens) -> None:
        self.db = db
        self.passwords = passwords
        self.tokens = tokens

    @operation(
        "register",
        "Open an account and sign in",
        roles=PUBLIC,
        body=schemas.REGISTER,
        responses={201: schemas.TOKENS},
        problems=("email_taken", "weak_password", "too_many_requests"),
        rate="register",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the tokens, as login does."""
        body = req.context.body
        ip = client.client_ip(req)
        self.passwords.require_strong(
            body["password"], "/password", body["name"], body["email"], address=ip
        )
        password_hash = self.passwords.hash(body["password"], ip)
        with self.db.signing_in(req.context.request_id) as conn:
            user_id = sessions.register(
                conn,
                name=body["name"],
                email=body["email"],
                role=body["role"],
                phone=body.get("phone"),
                password_hash=password_hash,
            )
            proof = Proof(user_id, password_hash)
            resp.media = _sign_in(conn, req, self.tokens, proof, "register")
            mails.enqueue(conn, "verify", body["email"], client.language(req))
        resp.status = falcon.HTTP_201
        resp.set_header("Cache-Control", "no-store")


class Login:
    """/api/auth/login"""

    def __init__(self, db: Database, sign_in: SignIn, tokens: Tokens) -> None:
        self.db = db
        self.sign_in = sign_in
        self.tokens = tokens

    @operation(
        "login",
        "Sign in",
        roles=PUBLIC,
        body=schemas.LOGIN,
        responses={200: schemas.TOKENS},
        problems=("invalid_credentials", "too_many_requests"),
        rate="sign-in",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the tokens; the same failure, as slowly, for an unknown address and a wrong
        password.

        After five wrong ones an account takes the next later and later: 429 with Retry-After.
        """
        answer = None
        for _ in range(2):  # again if the password was set, or hashed anew, while it was proved
            proof = self._prove(req)
            with self.db.signing_in() as conn:
                answer = _sign_in(conn, req, self.tokens, proof, "login")
            if answer is not None:
                break
        if answer is None:
            raise _invalid_credentials()
        resp.media = answer
        resp.set_header("Cache-Control", "no-store")

    def _prove(self, req: falcon.Request) -> Proof:
        body = req.context.body
        proof = self.sign_in.prove(
            body["email"], body["password"], client.client_ip(req), client.language(req)
        )
        if proof is None:
            raise _invalid_credentials()
        return proof


class Refresh:
    """/api/auth/refresh"""

    def __init__(self, db: Database, tokens: Tokens) -> None:
        self.db = db
        self.tokens = tokens

    @operation(
        "refreshTokens",
        "Exchange a refresh token for the next pair",
        roles=PUBLIC,
        body=schemas.REFRESH,
        responses={200: schemas.TOKENS},
        problems=("invalid_refresh_token",),
        rate="refresh",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return a new pair. A token may come again while its successor is unused: the response was
        lost, or two tabs share it. After that its use ends the session.
        """
        config: Config = req.context.config
        old = req.context.body["refresh_token"]
        secret = secret_of(old)
        fresh = self.tokens.next_refresh(old)
        with self.db.signing_in() as conn:
            outcome = sessions.refresh(
                conn,
                old_hash=hashed(old),
                new_hash=hashed(fresh),
                seconds=config.refresh_token_seconds,
                grace=config.refresh_grace_seconds,
                ip=client.client_ip(req),
            )
            if outcome["outcome"] == "renewed":
                sessions.act_as(conn, hashed(secret), req.context.request_id)
                user = user_queries.find(conn, outcome["user_id"]) or {}
                resp.media = _pair(config, self.tokens, user, secret, fresh)
        if outcome["outcome"] != "renewed":
            raise unauthorized(
                "invalid_refresh_token", "The refresh token is not valid any more; sign in again."
            )
        resp.set_header("Cache-Control", "no-store")


class ForgotPassword:
    """/api/auth/forgot-password"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "forgotPassword",
        "Send a code for a new password by mail",
        roles=PUBLIC,
        body=schemas.FORGOTTEN,
        responses={204: None},
        rate="sign-in",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send a code to the address, if an account has it; the response is the same if none has.

        The code is valid once and for 30 minutes. A mailbox gets three an hour at most; an older
        code is void.
        """
        with self.db.signing_in() as conn:
            mails.enqueue(conn, "reset", req.context.body["email"], client.language(req))
        resp.status = falcon.HTTP_204


class ResetPassword:
    """/api/auth/reset-password"""

    def __init__(self, db: Database, passwords: Passwords) -> None:
        self.db = db
        self.passwords = passwords

    @operation(
        "resetPassword",
        "Set a new password with a code from a mail",
        roles=PUBLIC,
        body=schemas.RESET,
        responses={204: None},
        problems=("invalid_code", "weak_password", "too_many_requests"),
        rate="sign-in",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Set the password and sign all devices out. After a weak password the code stays valid."""
        body = req.context.body
        token_hash = hashed(body["token"])
        ip = client.client_ip(req)
        with self.db.signing_in() as conn:
            account = mailed_tokens.find_reset(conn, token_hash)
        if account is None:
            raise _invalid_code()
        self.passwords.require_strong(
            body["password"], "/password", account["name"], account["email"], address=ip
        )
        password_hash = self.passwords.hash(body["password"], ip)
        with self.db.signing_in(req.context.request_id) as conn:
            if mailed_tokens.reset_password(conn, token_hash, password_hash) is None:
                raise _invalid_code()
            mails.enqueue(conn, "password_changed", account["email"], client.language(req))
        resp.status = falcon.HTTP_204


class VerifyEmail:
    """/api/auth/verify-email"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "verifyEmail",
        "Confirm an address with a code from a mail",
        roles=PUBLIC,
        body=schemas.VERIFY,
        responses={204: None},
        problems=("invalid_code",),
        rate="sign-in",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Confirm that the mailbox's owner reads it. The code is sent after registering, and after
        a change of address.
        """
        with self.db.signing_in(req.context.request_id) as conn:
            if mailed_tokens.verify_email(conn, hashed(req.context.body["token"])) is None:
                raise _invalid_code()
        resp.status = falcon.HTTP_204


class SendVerification:
    """/api/auth/send-verification"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "sendVerification",
        "Send the code that confirms the address again",
        responses={204: None},
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Send a code, unless the address is confirmed already. Three an hour at most; an older
        code is void.
        """
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            user = user_queries.find(conn, caller.user_id) or {}
            mails.enqueue(conn, "verify", user["email"], client.language(req))
        resp.status = falcon.HTTP_204


class Logout:
    """/api/auth/logout"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation("logout", "Sign this device out", responses={204: None})
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End the session the token belongs to."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            activities.record(conn, client.client(req), "logout")
            sessions.end(conn, caller.session_id)
        resp.status = falcon.HTTP_204


class Sessions:
    """/api/auth/sessions"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listSessions",
        "The devices that are signed in",
        responses={200: schemas.SESSIONS},
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the caller's devices, the last used first."""
        with self.db.transaction(req.context.caller) as conn:
            resp.media = {"sessions": sessions.all_mine(conn)}

    @operation("endOtherSessions", "Sign all other devices out", responses={204: None})
    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """End every session of the caller except this one."""
        with self.db.transaction(req.context.caller) as conn:
            ended = sessions.end_others(conn)
            activities.record(conn, client.client(req), "logout", details={"sessions": ended})
        resp.status = falcon.HTTP_204


class Session:
    """/api/auth/sessions/{session_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation("endSession", "Sign one device out", responses={204: None}, problems=("not_found",))
    def on_delete(self, req: falcon.Request, resp: falcon.Response, session_id: int) -> None:
        """End one of the caller's sessions."""
        with self.db.transaction(req.context.caller) as conn:
            activities.record(
                conn, client.client(req), "logout", related=("session", session_id, None)
            )
            if not sessions.end(conn, session_id):
                raise Problem("not_found")
        resp.status = falcon.HTTP_204


def _invalid_credentials() -> Problem:
    return unauthorized("invalid_credentials", "No account has this e-mail address and password.")


def _invalid_code() -> Problem:
    words = "is not a code of ours, or was used, or is too old"
    return Problem("invalid_code", errors=[FieldError("/token", "invalid_code", words)])


def _sign_in(
    conn: Conn, req: falcon.Request, tokens: Tokens, proof: Proof, activity: str
) -> dict[str, Any] | None:
    """Open a session for the device, and return its tokens; with the entry in the log. None if the
    password has changed meanwhile, or the account is closed.
    """
    config: Config = req.context.config
    first_app = "client_type" in req.context.body
    seconds = (
        min(config.refresh_token_seconds, FIRST_APP_SECONDS)
        if first_app
        else config.refresh_token_seconds
    )
    secret = new_secret()
    refresh_token = tokens.new_refresh(secret)
    device, ip = client.device(req), client.client_ip(req)
    opened = sessions.open_device(
        conn,
        user_id=proof.user_id,
        proof=proof.hash,
        session_hash=hashed(secret),
        refresh_hash=hashed(refresh_token),
        seconds=seconds,
        device_name=req.context.body.get("device_name"),
        user_agent=device,
        ip=ip,
    )
    if opened is None:
        return None
    sessions.act_as(conn, hashed(secret), req.context.request_id)
    activities.record(conn, Client(proof.user_id, ip, device), activity)
    user = user_queries.find(conn, proof.user_id) or {}
    answer = _pair(config, tokens, user, secret, refresh_token)
    if first_app or activity == "register":  # its register screen does not say who it is
        answer["message"] = GREETINGS[activity]
        answer["auth_token"] = tokens.access(proof.user_id, secret, min(seconds, FIRST_APP_SECONDS))
        answer["user_role"] = answer["user"]["user_role"] = user["user_role"]
    return answer


def _pair(
    config: Config, tokens: Tokens, user: Row, secret: str, refresh_token: str
) -> dict[str, Any]:
    return {
        "access_token": tokens.access(user["id"], secret, config.access_token_seconds),
        "refresh_token": refresh_token,
        "token_type": "Bearer",
        "expires_in": config.access_token_seconds,
        "user": {
            name: user[name] for name in ("id", "name", "email", "role", "store_id", "avatar")
        },
    }
