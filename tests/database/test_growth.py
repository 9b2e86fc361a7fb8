"""Nothing grows without end: every table has an owner of its growth, and each bound bites."""

import re
import secrets
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from conftest import Api
from support.import_shop import Shop
from support.responses import problem

from marketplace.config.env import ConfigError
from marketplace.config.settings import ROOT
from marketplace.integrations import mail
from marketplace.postgres.database import Database
from marketplace.queries import brands, categories, idempotency, imports, search
from marketplace.security.tokens import Tokens
from marketplace.workflows import imports as workflow
from marketplace.workflows import upkeep

TABLES = """
    SELECT CASE n.nspname WHEN 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


def owners() -> list[str]:
    """The tables of the list in docs/operations.md."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    chapter = re.search(r"^## Growth$(.*?)^## ", text, re.M | re.S)
    assert chapter is not None
    rows = re.findall(r"^\| (`[^|]+) \| (\S[^|]*) \|$", chapter[1], re.M)
    return [name for names, _ in rows for name in re.findall(r"`([^`]+)`", names)]


def sweep(shop: Shop) -> None:
    upkeep.run(shop.db, shop.files, shop.files, shop.config)


def named(rows: int, *, start: int = 0, word: str = "Rak") -> str:
    """A file whose rows name a category each."""
    lines = (f"B{n},SKU-{n},1,{word} {n}" for n in range(start, start + rows))
    return "name,sku,price,category\n" + "\n".join(lines) + "\n"


def test_every_table_has_an_owner_of_its_growth(owner_url: str, shared_database: str):
    with psycopg.connect(shared_database) as conn:
        there = {name for (name,) in conn.execute(TABLES)}
    listed = owners()
    assert sorted(listed) == sorted(set(listed)), "a table stands twice"
    assert set(listed) == there, "docs/operations.md, Growth: one row for each table"


# Imports that wait --------------------------------------------------------------------------------


def test_a_store_has_so_many_files_waiting(committed: Api):
    shop = Shop(committed, imports_waiting=3)
    try:
        sent = [shop.send(f"name,price\nA{n},1\n", "dry_run=true") for n in range(3)]
        for number in sent:
            assert shop.run(number)["state"] == "done"
        headers = {"Content-Type": "text/csv"}
        body = b"name,price\nB,1\n"
        refused = shop.api.post("/api/products/import-csv", shop.seller, body=body, headers=headers)
        problem(refused, 409, "too_many_imports")
        assert len(list(shop.files.keys("imports/"))) == 3, "the refused file was kept"
        other = shop.api.seller()
        answer = shop.api.post("/api/products/import-csv", other, body=body, headers=headers)
        assert answer.status_code == 202, answer.text

        cancelled = shop.api.post(f"/api/products/imports/{sent[0]}/cancel", shop.seller)
        assert cancelled.status_code == 200
        again = shop.api.post("/api/products/import-csv", shop.seller, body=body, headers=headers)
        assert again.status_code == 202, again.text
    finally:
        shop.db.close()


def test_a_store_has_so_many_bytes_waiting(committed: Api):
    shop = Shop(committed, imports_waiting_bytes=2000)
    try:
        text = "name,price,description\nA,1," + "kata " * 300 + "\n"
        shop.send(text)
        answer = shop.api.post(
            "/api/products/import-csv",
            shop.seller,
            body=text.encode(),
            headers={"Content-Type": "text/csv"},
        )
        problem(answer, 409, "too_many_imports")
    finally:
        shop.db.close()


def test_a_dry_run_that_expired_takes_no_place(committed: Api):
    shop = Shop(committed, imports_waiting=1)
    try:
        first = shop.send("name,price\nA,1\n", "dry_run=true")
        shop.run(first)
        with psycopg.connect(shop.api.owner_url) as conn:
            conn.execute("UPDATE imports SET finished_at = now() - interval '8 days'")
        shop.send("name,price\nB,1\n")
    finally:
        shop.db.close()


def test_a_limit_that_no_file_fits_into_is_refused_at_the_start(tmp_path: Any):
    from marketplace.config import settings

    env = {"IMPORT_MAX_MB": "500", "IMPORTS_WAITING_MB": "499", "DATA_DIR": str(tmp_path)}
    with pytest.raises(ConfigError, match="IMPORTS_WAITING_MB"):
        settings.load(env)


# Reports and ended imports ------------------------------------------------------------------------


def test_reports_of_a_store_are_kept_while_they_are_small_together(shop: Shop):
    bad = "name,price\n" + "X,gratis\n" * 3
    sent = [shop.send(bad) for _ in range(3)]
    for number in sent:
        assert shop.run(number)["rows_bad"] == 3
    sizes = shop.rows("SELECT id, report_bytes FROM imports ORDER BY id")
    assert all(row["report_bytes"] > 400 for row in sizes)
    two = sum(row["report_bytes"] for row in sizes[1:])
    with shop.db.working() as conn:
        imports.trim(conn, sent[0], most=1000, most_bytes=two)
    gone = shop.api.get(f"/api/products/imports/{sent[0]}/errors.csv", shop.seller)
    problem(gone, 404, "not_found")
    assert shop.find(sent[0])["report_kept"] is False
    assert [len(shop.errors(number)) for number in sent[1:]] == [3, 3]


def test_the_newest_report_is_kept_however_large(shop: Shop):
    number = shop.send("name,price\nX,gratis\n")
    shop.run(number)
    with shop.db.working() as conn:
        imports.trim(conn, number, most=1000, most_bytes=0)
    assert len(shop.errors(number)) == 1


def test_a_store_keeps_so_many_ended_imports(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(workflow, "KEPT", 2)
    waiting = shop.send("name,price\nA,1\n", "dry_run=true")
    shop.run(waiting)
    for n in range(4):
        shop.run(shop.send(f"name,price\nB{n},1\n"))
    assert shop.value("SELECT count(*) FROM imports WHERE NOT dry_run") == 2
    assert shop.find(waiting)["state"] == "done", "a dry run that may be applied was forgotten"


def test_old_reports_and_imports_are_swept(shop: Shop):
    old, older, young = (shop.send("name,price\nX,gratis\n") for _ in range(3))
    for number in (old, older, young):
        shop.run(number)
    with psycopg.connect(shop.api.owner_url) as conn:
        for number, days in ((old, 91), (older, 401), (young, 1)):
            conn.execute(
                "UPDATE imports SET finished_at = now() - %s WHERE id = %s",
                [timedelta(days=days), number],
            )
    sweep(shop)
    assert [row["id"] for row in shop.rows("SELECT id FROM imports ORDER BY id")] == [old, young]
    errors = shop.rows("SELECT DISTINCT import_id FROM import_errors")
    assert [row["import_id"] for row in errors] == [young]


# Categories ---------------------------------------------------------------------------------------


def test_a_file_makes_so_many_categories_and_says_which_it_wished_for(shop: Shop):
    found = shop.run(shop.send(named(25)))
    assert (found["rows_created"], found["rows_bad"]) == (25, 0)
    assert shop.value("SELECT count(*) FROM categories") == 20
    assert found["columns"]["notes"]["category_limit"] == 5
    wished = found["wished_categories"]
    assert wished["count"] == 5
    assert wished["first"] == [f"Rak {n}" for n in range(20, 25)]
    assert shop.value("SELECT count(*) FROM products WHERE category_id IS NULL") == 5


def test_a_row_keeps_the_nearest_category_that_is_there(shop: Shop):
    deep = " > ".join(f"T{level}" for level in range(8))
    rows = [f"A{n},1,{deep.replace('T7', f'T7-{n}')}" for n in range(20)]
    found = shop.run(shop.send("name,price,category\n" + "\n".join(rows) + "\n"))
    assert shop.value("SELECT count(*) FROM categories") == 20
    nearest = shop.rows(
        "SELECT c.name, count(*) AS rows FROM products p JOIN categories c ON c.id = p.category_id"
        " WHERE c.name = 'T6' GROUP BY c.name"
    )
    assert nearest == [{"name": "T6", "rows": 7}]
    assert found["columns"]["notes"]["category_limit"] == 7


def test_the_next_file_makes_more_until_the_store_has_its_number(committed: Api):
    shop = Shop(committed, import_new_categories=4, import_new_categories_store=6)
    try:
        text = named(10)
        shop.run(shop.send(text))
        assert shop.value("SELECT count(*) FROM categories") == 4
        shop.run(shop.send(text))
        assert shop.value("SELECT count(*) FROM categories") == 6
        third = shop.run(shop.send(text))
        assert shop.value("SELECT count(*) FROM categories") == 6
        assert third["rows_unchanged"] == 10, "what cannot be made changes nothing each time"
    finally:
        shop.db.close()


def test_a_product_keeps_its_category_where_nothing_of_the_wished_one_may_be_made(committed: Api):
    shop = Shop(committed, import_new_categories=1)
    try:
        shop.run(shop.send("name,sku,price,category\nA,S,1,Ada\n"))
        found = shop.run(shop.send("name,sku,price,category\nX,Y,1,Satu\nA,S,1,Dua > Tiga\n"))
        assert (found["rows_created"], found["rows_unchanged"]) == (1, 1)
        kept = shop.rows(
            "SELECT c.name FROM products p JOIN categories c ON c.id = p.category_id"
            " WHERE p.sku = 'S'"
        )
        assert kept == [{"name": "Ada"}]
    finally:
        shop.db.close()


def test_a_dry_run_plans_what_it_may_make_and_applies_as_it_said(shop: Shop):
    number = shop.send(named(30), "dry_run=true")
    found = shop.run(number)
    assert found["plan"]["new_categories"]["count"] == 20
    assert found["wished_categories"]["count"] == 10
    applied = shop.api.post(f"/api/products/imports/{number}/apply", shop.seller)
    assert applied.status_code == 202
    assert shop.run(number)["rows_created"] == 30
    assert shop.value("SELECT count(*) FROM categories") == 20


def test_an_admins_file_makes_all_it_names_and_they_stay(shop: Shop):
    admin = shop.api.admin()
    found = shop.run(
        shop.send(named(30), f"store_id={shop.seller.store_id}", user=admin),
    )
    assert found["wished_categories"] is None
    assert shop.value("SELECT count(*) FROM categories WHERE kept") == 30


def test_categories_that_nothing_is_in_are_cleared_but_for_admins(shop: Shop):
    admin = shop.api.admin()
    shop.api.post("/api/categories", admin, json={"name": "Dapur"})
    shop.run(shop.send("name,sku,price,category\nA,S,1,Buah > Apel > Hijau\n"))
    shop.run(shop.send("name,sku,price,category\nA,S,1,Sayur\n"))
    with shop.db.working() as conn:
        assert categories.clear(conn) == 3
    names = shop.rows("SELECT name FROM categories ORDER BY name")
    assert [row["name"] for row in names] == ["Dapur", "Sayur"]
    assert (
        shop.value("SELECT count(*) FROM audit WHERE type = 'category' AND action = 'delete'") == 0
    )


def test_what_an_admin_touches_stays(shop: Shop):
    admin = shop.api.admin()
    shop.run(shop.send("name,sku,price,category\nA,S,1,Buah > Apel\n"))
    ids = {row["name"]: row["id"] for row in shop.rows("SELECT id, name FROM categories")}
    shop.api.post("/api/categories", admin, json={"name": "Pir", "parent_id": ids["Buah"]})
    shop.run(shop.send("name,sku,price,category\nA,S,1,Sayur\n"))
    with shop.db.working() as conn:
        categories.clear(conn)
    tree = shop.api.get("/api/categories").json["categories"]
    assert {node["name"]: [child["name"] for child in node["children"]] for node in tree} == {
        "Buah": ["Pir"],
        "Sayur": [],
    }


def test_a_category_that_is_being_used_is_not_cleared(shop: Shop):
    shop.run(shop.send("name,sku,price,category\nA,S,1,Buah\n"))
    shop.run(shop.send("name,sku,price,category\nA,S,1,Sayur\n"))
    buah = shop.value("SELECT id FROM categories WHERE name = 'Buah'")
    with psycopg.connect(shop.api.owner_url) as other:  # somebody else's product, not committed
        other.execute(
            "UPDATE products SET category_id = %s WHERE store_id = %s",
            [buah, shop.seller.store_id],
        )
        with shop.db.working() as conn:
            assert categories.clear(conn) == 0
    with shop.db.working() as conn:
        assert categories.clear(conn) == 1  # Sayur, which was left by it


def test_the_tree_is_bounded_from_the_top_down(committed: Api, monkeypatch: pytest.MonkeyPatch):
    from marketplace.resources import categories as resource

    admin = committed.admin()
    top = committed.post("/api/categories", admin, json={"name": "Atas"}).json["id"]
    for n in range(4):
        committed.post("/api/categories", admin, json={"name": f"Bawah {n}", "parent_id": top})
    whole = committed.get("/api/categories").json
    assert whole["complete"] is True
    assert len(whole["categories"][0]["children"]) == 4
    monkeypatch.setattr(resource, "MOST", 3)
    part = committed.get("/api/categories").json
    assert part["complete"] is False
    assert [len(node["children"]) for node in part["categories"]] == [2]


# Brands -------------------------------------------------------------------------------------------


def listed(api: Api) -> list[str]:
    return [brand["name"] for brand in api.get("/api/brands").json["brands"]]


def test_a_brand_that_no_product_has_any_more_goes(shop: Shop):
    api, admin = shop.api, shop.api.admin()
    api.post("/api/brands", admin, json={"name": "Simpan"})
    product = api.product(shop.seller, brand="Satu")
    for name in ("Dua", "Tiga"):
        api.patch(f"/api/products/{product['id']}", shop.seller, json={"brand": name})
    queued = shop.rows("SELECT args FROM jobs.procrastinate_jobs WHERE task_name = 'clear_names'")
    assert len(queued) == 2
    for row in queued:
        with shop.db.working() as conn:
            brands.settle(conn, row["args"]["brand_ids"])
    assert listed(api) == ["Simpan", "Tiga"]
    assert shop.value("SELECT count(*) FROM brands") == 2


def test_a_brand_whose_products_are_all_hidden_is_not_listed(shop: Shop):
    api = shop.api
    product = api.product(shop.seller, brand="Sembunyi")
    api.delete(f"/api/products/{product['id']}", shop.seller)
    with shop.db.working() as conn:
        brands.settle(conn, None)
    assert listed(api) == []
    found = api.get("/api/products/suggest", params={"q": "sembu"}).json
    assert found["brands"] == []
    api.patch(f"/api/products/{product['id']}", shop.seller, json={"hidden": False})
    with shop.db.working() as conn:
        brands.settle(conn, None)
    assert listed(api) == ["Sembunyi"]


def test_a_brand_that_is_being_used_stays(shop: Shop):
    api = shop.api
    product = api.product(shop.seller, brand="Lama")
    brand = product["brand"]["id"]
    other = api.product(shop.seller)
    api.patch(f"/api/products/{product['id']}", shop.seller, json={"brand": "Baru"})
    with psycopg.connect(api.owner_url) as conn:
        conn.execute("UPDATE products SET brand_id = %s WHERE id = %s", [brand, other["id"]])
        with shop.db.working() as worker:
            assert brands.settle(worker, [brand]) == 0
    assert shop.value("SELECT count(*) FROM brands WHERE id = %s", brand) == 1


def test_a_seller_cannot_have_a_brand_kept(shop: Shop):
    caller = Tokens(shop.config).read(shop.seller.token)
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        shop.api.db.transaction(caller) as conn,
    ):
        conn.execute("INSERT INTO brands (name, kept) VALUES ('Punyaku', true)")


# Answers, sessions, accounts, words, mails ---------------------------------------------------------


def test_a_user_has_so_many_kept_answers(committed: Api, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(idempotency, "MOST", 3)
    seller, other = committed.seller(), committed.seller()

    def make(user: Any, key: str) -> Any:
        body = {"name": f"Barang {key}", "price": "1"}
        return committed.post("/api/products", user, json=body, headers={"Idempotency-Key": key})

    make(other, "satu")
    for n in range(6):
        assert make(seller, f"kunci-{n}").status_code == 201
    with psycopg.connect(committed.owner_url) as conn:
        kept = conn.execute("SELECT key FROM idempotency_keys ORDER BY created_at").fetchall()
    assert [key for (key,) in kept] == ["satu", "kunci-3", "kunci-4", "kunci-5"]
    again = make(seller, "kunci-5")
    assert again.headers["idempotent-replayed"] == "true"


def test_a_user_has_so_many_sessions_and_a_session_so_many_tokens(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(upkeep, "SESSIONS", 2)
    monkeypatch.setattr(upkeep, "TOKENS", 3)
    user = shop.api.buyer()
    with psycopg.connect(shop.api.owner_url) as conn:
        for n in range(4):
            conn.execute(
                "INSERT INTO auth.sessions (user_id, secret_hash, expires_at, last_used_at)"
                " VALUES (%s, %s, now() + interval '1 day', now() - %s)",
                [user.id, secrets.token_bytes(32), timedelta(hours=n + 1)],
            )
        newest = conn.execute(
            "SELECT id FROM auth.sessions WHERE user_id = %s ORDER BY last_used_at DESC LIMIT 1",
            [user.id],
        ).fetchone()
        for n in range(6):
            conn.execute(
                "INSERT INTO auth.refresh_tokens (session_id, token_hash, used_at)"
                " VALUES (%s, %s, now() - %s)",
                [newest[0], secrets.token_bytes(32), timedelta(hours=n)],
            )
    sweep(shop)
    alive = "SELECT count(*) FROM auth.sessions WHERE user_id = %s AND ended_at IS NULL"
    assert shop.value(alive, user.id) == 2
    tokens = "SELECT count(*) FROM auth.refresh_tokens WHERE session_id = %s"
    assert shop.value(tokens, newest[0]) == 3
    assert shop.api.get("/api/users/profile", user).status_code == 200


def test_accounts_that_nobody_confirmed_or_used_are_deleted(shop: Shop):
    api = shop.api
    names = ("forgotten", "confirmed", "at home", "young")
    users = {name: api.buyer() for name in names} | {"seller": api.seller(), "admin": api.admin()}
    with psycopg.connect(api.owner_url) as conn:
        conn.execute("UPDATE users SET created_at = now() - interval '100 days'")
        conn.execute("UPDATE auth.sessions SET last_used_at = now() - interval '91 days'")
        conn.execute(
            "UPDATE users SET email_verified_at = now() WHERE id = %s", [users["confirmed"].id]
        )
        conn.execute(
            "UPDATE auth.sessions SET last_used_at = now() - interval '89 days' WHERE user_id = %s",
            [users["at home"].id],
        )
        conn.execute("UPDATE users SET created_at = now() WHERE id = %s", [users["young"].id])
    sweep(shop)
    left = {row["id"] for row in shop.rows("SELECT id FROM users")}
    assert {name for name, user in users.items() if user.id not in left} == {"forgotten"}
    gone = users["forgotten"].id
    assert shop.value("SELECT count(*) FROM activities WHERE user_id = %s", gone) == 0
    assert shop.value("SELECT count(*) FROM auth.credentials WHERE user_id = %s", gone) == 0


def test_words_that_no_product_has_are_deleted(shop: Shop):
    product = shop.api.product(shop.seller, name="Zirkonium Kelabu")
    shop.api.patch(f"/api/products/{product['id']}", shop.seller, json={"name": "Palladium Kelabu"})
    words = "SELECT count(*) FROM search_words WHERE word = %s"
    assert shop.value(words, "zirkonium") == 1
    sweep(shop)
    assert shop.value(words, "zirkonium") == 0
    assert [shop.value(words, word) for word in ("palladium", "kelabu")] == [1, 1]


def test_words_are_pruned_in_batches_that_leave_none_out(shop: Shop):
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "INSERT INTO search_words (word) SELECT 'kata' || n FROM generate_series(1, 25) n"
        )
        conn.execute("INSERT INTO search_words (word) VALUES ('o''brien'), ('back\\slash')")
    last, looked = "", 0
    while last is not None:
        with shop.db.working() as conn:
            pruned, last = search.prune_words(conn, after=last, most=4)
        looked += pruned
    assert looked == 27
    assert shop.value("SELECT count(*) FROM search_words") == 0


def test_mails_kept_for_the_developer_are_the_newest(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(mail, "KEPT", 3)
    deliver = mail.deliverer(shop.config)
    folder = shop.config.data_dir / "mail"
    for n in range(5):
        deliver(
            mail.written(shop.config, "verify", to=f"u{n}@example.com", token="x", language="en")
        )
        time.sleep(0.001)
    kept = [file.read_text() for file in sorted(folder.glob("*.eml"))]
    assert [re.search(r"To: u(\d)@", text)[1] for text in kept] == ["2", "3", "4"]


def test_the_worker_of_a_database_is_what_sweeps(shop: Shop):
    """The API's role may do none of it."""
    app = Database(shop.config)
    try:
        for call in (
            "SELECT settle_brands(NULL)",
            "SELECT clear_categories()",
            "SELECT trim_imports(1, 0, 0)",
            "SELECT expire_imports(0, 0, 1)",
            "SELECT auth.sweep_unconfirmed(0, 0, 1)",
            "SELECT auth.sweep_surplus(0, 0)",
            "SELECT prune_search_words('', 1)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), app.primary() as conn:
                conn.execute(call)
    finally:
        app.close()
