"""What somebody who smuggles in a statement can do: run as the application's login, beside the code.

Each statement is tried by a login that is a member of marketplace_app and of nothing else, as nobody or through a
session of a buyer or seller of the intruder's own. It must be refused for want of a right, or touch and show nothing.
Most are run by the owner of the tables, too, who may: so no statement is refused for being badly written.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest
from conftest import Api, created, make_config
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from support.images import picture
from support.injected_trade import TRADE, sold

from marketplace.postgres.database import Database

NOBODY, BUYER, SELLER = "nobody", "buyer", "seller"
#: What a refusal may be: no right, no session, nothing of that name left to call.
REFUSALS = ("42501", "28000", "42883")


class Try(NamedTuple):
    """A statement and who tries it. `owner` tells whether the owner of the tables gets something from it."""

    name: str
    who: str
    statement: str
    owner: bool = True


def each(who: tuple[str, ...], name: str, statement: str, owner: bool = True) -> list[Try]:
    return [Try(name, one, statement, owner) for one in who]


ALL, SIGNED_IN = (NOBODY, BUYER, SELLER), (BUYER, SELLER)
TRIES = [
    # Secrets
    *each(ALL, "read hashes of passwords", "SELECT password_hash FROM auth.credentials"),
    *each(ALL, "read sessions", "SELECT secret_hash FROM auth.sessions"),
    *each(ALL, "read refresh tokens", "SELECT token_hash FROM auth.refresh_tokens"),
    *each(ALL, "read codes of mails", "SELECT token_hash FROM auth.mailed_tokens"),
    *each(ALL, "read counts of attempts", "SELECT key FROM auth.guesses"),
    *each(ALL, "read arguments of jobs", "SELECT args FROM jobs.procrastinate_jobs"),
    *each(ALL, "read people", "SELECT email FROM users WHERE id = %(victim)s"),
    *each(ALL, "read activities of others", "SELECT id FROM activities WHERE user_id = %(victim)s"),
    *each(ALL, "read imports of others", "SELECT id FROM imports WHERE store_id = %(their_store)s"),
    *each(ALL, "read bad rows of others", "SELECT line FROM import_errors WHERE import_id = %(their_import)s"),
    *each(ALL, "read rows on their way", "SELECT line FROM import_rows", owner=False),
    *each(ALL, "read the trail of others", "SELECT id FROM audit WHERE store_id = %(their_store)s"),
    *each(ALL, "read kept answers", "SELECT body FROM idempotency_keys WHERE user_id = %(victim)s"),
    # The door
    *each(ALL, "have a hash by the old door",
          "SELECT password_hash FROM auth.begin_guess(%(email)s, NULL) WHERE password_hash IS NOT NULL", owner=False),
    *each(ALL, "have a hash by a function", "SELECT password_hash FROM auth.find_password(%(email)s)", owner=False),
    *each(ALL, "sign in without a password",
          "SELECT auth.open_session(%(victim)s, sha256('a'), sha256('b'), 60, NULL, NULL, NULL)", owner=False),
    *each(ALL, "sign in with the salt alone",
          "SELECT s.id FROM auth.begin_attempt(%(email)s, NULL) AS b CROSS JOIN LATERAL auth.open_session("
          "%(victim)s, b.salt, sha256('a'), sha256('b'), 60, NULL, NULL, NULL) AS s (id) WHERE s.id IS NOT NULL",
          owner=False),
    *each(ALL, "call an attempt right",
          "SELECT FROM auth.begin_attempt(%(email)s, NULL) AS b"
          " CROSS JOIN LATERAL auth.settle_attempt(b.ticket, b.salt) AS s WHERE s.outcome = 'right'", owner=False),
    *each(ALL, "forgive what was tried", "SELECT auth.end_guess(sha256('account ' || %(email)s::bytea), true)",
          owner=False),
    *each(ALL, "put a hash of one's own in the place of a weaker one",
          "SELECT auth.rehash(c.user_id, c.password_hash, 'mine') FROM auth.credentials AS c"),
    *each(ALL, "refresh a session of another", "SELECT FROM auth.refresh(sha256('x'), sha256('y'), 60, 0, NULL)"
          " WHERE outcome <> 'unknown'", owner=False),
    *each(ALL, "set a password by a code", "SELECT auth.reset_password(token_hash, 'mine') FROM auth.mailed_tokens"),
    *each(ALL, "shut an address out for years", "SELECT auth.take('wrong-password address 192.0.2.1', 1e9, 1)",
          owner=False),
    *each(ALL, "shut a user out for years", "SELECT auth.take('write user ' || %(victim)s, 1e9, 1)", owner=False),
    *each(ALL, "use up a limit under another's function",
          "SELECT auth.use_limit('write user ' || %(victim)s, 1e9, 1)"),
    *each(ALL, "have a code for a mail", "SELECT auth.mail_token(%(email)s, 'reset', sha256('x'), 600)"),
    *each(SIGNED_IN, "act as the owner of an import", "SELECT auth.act_for_import(%(their_import)s)"),
    *each(SIGNED_IN, "set one's password without the present one", "SELECT auth.change_password('mine')", owner=False),
    *each(SIGNED_IN, "set one's password with a guess", "SELECT 1 WHERE auth.change_password('mine', 'guess')",
          owner=False),
    *each(SIGNED_IN, "set one's address without the password",
          "UPDATE users SET email = 'thief@example.com' WHERE id = %(me)s"),
    *each(SIGNED_IN, "set one's address with a guess",
          "SELECT 1 WHERE auth.change_email('thief@example.com', 'guess')", owner=False),
    *each(SIGNED_IN, "confirm one's own address", "UPDATE users SET email_verified_at = now() WHERE id = %(me)s"),
    *each(SIGNED_IN, "delete one's account without the password", "SELECT auth.forget_me()", owner=False),
    *each(SIGNED_IN, "delete one's account by the inner function", "SELECT auth.forget_caller()"),
    *each(SIGNED_IN, "be an admin", "UPDATE users SET role = 'admin' WHERE id = %(me)s"),
    *each(SIGNED_IN, "make somebody an admin", "SELECT auth.manage_user(%(me)s, 'admin', NULL)", owner=False),
    *each(SIGNED_IN, "suspend a user", "SELECT auth.manage_user(%(victim)s, NULL, true)", owner=False),
    *each(SIGNED_IN, "end a session of another",
          "SELECT 1 WHERE auth.end_session(%(victim_session)s)", owner=False),
    *each(ALL, "open the old doors again", "UPDATE auth.old_doors SET closes_at = now() + interval '1 day'"),
    # Products and all that hangs on them
    *each(ALL, "change a product", "UPDATE products SET price = 1 WHERE id = %(theirs)s"),
    *each((SELLER,), "take a product", "UPDATE products SET store_id = %(store)s WHERE id = %(theirs)s"),
    *each((SELLER,), "give a product away", "UPDATE products SET store_id = %(their_store)s WHERE id = %(mine)s"),
    *each(ALL, "add a product to another's store",
          "INSERT INTO products (store_id, name, price, in_stock) VALUES (%(their_store)s, 'x', 1, false)"),
    *each(ALL, "delete a product", "DELETE FROM products WHERE id = %(theirs)s", owner=False),
    *each(ALL, "change stock", "UPDATE inventory SET quantity = 0 WHERE product_id = %(theirs)s"),
    *each((SELLER,), "take stock", "UPDATE inventory SET product_id = %(bare)s WHERE product_id = %(theirs)s",
          owner=False),
    *each(ALL, "delete pictures", "DELETE FROM product_images WHERE product_id = %(theirs)s", owner=False),
    *each((SELLER,), "take a picture",
          "UPDATE product_images SET product_id = %(mine)s, is_main = false WHERE product_id = %(theirs)s"),
    *each(ALL, "change a document", "UPDATE product_documents SET document = '' WHERE product_id = %(theirs)s"),
    *each((SELLER,), "take a document",
          "UPDATE product_documents SET product_id = %(bare)s WHERE product_id = %(theirs)s", owner=False),
    *each(ALL, "delete a document", "DELETE FROM product_documents WHERE product_id = %(theirs)s"),
    *each(ALL, "delete the words of a product", "DELETE FROM product_search WHERE product_id = %(theirs)s"),
    *each((NOBODY, BUYER), "delete all words of all products", "DELETE FROM product_search"),
    *each(ALL, "change the words of a product",
          "UPDATE product_search SET words = '' WHERE product_id = %(theirs)s"),
    *each(ALL, "take a product out of its category",
          "DELETE FROM product_categories WHERE product_id = %(theirs)s"),
    *each(ALL, "put a product into a category",
          "INSERT INTO product_categories SELECT %(theirs)s, max(id), now(), 1, 'x', true FROM categories"),
    *each((NOBODY, BUYER), "add a word to the catalogue", "INSERT INTO search_words (word) VALUES ('zyzzyva')"),
    *each(ALL, "delete words of the catalogue", "DELETE FROM search_words"),
    # Stores, the tree, brands
    *each(ALL, "rename a store", "UPDATE stores SET name = 'mine' WHERE id = %(their_store)s"),
    *each((SELLER,), "take a store", "UPDATE stores SET owner_id = %(me)s WHERE id = %(their_store)s", owner=False),
    *each((SELLER,), "give a store away", "UPDATE stores SET owner_id = %(victim)s WHERE id = %(store)s", owner=False),
    *each(ALL, "open a store for another", "INSERT INTO stores (owner_id, name) VALUES (%(stranger)s, 'theirs')"),
    *each((NOBODY, BUYER), "add a category", "INSERT INTO categories (id, path, name) OVERRIDING SYSTEM VALUE"
          " SELECT n, ARRAY[n], 'x' FROM nextval('categories_id_seq') AS n"),
    *each(ALL, "rename categories", "UPDATE categories SET name = name || 'x'"),
    *each((SELLER,), "add a category on another's path",
          "INSERT INTO categories (id, parent_id, path, name) OVERRIDING SYSTEM VALUE"
          " SELECT 900, min(id), ARRAY[max(id), 900], 'x' FROM categories", owner=False),
    *each(ALL, "rename brands", "UPDATE brands SET name = name || 'x'"),
    *each((NOBODY, BUYER), "add a brand", "INSERT INTO brands (name) VALUES ('Brand of nobody')"),
    # Imports, logs, the trail, the feed, the queue
    *each((SELLER,), "import in another's name",
          "INSERT INTO imports (store_id, user_id, file_key, file_bytes)"
          " VALUES (%(store)s, %(victim)s, 'imports/x', 1)"),
    *each((SELLER,), "import into another's store",
          "INSERT INTO imports (store_id, user_id, file_key, file_bytes)"
          " VALUES (%(their_store)s, %(me)s, 'imports/x', 1)"),
    *each((SELLER,), "import through another's session",
          "INSERT INTO imports (store_id, user_id, session_id, file_key, file_bytes)"
          " VALUES (%(store)s, %(me)s, %(their_session)s, 'imports/x', 1)"),
    *each((SELLER,), "put another's session into one's import",
          "UPDATE imports SET session_id = %(their_session)s WHERE id = %(import)s"),
    *each((SELLER,), "cancel an import of another",
          "UPDATE imports SET state = 'cancelled' WHERE id = %(their_import)s"),
    *each(ALL, "say that another did something", "INSERT INTO activities (user_id, type) VALUES (%(victim)s, 'login')"),
    *each(SIGNED_IN, "say that one did something long ago",
          "INSERT INTO activities (user_id, type, created_at) VALUES (%(me)s, 'login', now() - interval '1 hour')",
          owner=False),
    *each(SIGNED_IN, "take back what one did", "DELETE FROM activities WHERE user_id = %(me)s", owner=False),
    *each(ALL, "add to the trail", "INSERT INTO audit (action, type) VALUES ('create', 'product')"),
    *each(ALL, "change the trail", "UPDATE audit SET user_id = NULL", owner=False),
    *each(ALL, "keep an answer for another",
          "INSERT INTO idempotency_keys (user_id, key, fingerprint, status, body)"
          " VALUES (%(victim)s, 'x', '', 200, '')"),
    *each(ALL, "hide a change from the feed", "DELETE FROM changes"),
    *each(ALL, "begin the feed anew", "SELECT restart_change_feed()"),
    *each((NOBODY,), "put a job into the queue",
          "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, args) VALUES ('quick', 'forget_user', '{}')",
          owner=False),
    *each((NOBODY,), "have the worker work", "SELECT jobs.procrastinate_defer_jobs_v1(ARRAY[ROW('quick', 'x', 0, NULL,"
          " NULL, '{}'::jsonb, NULL)::jobs.procrastinate_job_to_defer_v1])", owner=False),
    *each(ALL, "take jobs out of the queue", "DELETE FROM jobs.procrastinate_jobs", owner=False),
    *each(ALL, "forget a user", "SELECT auth.forget_things(%(victim)s, 10)"),
    *each(ALL, "close a store", "SELECT auth.close_store(%(their_store)s, 10)"),
    # The server
    *each(ALL, "make a table", "CREATE TABLE mine (x int)", owner=False),
    *each(ALL, "make a temporary table", "CREATE TEMPORARY TABLE mine (x int)", owner=False),
    *each(ALL, "be the owner", "SET ROLE marketplace_worker", owner=False),
    *each(ALL, "step around policies", "SET row_security = off; SELECT id FROM users WHERE id = %(victim)s"),
    *each(ALL, "read a file", "SELECT pg_read_file('/etc/passwd')", owner=False),
    *each(ALL, "run a program", "COPY (SELECT 1) TO PROGRAM 'true'", owner=False),
    *each(ALL, "switch triggers off", "SET session_replication_role = replica", owner=False),
    *each(ALL, "empty a table", "TRUNCATE products CASCADE", owner=False),
    # Trade
    *(one for name, statement, owner in TRADE for one in each(ALL, name, statement, owner)),
]  # fmt: skip


class Scene(NamedTuple):
    """A login of the application's on a shop with a victim, and what the statements need to name."""

    url: str
    owner_url: str
    values: dict[str, Any]
    hashes: dict[str, bytes | None]


@pytest.fixture(scope="module")
def scene(
    owner_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("injected")
    with created(owner_url, f"{template}_injected", template) as url:
        database = Database(make_config(url, folder))
        api = Api(make_config(url, folder), database, url)
        with a_login_of_the_application(url) as login:
            yield set_up(api, login)
        database.close()


@contextmanager
def a_login_of_the_application(url: str) -> Iterator[str]:
    """As an operator sets it up: a member of marketplace_app, owner of nothing."""
    name, password = f"api_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}' IN ROLE marketplace_app")
        try:
            yield make_conninfo("", **{**conninfo_to_dict(url), "user": name, "password": password})
        finally:
            conn.execute(f"DROP ROLE {name}")


def set_up(api: Api, login: str) -> Scene:
    victim, intruder, buyer, stranger = api.seller(), api.seller(), api.buyer(), api.buyer()
    admin = api.admin()
    tree = api.post("/api/categories", admin, json={"name": "Minuman"}).json["id"]
    api.post("/api/categories", admin, json={"name": "Makanan"})
    theirs = api.product(victim, category_id=tree, brand="Gayo", sku="K1", description="Enak")["id"]
    mine, bare = api.product(intruder, sku="K2")["id"], api.product(intruder, name="Teh")["id"]
    for user, product in ((victim, theirs), (intruder, mine)):
        assert (
            api.upload(
                f"/api/products/{product}/images", user, [("images", "a.png", picture())]
            ).status_code
            == 201
        )
    api.post("/api/auth/login", json={"email": victim.email, "password": "wrong"})
    api.post("/api/auth/forgot-password", json={"email": victim.email})
    api.post(
        "/api/products",
        victim,
        json={"name": "x", "price": "1"},
        headers={"Idempotency-Key": "key-of-the-victim"},
    )
    sent = [
        api.post(
            "/api/products/import-csv",
            user,
            body=b"name,price\nKopi,1\n",
            headers={"Content-Type": "text/csv"},
        )
        for user in (victim, intruder)
    ]
    hashes = {BUYER: secrets.token_bytes(32), SELLER: secrets.token_bytes(32)}
    with psycopg.connect(api.owner_url) as conn:
        for who, user in ((BUYER, buyer), (SELLER, intruder)):
            conn.execute(
                "INSERT INTO auth.sessions (user_id, secret_hash, expires_at) VALUES (%s, %s, now() + interval '1 day')",
                [user.id, hashes[who]],
            )
        conn.execute("DELETE FROM inventory WHERE product_id = %s", [bare])
        conn.execute("DELETE FROM product_documents WHERE product_id = %s", [bare])
        conn.execute(
            "INSERT INTO import_errors (import_id, line, number, code, message) VALUES (%s, 2, 1, 'x', 'x')",
            [sent[0].json["id"]],
        )
        conn.execute(
            "INSERT INTO auth.mailed_tokens (token_hash, user_id, kind, email, expires_at)"
            " VALUES (sha256('code'), %s, 'reset', %s, now() + interval '1 hour')",
            [victim.id, victim.email],
        )
        trade = sold(conn, victim, stranger, theirs)
        conn.execute("SELECT settle_database()")
        open_ = "SELECT id FROM auth.sessions WHERE user_id = %s AND kind = 'device'"
        device = conn.execute(open_, [victim.id]).fetchone()
        session = conn.execute(
            "SELECT session_id FROM imports WHERE id = %s", [sent[0].json["id"]]
        ).fetchone()
    values = trade | {
        "victim": victim.id, "email": victim.email, "their_store": victim.store_id, "theirs": theirs, "store": intruder.store_id,
        "mine": mine, "bare": bare, "stranger": stranger.id, "their_import": sent[0].json["id"], "import": sent[1].json["id"],
        "their_session": session[0] if session else None, "victim_session": device[0] if device else None, BUYER: buyer.id, SELLER: intruder.id, NOBODY: intruder.id,
    }  # fmt: skip
    return Scene(login, api.owner_url, values, {NOBODY: None, **hashes})


def taken(url: str, at: Scene, one: Try, act: bool = True) -> int:
    """How many rows the statement touches or shows, rolled back. Raises psycopg.Error where it is refused."""
    with psycopg.connect(url, row_factory=dict_row, cursor_factory=psycopg.ClientCursor) as conn:
        if act and at.hashes[one.who] is not None:
            conn.execute("SELECT FROM auth.act_as(%s::bytea)", [at.hashes[one.who]])
        cursor = conn.execute(one.statement, {**at.values, "me": at.values[one.who]})
        while cursor.nextset():
            pass
        found = max(cursor.rowcount, 0)
        if cursor.description is None and not cursor.statusmessage.startswith(
            ("UPDATE", "DELETE", "INSERT")
        ):
            found = 1  # it has been done
        conn.rollback()
        return found


def test_the_kit_is_large_enough():
    assert len({one.name for one in TRIES}) >= 100


@pytest.mark.parametrize("one", TRIES, ids=lambda one: f"{one.who}: {one.name}")
def test_a_statement_that_was_smuggled_in_gets_nothing(scene: Scene, one: Try):
    refused = ""
    try:
        found = taken(scene.url, scene, one)
    except psycopg.Error as error:
        found, refused = 0, f"{error.sqlstate} {error}"
    assert found == 0
    assert not refused or refused.startswith(REFUSALS)


@pytest.mark.parametrize(
    "one", [one for one in TRIES if one.owner], ids=lambda one: f"{one.who}: {one.name}"
)
def test_the_same_statement_would_do_something(scene: Scene, one: Try):
    assert taken(scene.owner_url, scene, one, act=False) > 0


def test_no_function_with_the_owners_rights_is_everybodys(api: Api):
    rows = api.db.conn.execute(
        """
        SELECT p.oid::regprocedure::text AS what
        FROM pg_proc AS p
        WHERE p.prosecdef AND p.pronamespace IN ('public'::regnamespace, 'auth'::regnamespace, 'jobs'::regnamespace)
            AND p.prorettype <> 'trigger'::regtype
            AND has_function_privilege('public', p.oid, 'EXECUTE')
        UNION ALL
        SELECT 'auth: ' || p.oid::regprocedure::text FROM pg_proc AS p
        WHERE p.pronamespace = 'auth'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE')
        """
    ).fetchall()
    assert [row["what"] for row in rows] == []


def test_every_function_of_the_door_is_one_that_the_code_calls(api: Api):
    """What nobody calls is a gate that nobody watches."""
    from marketplace.postgres.statements import QUERIES

    code = "\n".join(file.read_text() for file in QUERIES.glob("*.sql"))
    rows = api.db.conn.execute(
        "SELECT DISTINCT p.proname AS name FROM pg_proc AS p WHERE p.pronamespace = 'auth'::regnamespace"
        " AND has_function_privilege('marketplace_app', p.oid, 'EXECUTE')"
    ).fetchall()
    unused = {row["name"] for row in rows if f"auth.{row['name']}(" not in code}
    old_doors = {"begin_guess", "end_guess", "wrong_guess"}
    called_by_policies = {"caller", "alive", "are_old_doors_open", "is_my_import_session"}
    assert unused <= old_doors | called_by_policies


def test_update_is_granted_by_column(api: Api):
    rows = api.db.conn.execute(
        "SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relkind IN ('r', 'p')"
        " AND c.relnamespace = 'public'::regnamespace AND has_table_privilege('marketplace_app', c.oid, 'UPDATE')"
    ).fetchall()
    assert [row["name"] for row in rows] == []


def test_a_function_that_is_made_is_nobodys(api: Api):
    with api.as_owner(api.db.conn) as conn:
        conn.execute("CREATE FUNCTION made_later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    row = api.db.conn.execute(
        "SELECT has_function_privilege('marketplace_app', 'made_later()', 'EXECUTE') AS may"
    ).fetchone()
    assert row == {"may": False}


def test_the_old_doors_serve_the_release_before_for_an_hour(committed: Api):
    """Rolling upgrade: its statements, as they were."""
    user = committed.buyer()
    with psycopg.connect(committed.owner_url) as conn:
        conn.execute("UPDATE auth.old_doors SET closes_at = now() + interval '1 minute'")
        conn.execute("SET ROLE marketplace_app")
        found = conn.execute(
            "SELECT * FROM auth.begin_guess(%s, '192.0.2.1')", [user.email]
        ).fetchone()
        assert found is not None
        assert (found[0], found[1][:4]) == (user.id, "$2b$")
        conn.execute("SELECT auth.end_guess(%s, true)", [found[2]])
        opened = (
            "SELECT auth.open_session(%s, sha256('a'), sha256('b'), 60, NULL, NULL, '192.0.2.1')"
        )
        assert conn.execute(opened, [user.id]).fetchone() != (None,)
        acting = conn.execute("SELECT user_id FROM auth.act_as(sha256('a'))").fetchone()
        assert acting == (user.id,)
        changed = (
            "UPDATE users SET email = 'new@example.com', email_verified_at = NULL WHERE id = %s"
        )
        assert conn.execute(changed, [user.id]).rowcount == 1
        conn.execute("SELECT auth.change_password('x')")
        assert conn.execute("SELECT user_id FROM auth.forget_me()").fetchone() == (user.id,)
