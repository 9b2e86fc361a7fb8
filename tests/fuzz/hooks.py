"""What schemathesis is told beside the document: how each role signs in, and where its own idea of strictness ends.

FUZZ_ROLE is guest, buyer, seller or admin; an admin's address and password stand in FUZZ_ADMIN, with a colon between.
"""

import json
import os
import secrets
import time
import urllib.error
import urllib.request
from typing import Any

import schemathesis

ROLE = os.environ.get("FUZZ_ROLE", "buyer")
URL = os.environ.get("FUZZ_URL", "http://127.0.0.1:8000")
PASSWORD = "kopi-susu-tanpa-gula-7"


def call(method: str, path: str, body: Any = None, token: str | None = None) -> Any:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)  # noqa: S310 - http only
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - http only
        return json.loads(answer.read() or b"null")


def sign_in() -> str:
    """An account that nobody has played with yet; admins are made on the command line."""
    if ROLE == "admin":
        email, _, password = os.environ["FUZZ_ADMIN"].partition(":")
        return str(call("POST", "/api/auth/login", {"email": email, "password": password})["access_token"])
    tag = secrets.token_hex(8)
    account = {"name": f"Sari {tag}", "email": f"{tag}@example.com", "password": PASSWORD, "role": ROLE}
    token = str(call("POST", "/api/auth/register", account)["access_token"])
    if ROLE == "seller":
        call("POST", "/api/stores", {"name": f"Toko {tag}"}, token)
    return token


if ROLE != "guest":

    @schemathesis.auth(refresh_interval=None)
    class Session:
        """A token that is alive: the calls that are tried out end sessions, too."""

        token: str | None = None
        looked_at = 0.0

        def get(self, case: Any, context: Any) -> str | None:
            if time.monotonic() - Session.looked_at > 0.5:
                try:
                    call("GET", "/api/auth/sessions", token=Session.token)
                except urllib.error.HTTPError:
                    Session.token = sign_in()
                Session.looked_at = time.monotonic()
            return Session.token

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """A field that takes more than its type (`x-also-accepts`) is not too lenient when it does; a tag is a tag."""
    widen(raw_schema)
    for name in ("IfMatch", "IfNoneMatch"):
        raw_schema["components"]["parameters"][name]["schema"]["format"] = "_if_match_header"


def widen(node: Any) -> None:
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        widen(value)
    if isinstance(node, dict) and "x-also-accepts" in node:
        other = node.pop("x-also-accepts")
        narrow = dict(node)
        node.clear()
        node["anyOf"] = [narrow, other]
