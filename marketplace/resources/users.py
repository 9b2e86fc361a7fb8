"""The caller's own profile and avatar, and what admins do with users."""

from typing import Any

import falcon
import orjson

from marketplace.contract import pages
from marketplace.contract.errors import Problem, invalid
from marketplace.contract.operations import Budget, Parts, operation
from marketplace.files import image_json, storage
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import activities, sessions, users
from marketplace.schemas import users as schemas
from marketplace.security.passwords import Passwords
from marketplace.web import client, etags, idempotency, paging, uploads
from marketplace.workflows import images, mails
from marketplace.workflows import users as workflow
from marketplace.workflows.sign_in import Proof, SignIn, wrong_password

AVATAR = Parts(files=("avatar",))
LEAVE_PROBLEMS = ("wrong_password", "has_open_orders", "too_many_requests")
CHANGE_PROBLEMS = ("email_taken", "wrong_password", "weak_password", "too_many_requests")


class Profile:
    """/api/users/profile"""

    def __init__(self, db: Database, passwords: Passwords, sign_in: SignIn) -> None:
        self.db = db
        self.passwords = passwords
        self.sign_in = sign_in

    @operation(
        "getProfile", "The caller's profile", responses={200: schemas.PROFILE}, budget=Budget(5, 4)
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the caller."""
        caller = req.context.caller
        with self.db.transaction(caller, durable=False) as conn:
            user = users.find(conn, caller.user_id) or {}
            resp.media = user
            if req.method != "HEAD" and not etags.unchanged(req, resp):
                activities.record_view(
                    conn,
                    client.client(req),
                    "view_profile",
                    related=("user", caller.user_id, user["name"]),
                )

    @operation(
        "replaceProfile",
        "Change the caller's profile",
        body=schemas.CHANGE,
        responses={200: schemas.PROFILE},
        problems=CHANGE_PROBLEMS,
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Replace name, phone and address; a new e-mail or password needs the present one and ends
        other sessions.
        """
        self._change(req, resp, merge=False)

    @operation(
        "updateProfile",
        "Change fields of the caller's profile",
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.PROFILE},
        problems=CHANGE_PROBLEMS,
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Change the given fields, as PUT does."""
        self._change(req, resp, merge=True)

    @operation(
        "deleteProfile",
        "Delete the caller's account",
        body=schemas.LEAVE,
        responses={204: None},
        problems=LEAVE_PROBLEMS,
        conditional=True,
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Delete the account for good: name, address, sessions and images at once, activities and
        imports within minutes. A store is closed, its products are hidden, and its own words
        about itself and them are forgotten. While an order, a refund, a return or the store's
        balance is not closed, it is refused (has_open_orders) and `orders` names up to ten; a
        refund that waits for an account is given up. If a client cannot send a body with DELETE,
        POST /api/users/profile/delete is the same.
        """
        _leave(self.db, self.sign_in, req)
        resp.status = falcon.HTTP_204

    def _change(self, req: falcon.Request, resp: falcon.Response, *, merge: bool) -> None:
        """Check and hash the password between two transactions: neither waits for bcrypt."""
        body, caller = req.context.body, req.context.caller
        with self.db.transaction(caller) as conn:
            seen = users.find(conn, caller.user_id) or {}
        secret_change = (
            body.get("email", seen["email"]).lower() != seen["email"].lower() or "password" in body
        )
        proof = None
        if secret_change:
            if "current_password" not in body:
                raise invalid(
                    "/current_password",
                    "required",
                    "is needed to change the e-mail address or password",
                )
            proof = _prove(self.sign_in, req, seen)
        password_hash = self._new_password(req, seen)
        with self.db.transaction(caller) as conn:
            etags.require(req, users.hold(conn, caller.user_id))
            before = users.find(conn, caller.user_id) or {}
            after = {"phone": None, "address": None, **(before if merge else {}), **body}
            if "email" not in body or (not secret_change and seen["email"] != before["email"]):
                # no change of it was requested, or it was shown to be allowed
                after["email"] = before["email"]
            if proof is not None:
                _change_secrets(conn, proof, before, after, password_hash)
                language = client.language(req)
                if "password" in body:
                    mails.enqueue(conn, "password_changed", after["email"], language)
                if after["email"].lower() != before["email"].lower():
                    mails.enqueue(conn, "verify", after["email"], language)
                    mails.enqueue(conn, "email_changed", before["email"], language)
            resp.media = workflow.change(
                conn, client.client(req), before, after, also=["password"] * ("password" in body)
            )

    def _new_password(self, req: falcon.Request, seen: dict[str, Any]) -> str | None:
        """Return the hash of the new password, if there is one."""
        body, ip = req.context.body, client.client_ip(req)
        if "password" not in body:
            return None
        about = (body.get("name", seen["name"]), seen["email"])
        self.passwords.require_strong(body["password"], "/password", *about, address=ip)
        return self.passwords.hash(body["password"], ip)


class ProfileDeletion:
    """/api/users/profile/delete"""

    def __init__(self, db: Database, sign_in: SignIn) -> None:
        self.db = db
        self.sign_in = sign_in

    @operation(
        "deleteProfileByPost",
        "Delete the caller's account, for clients that send no body with DELETE",
        body=schemas.LEAVE,
        responses={204: None},
        problems=LEAVE_PROBLEMS,
        conditional=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Delete the account for good, as DELETE /api/users/profile does."""
        _leave(self.db, self.sign_in, req)
        resp.status = falcon.HTTP_204


def _leave(db: Database, sign_in: SignIn, req: falcon.Request) -> None:
    caller = req.context.caller
    with db.transaction(caller) as conn:
        seen = users.find(conn, caller.user_id) or {}
    proof = _prove(sign_in, req, seen)
    with db.transaction(caller) as conn:
        etags.require(req, users.hold(conn, caller.user_id))
        if not workflow.leave(conn, caller.user_id, proof.hash):
            raise wrong_password()


def _prove(sign_in: SignIn, req: falcon.Request, seen: dict[str, Any]) -> Proof:
    given = req.context.body["current_password"]
    return sign_in.prove_present(seen, given, client.client_ip(req), client.language(req))


def _change_secrets(
    conn: Conn, proof: Proof, before: dict[str, Any], after: dict[str, Any], password: str | None
) -> None:
    """Set a new address, then a new password, which ends the proof; both end other sessions."""
    good = True
    if after["email"].lower() != before["email"].lower():
        good = sessions.change_email(conn, after["email"], proof.hash)
    if good and password is not None:
        good = sessions.change_password(conn, password, proof.hash)
    if not good:
        raise wrong_password()


class UploadAvatar:
    """/api/users/upload-avatar"""

    def __init__(self, db: Database, files: storage.Storage) -> None:
        self.db = db
        self.files = files

    @operation(
        "uploadAvatar",
        "Set the caller's avatar",
        parts=AVATAR,
        responses={200: schemas.AVATAR_ANSWER},
        problems=("picture_refused", "too_many_requests"),
        idempotent=True,
        rate="upload",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Store the image of part `avatar` in its sizes; the previous one is removed."""
        caller = req.context.caller
        _, made = uploads.read(req, AVATAR, count=1)
        if not made:
            raise invalid("/avatar", "required", "is the part for the image")
        picture = made[0].image
        images.save(self.files, [picture])
        avatar = image_json.as_json(picture)
        with idempotency.transaction(self.db, req, resp) as conn:
            images.hold(conn, self.files, [picture])
            users.change_avatar(conn, caller.user_id, orjson.dumps(avatar).decode())
            activities.record(conn, client.client(req), "upload_avatar")
            resp.media = {"avatar": avatar}


class Avatar:
    """/api/users/avatar"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "deleteAvatar", "Remove the caller's avatar", responses={204: None}, conditional=True
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Remove the caller's avatar; a missing one is no error."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            etags.require(req, users.hold(conn, caller.user_id))
            if users.change_avatar(conn, caller.user_id, None) is not None:
                activities.record(conn, client.client(req), "delete_avatar")
        resp.status = falcon.HTTP_204


class Users:
    """/api/users"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listUsers",
        "Find users",
        roles=("admin",),
        query={**schemas.SEARCH, **pages.QUERY},
        responses={200: pages.listed("users", schemas.PROFILE)},
        problems=("invalid_cursor", "page_too_deep"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return users, newest first, by part of the name or address, role, and
        whether suspended.
        """
        query = req.context.query
        filters = {name: query.get(name) for name in ("search", "role", "suspended")}
        window = paging.window(req, query, depth=pages.SHALLOW_DEPTH)
        with self.db.transaction(req.context.caller) as conn:
            rows = users.search(
                conn,
                **filters,
                after_id=window.after[0] if window.after else None,
                limit=window.limit,
                offset=window.offset,
            )
            total = pages.capped(window, lambda cap: users.count(conn, **filters, limit=cap))
        paging.respond_rows(req, resp, "users", rows, window, total, keys=("id",))


class User:
    """/api/users/{user_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getUser",
        "One user",
        roles=("admin",),
        responses={200: schemas.PROFILE},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, user_id: int) -> None:
        """Return a user."""
        with self.db.transaction(req.context.caller) as conn:
            resp.media = _found(users.find(conn, user_id))

    @operation(
        "updateUser",
        "Change a user's role, or suspend them",
        roles=("admin",),
        body=schemas.MANAGE,
        partial=True,
        responses={200: schemas.PROFILE},
        problems=("not_found",),
        conditional=True,
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, user_id: int) -> None:
        """Set `role` (buyer or seller) or `suspended`; both take effect at the
        user's next request.
        """
        body, caller = req.context.body, req.context.caller
        if user_id == caller.user_id:
            raise Problem("forbidden", "Admins do not change their own role or suspend themselves.")
        with self.db.transaction(caller) as conn:
            user = _found(users.find(conn, user_id))
            etags.require(req, users.hold(conn, user_id))
            users.manage(conn, user_id, role=body.get("role"), suspended=body.get("suspended"))
            activities.record(
                conn,
                client.client(req),
                "manage_user",
                related=("user", user_id, user["name"]),
                details=body,
            )
            resp.media = users.find(conn, user_id)


def _found(user: dict[str, Any] | None) -> dict[str, Any]:
    if user is None:
        raise Problem("not_found", "There is no such user.")
    return user
