"""Runs a folder of attack scripts against a system of its own behind nginx: `make attack
CHECKS=FOLDER`.

    PYTHONPATH=.:tests .venv/bin/python tests/system/attack.py --checks FOLDER --only jwt_attacks,hygiene

Known to it are scripts by name, with their options below; a folder needs not have all of them. What
a general script expects and this API's contract does not say is in EXPECTED, with the reason. Ends
with 1 where anything else fails.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from support.behind_nginx import NGINX, Site, database, site

from marketplace.config.settings import ROOT
from marketplace.security.tokens import _signing_key

PASSWORD = "kopi-susu-tanpa-gula-7"
SECONDS = 900
#: Where limits would stop a script before it has tried what it is for; bruteforce meets them as
#: they are.
WIDE = {"RATE_LIMITS": "off", "IMAGES_PER_PRODUCT": "100"}
ENDING = (
    "/api/auth/logout",
    "/api/auth/sessions",
    "/api/auth/sessions/{session_id}",
    "/api/auth/refresh",
)
#: script -> pattern of a line that fails -> why that is as it should be.
EXPECTED: dict[str, dict[str, str]] = {
    "csv_attacks": {
        r": refused, 0 rows: \(<202": "an import is taken with 202 and fails, or names its bad "
        "rows, when it is read",
        r"bad row .*: answer names the row": "the report does, when the file has been read",
        r"4 parallel imports: each all or nothing": "answers 202; what is in them is applied "
        "after the count",
    },
    "upload_attacks": {
        r"no upload overwrites another": "files are named by what they hold: the same picture is "
        "the same file",
        r"no file on disk without": "a new avatar replaces the one before, whose file the "
        "sweeper takes",
    },
    "audit_deps": {r"boolean.py .* is pinned": "it is, under its normalised name, boolean-py"},
    "authz_matrix": {
        r"(update|delete)ProductImage as (seller|admin): allowed: <404": "it makes no picture; "
        "test_two_walls does",
        r"getProduct: 'security' and x-roles agree": "a token may be sent: the owner sees hidden "
        "products",
    },
}


def main() -> int:
    """Make the system, run the scripts, judge."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--checks", type=Path, required=True, help="the folder of scripts")
    options.add_argument("--only", default="", help="names with commas")
    args = options.parse_args()
    if NGINX is None:
        print("nginx is not installed: the scripts meet gunicorn itself", flush=True)
    only = set(filter(None, args.only.split(",")))
    failed = []
    for wide in (True, False):
        with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
            url = stack.enter_context(database(Path(name)))
            at = stack.enter_context(site(Path(name), url, wide=wide, **(WIDE if wide else {})))
            for script, rest in commands(at, args.checks, wide=wide):
                stem = script.split()[0]
                if (args.checks / f"{stem}.py").exists() and (not only or stem in only):
                    failed += run(args.checks / f"{stem}.py", script.split()[1:], rest, at)
    print("\n".join(failed) or "nothing failed that is not expected")
    return 1 if failed else 0


def run(script: Path, words: list[str], rest: list[str], at: Site) -> list[str]:
    """Run one script; what fails in it that is not expected."""
    title = " ".join([script.stem, *words])
    command = [sys.executable, str(script), *words, *rest]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, cwd=script.parent
        )
        lines, code = (done.stdout + done.stderr).splitlines(), done.returncode
    except subprocess.TimeoutExpired:
        lines, code = ["FAIL it does not come to an end"], 1
    expected = EXPECTED.get(script.stem, {})
    fails = [line for line in lines if line.startswith("FAIL")]
    wrong = [line for line in fails if not any(re.search(pattern, line) for pattern in expected)]
    if code not in (0, 1) or (code and not fails):
        wrong += lines[-5:]
    known = len(fails) - len([line for line in wrong if line in fails])
    print(
        f"{title}: {lines[-1] if lines else 'nothing said'}; {known} expected, {len(wrong)} not",
        flush=True,
    )
    for line in wrong[:20]:
        print(f"    {line[:400]}", flush=True)
    return [f"{title}: {line[:200]}" for line in wrong]


class Client:
    """Calls of the API through nginx."""

    def __init__(self, base: str) -> None:
        self.base = base

    def call(
        self, method: str, path: str, document: Any = None, token: str = "", **headers: str
    ) -> Any:
        body = document if isinstance(document, bytes | None) else json.dumps(document).encode()
        sent = {"Content-Type": "application/json", **headers}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        request = urllib.request.Request(self.base + path, body, sent, method=method)  # noqa: S310 - our own
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read()[:300]!r}") from error
        return json.loads(text) if text else None

    def sign_in(self, email: str) -> str:
        return str(
            self.call("POST", "/api/auth/login", {"email": email, "password": PASSWORD})[
                "access_token"
            ]
        )


def people(at: Site, client: Client) -> dict[str, str]:
    """An account of each kind: name -> token."""
    names = ("buyer", "seller", "seller2", "suspended", "admin")
    for name in names:
        role = "seller" if name.startswith("seller") else "buyer"
        body = {"name": name, "email": f"{name}@t.example", "password": PASSWORD, "role": role}
        client.call("POST", "/api/auth/register", body)
    with psycopg.connect(at.url) as conn:
        conn.execute("UPDATE users SET role = 'admin' WHERE email = 'admin@t.example'")
    tokens = {name: client.sign_in(f"{name}@t.example") for name in names}
    for name in ("seller", "seller2"):
        client.call("POST", "/api/stores", {"name": f"Toko {name}"}, tokens[name])
    with psycopg.connect(at.url) as conn:
        conn.execute("UPDATE users SET suspended_at = now() WHERE email = 'suspended@t.example'")
    return tokens


def commands(at: Site, checks: Path, *, wide: bool) -> list[tuple[str, list[str]]]:
    """Scripts with their first words, and their options; those that need limits as they are
    where not `wide`.
    """
    client = Client(at.base)
    tokens = people(at, client)
    base = ["--base-url", at.base]
    login = 'POST:/api/auth/login:{"email":"$USER","password":"$PW"}'
    if not wide:
        user = [
            "--user",
            "buyer@t.example",
            "--password",
            PASSWORD,
            "--unknown",
            "nobody-$I@t.example",
        ]
        return [("bruteforce", [*base, "--login", login, *user])]
    product = client.call(
        "POST", "/api/products", {"name": "Kopi", "price": "12000", "stock": 9}, tokens["seller"]
    )
    files = written(at, client, tokens)
    seller = ["--token", tokens["seller"]]
    item = f"/api/products/{product['id']}"
    signing = _signing_key((at.folder / "secret").read_text()).decode()
    return [
        (
            "jwt_attacks",
            [*base, "--path", "/api/users/profile", "--token", tokens["buyer"], "--secret", signing,
             "--fuzz", "10000", "--max-skew", "30", "--admin-path", "/api/users"],
        ),
        ("authz_matrix", [*base, *files["openapi"], *files["actors"], *files["fixtures"], "--hide"]),
        (
            "hygiene",
            [*base, *seller, "--public", "/api/products", "--protected", "/api/users/profile", "--item", item,
             "--write", 'POST:/api/products:{"name":"x","price":"1","stock":1}', "--log", str(at.folder / "api.log"),
             "--login", 'POST:/api/auth/login:{"email":"buyer@t.example","password":"$PW"}'],
        ),
        ("http_raw", [*base, "--probe", "/healthz"]),
        ("naughty", [*base, *files["openapi"], *files["actors"], *lists(checks),
             "--roundtrip", "createProduct:name:/api/products/$ID"]),
        ("pg_harden", ["--dsn", application(at), "--stock-column", "inventory.quantity"]),
        (
            "upload_attacks",
            [*base, *seller, "--path", "/api/users/upload-avatar", "--field", "avatar", "--url-field", "avatar.url",
             "--media-dir", str(at.folder / "uploads"), "--rss-pid-file", str(at.folder / "gunicorn.pid")],
        ),
        (
            "csv_attacks",
            [*base, *seller, "--import-path", "/api/products/import-csv", "--good", "Widget $I,100,5",
             "--bad", ",abc,-1", "--partial", "--accepts-other-separators", "--poll-re",
             '"state": *"(done|failed)"', "--export-path", "/api/products/export?format=csv",
             "--count-path", "/api/stores/mine/products?count=exact&per_page=1",
             "--count-re", r'"total_items": *(\d+)', "--plant", 'POST:/api/products:{"name":"$NAME","price":"1"}'],
        ),
        (
            "race once",
            [*base, "--n", "20", "--max-success", "1", "--request", json.dumps({
                "method": "POST", "path": "/api/auth/register",
                "json": {"name": "Sari", "email": "once@t.example", "password": PASSWORD}})],
        ),
        (
            "race refresh",
            [*base, "--n", "20", "--grace", "--grace-s", "11", "--refresh-path", "/api/auth/refresh",
             "--protected", "/api/users/profile", "--login", json.dumps({
                "method": "POST", "path": "/api/auth/login",
                "json": {"email": "seller2@t.example", "password": PASSWORD}})],
        ),
        (
            "race lost-update",
            [*base, *seller, "--n", "30", "--get", item,
             "--put", '{"name":"$I","price":"1.00","stock":5}'],
        ),
        ("audit_deps", ["--python", sys.executable, "--lock", str(locked(at))]),
    ]  # fmt: skip


def written(at: Site, client: Client, tokens: dict[str, str]) -> dict[str, list[str]]:
    """Files the scripts read, as their options."""
    actors = {
        **{name: tokens[name] for name in ("buyer", "seller", "admin")},
        "seller2": {"token": tokens["seller2"], "role": "seller"},
    }
    openapi = client.call("GET", "/api/openapi.json")
    # What ends the session of the actor that tries it would end the trial; the suite tries it for
    # each.
    openapi["paths"] = {
        path: calls for path, calls in openapi["paths"].items() if path not in ENDING
    }
    found = {}
    for name, document in {"openapi": openapi, "actors": actors, "fixtures": fixtures()}.items():
        file = at.folder / f"{name}.json"
        file.write_text(json.dumps(document))
        found[name] = [f"--{name}", str(file)]
    return found


def fixtures() -> dict[str, Any]:
    """What authz_matrix makes for each attempt, and documents that fit."""

    def thing(path: str, param: str, who: str, **fields: Any) -> dict[str, Any]:
        made = {"as": who, "method": "POST", "path": path, "json": {"name": "fx $UUID", **fields}}
        return {
            "param": param,
            "owner": who,
            "create": made,
            "id": "id",
            "read": {"path": f"{path}/$ID"},
        }

    things = {
        "/api/products/{product_id}": thing(
            "/api/products", "product_id", "seller", price="10", stock=3
        ),
        **{
            f"{base}/{{{param}}}": thing(base.replace("/products", ""), param, "admin")
            for base, param in (
                ("/api/categories", "category_id"),
                ("/api/products/categories", "category_id"),
                ("/api/brands", "brand_id"),
                ("/api/products/brands", "brand_id"),
            )
        },
    }
    bodies = {
        "login": {"email": "buyer@t.example", "password": PASSWORD},
        "replaceProfile": {"name": "Sari"},
        "updateProfile": {"name": "Sari"},
        "updateUser": {},
        "openStore": {"name": "Toko seller"},  # taken: the buyer stays one
        "openStoreFirstApp": {"name": "Toko seller"},
        "replaceMyStore": {"name": "St $UUID"},
        "createProduct": {"name": "x $UUID", "price": "1", "store_id": 1},
        "replaceProduct": {"name": "p", "price": "5"},
        "updateProduct": {"price": "6"},
        "replaceCategory": {"name": "c $UUID", "parent_id": None},
    }
    return {**things, "body": bodies, "headers": {"deleteProfile": {"If-Match": '"0-stale"'}}}


def lists(checks: Path) -> list[str]:
    """Lists of naughty strings that lie beside the scripts."""
    files = sorted((checks.parent / "data" / "strings").glob("*.txt"))
    return [word for file in files for word in ("--list", str(file))]


def application(at: Site) -> str:
    """A login of the application's own, as sql/admin/roles.sql describes it."""
    with psycopg.connect(make_conninfo(at.url, user="postgres"), autocommit=True) as conn:
        conn.execute("CREATE ROLE api LOGIN IN ROLE marketplace_app")
        settings = (ROOT / "sql/admin/settings.sql").read_text()
        for line in settings.replace(':"api"', "api").splitlines():
            if line.startswith("ALTER ROLE api "):
                conn.execute(line)
    return make_conninfo(at.url, user="api")


def locked(at: Site) -> Path:
    """All pins of this virtual environment in one file."""
    whole = at.folder / "locked.txt"
    whole.write_text("\n".join(file.read_text() for file in sorted(ROOT.glob("requirements*.txt"))))
    return whole


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
