"""The change feed: what an app that keeps a copy of the catalogue is told."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Api, User, created
from psycopg import sql
from support.feed import Shop, compete, truth
from support.feed_reader import brand, owner, reader, settled, told
from support.responses import problem
from support.shirts import made

from marketplace.postgres import migrations
from marketplace.postgres.database import Database
from marketplace.postgres.statements import numbered
from marketplace.queries import changes
from marketplace.schemas.changes import TYPES
from marketplace.workflows import product_documents

#: What the feed serves ends at the oldest transaction of the whole server.
pytestmark = pytest.mark.alone

PLURAL = {one: many for many, one in TYPES.items()}


@pytest.fixture
def seller(committed: Api) -> User:
    return committed.seller()


@pytest.fixture
def admin(committed: Api) -> User:
    return committed.admin()


def test_the_first_pass_is_everything_as_single_calls_answer_it(
    committed: Api, seller: User, admin: User
):
    parent = committed.post("/api/categories", admin, json={"name": "Minuman"}).json["id"]
    child = committed.post(
        "/api/categories", admin, json={"name": "Kopi", "parent_id": parent}
    ).json["id"]
    product = committed.product(
        seller, brand="Gayo Asli", category_id=child, description='"Enak",\nkata 店'
    )
    settled(committed)
    answer = committed.get("/api/changes")

    assert answer.headers["cache-control"] == "no-cache"
    found = {(change["type"], change["id"]): change for change in answer.json["changes"]}
    assert len(found) == len(answer.json["changes"]) == 5
    assert (answer.json["has_next"], answer.json["delay_seconds"]) == (False, 0)
    for kind, path, thing_id in (
        ("product", "products", product["id"]),
        ("store", "stores", seller.store_id),
        ("brand", "brands", product["brand_id"]),
        ("category", "categories", parent),
        ("category", "categories", child),
    ):
        change = found[kind, thing_id]
        single = committed.get(f"/api/{path}/{thing_id}").json
        if kind == "category":
            single = {
                name: single[name]
                for name in single
                if name not in ("path", "children", "product_count")
            }
        if kind == "store":  # what its owner writes; the page of a store counts and links as well
            written = ("id", "name", "description", "version", "created_at", "updated_at")
            single = {name: single[name] for name in written}
        assert change == {
            "type": kind,
            "id": thing_id,
            "deleted": False,
            "changed_at": change["changed_at"],
            kind: single,
        }
        assert change["changed_at"].endswith("Z")
    copy = reader(committed)
    copy.catch_up()
    assert copy.things == truth(committed.owner_url)


def test_a_change_of_a_variant_is_told_as_one_of_its_product(
    committed: Api, seller: User, admin: User
):
    shirt = made(committed, seller)
    path = f"/api/products/{shirt['id']}/variants"
    copy = reader(committed)
    settled(committed)
    copy.catch_up()
    assert copy.things == truth(committed.owner_url)

    for change in ({"stock": 9}, {"price": "1.00"}, {"hidden": True}, {"sku": None}):
        one = f"{path}/{shirt['variants'][1]['id']}"
        assert committed.patch(one, seller, json=change).status_code == 200
        assert told(copy, committed) == [("product", shirt["id"], False)], change
        assert copy.things == truth(committed.owner_url)
    new = {"options": ["x", "y"], "price": "5"}
    assert committed.post(path, seller, json=new).status_code == 201
    assert told(copy, committed) == [("product", shirt["id"], False)]
    assert copy.things == truth(committed.owner_url)


def test_a_later_pass_tells_what_was_written_and_nothing_else(
    committed: Api, seller: User, admin: User
):
    path = f"/api/products/{committed.product(seller)['id']}"
    other = committed.product(seller, name="bleibt", brand="A")
    product_id = int(path.rpartition("/")[2])
    copy = reader(committed)
    settled(committed)
    copy.catch_up()

    assert told(copy, committed) == []
    for change, deleted in (
        ({"stock": 4}, False),
        ({"stock": 0}, False),
        ({"description": "neu"}, False),
        ({"hidden": True}, True),
        ({"price": "1.00"}, True),
        ({"hidden": False}, False),
    ):
        assert committed.patch(path, seller, json=change).status_code == 200
        assert told(copy, committed) == [("product", product_id, deleted)], change
        assert copy.things == truth(committed.owner_url)
    assert (
        committed.patch(path, seller, json={"price": "1.00", "stock": 0}).status_code == 200
    )  # as it was
    assert told(copy, committed) == []
    committed.delete(path, seller)
    assert told(copy, committed) == [("product", product_id, True)]
    committed.put("/api/stores/mine", seller, json={"name": "Toko Baru"})
    assert told(copy, committed) == [("store", seller.store_id, False)]
    committed.put(f"/api/brands/{other['brand_id']}", admin, json={"name": "B"})
    assert told(copy, committed) == [("brand", other["brand_id"], False)]
    assert copy.things == truth(committed.owner_url)


def test_a_rename_reaches_the_products_when_their_documents_are_rebuilt(
    committed: Api, seller: User, admin: User
):
    product = committed.product(seller, brand="Lama")
    committed.product(seller, brand="Lain")
    copy = reader(committed)
    settled(committed)
    copy.catch_up()
    committed.put(f"/api/brands/{product['brand_id']}", admin, json={"name": "Baru"})
    worker = Database(committed.config, role="marketplace_worker", patient=True)
    product_documents.rebuild(worker, "brand", product["brand_id"], "IDR")
    worker.close()

    assert told(copy, committed) == [
        ("brand", product["brand_id"], False),
        ("product", product["id"], False),
    ]
    assert copy.things["product", product["id"]]["brand"]["name"] == "Baru"


def test_what_is_deleted_leaves_a_tombstone_for_those_who_knew_it(
    committed: Api, seller: User, admin: User
):
    gone, product = brand(committed, admin, "Sekali"), committed.product(seller)
    category = committed.post("/api/categories", admin, json={"name": "Sekali"}).json["id"]
    hidden = committed.product(seller, hidden=True)["id"]
    copy = reader(committed)
    settled(committed)
    copy.catch_up()
    assert ("product", hidden) not in copy.things
    assert committed.delete(f"/api/brands/{gone}", admin).status_code == 204
    assert committed.delete(f"/api/categories/{category}", admin).status_code == 204
    with owner(committed) as conn:  # nothing in the API does this; a DBA's hand may
        conn.execute("DELETE FROM products WHERE id = %s", [product["id"]])

    assert told(copy, committed) == [
        ("brand", gone, True),
        ("category", category, True),
        ("product", product["id"], True),
    ]
    late = reader(committed)
    late.catch_up()
    assert copy.things == late.things == truth(committed.owner_url)
    assert told(reader(committed), committed) == [
        ("store", seller.store_id, False)
    ]  # who comes new needs no tombstones


def test_what_is_committed_late_is_not_skipped(committed: Api, seller: User):
    first, second = (committed.product(seller)["id"] for _ in range(2))
    copy = reader(committed)
    settled(committed)
    copy.catch_up()
    with psycopg.connect(committed.owner_url) as slow:
        slow.execute("UPDATE inventory SET quantity = 77 WHERE product_id = %s", [first])
        committed.patch(f"/api/products/{second}", seller, json={"price": "2.00"})
        copy.go_through()
        assert copy.things["product", first]["stock"] == 5
        assert (
            copy.things["product", second]["price"] != "2.00"
        )  # a later transaction: behind the open one
        assert copy.go_through() >= 1

    assert told(copy, committed) == [("product", first, False), ("product", second, False)]
    assert copy.things == truth(committed.owner_url)


def test_a_transaction_that_began_first_and_writes_last_is_told_of(committed: Api, seller: User):
    product = committed.product(seller)["id"]
    copy = reader(committed)
    settled(committed)
    copy.catch_up()
    with psycopg.connect(committed.owner_url) as slow:
        slow.execute("INSERT INTO brands (name) VALUES ('Pertama')")
        committed.patch(
            f"/api/products/{product}", seller, json={"stock": 9}
        )  # a higher transaction id
        copy.go_through()
        slow.execute(
            "UPDATE inventory SET quantity = 77 WHERE product_id = %s", [product]
        )  # puts in a lower one
        copy.go_through()

    assert sorted(told(copy, committed))[1:] == [("product", product, False)]
    assert copy.things["product", product]["stock"] == 77


def test_what_is_rolled_back_is_not_told(committed: Api, seller: User):
    product = committed.product(seller)["id"]
    copy = reader(committed)
    settled(committed)
    copy.catch_up()
    with psycopg.connect(committed.owner_url) as conn:
        conn.execute("UPDATE inventory SET quantity = 77 WHERE product_id = %s", [product])
        conn.rollback()

    assert told(copy, committed) == []


def test_a_thing_comes_once_in_a_pass_whatever_is_written_meanwhile(committed: Api, seller: User):
    ids = [committed.product(seller)["id"] for _ in range(4)]
    settled(committed)
    walked, cursor, has_next = [], {}, True
    while has_next:
        page = committed.get(
            "/api/changes", params={"per_page": 1, "types": "products", **cursor}
        ).json
        walked += [change["id"] for change in page["changes"]]
        cursor, has_next = {"cursor": page["next_cursor"]}, page["has_next"]
        for each in (ids[0], ids[3]):  # one that was shown, one that was not
            committed.patch(f"/api/products/{each}", seller, json={"stock": len(walked) + 10})
        settled(committed)
    page = committed.get("/api/changes", params={"types": "products", **cursor}).json

    assert walked == [ids[0], ids[1], ids[2]]
    assert [change["id"] for change in page["changes"]] == [ids[0], ids[3]]


def test_types_choose_what_is_told(committed: Api, seller: User, admin: User):
    committed.product(seller, brand="Merek")
    committed.post("/api/categories", admin, json={"name": "Kopi"})
    settled(committed)
    for kind, plural in PLURAL.items():
        changes_of = committed.get("/api/changes", params={"types": plural}).json["changes"]
        assert [change["type"] for change in changes_of] == [kind]
    both = committed.get("/api/changes", params={"types": "stores,brands"}).json
    assert [change["type"] for change in both["changes"]] == ["store", "brand"]
    assert (
        committed.get(
            "/api/changes", params={"types": "brands,stores", "cursor": both["next_cursor"]}
        ).json["changes"]
        == []
    )

    errors = problem(committed.get("/api/changes?types=brands,users"), 422, "validation_failed")[
        "errors"
    ]
    assert (errors[0]["pointer"], errors[0]["code"]) == ("/types", "not_allowed")
    problem(committed.get("/api/changes?types=brands&page=2"), 422, "validation_failed")


def test_a_delay_is_told_by_its_length(committed: Api, seller: User):
    product = committed.product(seller)["id"]
    settled(committed)
    assert committed.get("/api/changes").json["delay_seconds"] == 0
    with psycopg.connect(committed.owner_url) as slow:
        slow.execute("INSERT INTO brands (name) VALUES ('Lambat')")
        committed.patch(f"/api/products/{product}", seller, json={"stock": 6})
        assert 1 <= committed.get("/api/changes").json["delay_seconds"] < 60
        assert committed.get("/api/changes?types=stores").json["delay_seconds"] == 0
        with owner(committed) as conn:
            conn.execute(
                "UPDATE changes SET waiting_since = waiting_since - interval '1 hour' WHERE type "
                "= 'product'"
            )
        committed.patch(
            f"/api/products/{product}", seller, json={"stock": 7}
        )  # the first change waits all the same
        assert 3600 <= committed.get("/api/changes").json["delay_seconds"] < 3660
    settled(committed)
    answer = committed.get("/api/changes").json

    assert answer["delay_seconds"] == 0
    committed.patch(f"/api/products/{product}", seller, json={"stock": 8})
    with owner(committed) as conn:  # told meanwhile, so that it counts anew
        assert conn.execute(
            "SELECT waiting_xid = xid AND waiting_since = changed_at AS anew FROM changes WHERE "
            "type = 'product'"
        ).fetchone()["anew"]


def test_the_applications_role_writes_no_feed(committed: Api):
    with owner(committed) as conn:
        conn.execute("SET ROLE marketplace_app")
        for statement in (
            "UPDATE changes SET gone = true",
            "DELETE FROM changes",
            "UPDATE change_feed SET pruned_xid = '1'",
            "SELECT restart_change_feed()",
            "SELECT prune_changes(0, 1)",
            "SELECT note_changes('product', '{1}', true)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_a_page_costs_the_same_in_a_table_of_any_size(committed: Api, mode: str):
    text, names = numbered(changes.SQL["since"])
    place = changes.START._asdict()
    values = {**place, "known": None, "types": list(TYPES.values()), "limit": 101}

    def page_buffers(conn: Any, more: int) -> int:
        conn.execute(
            "INSERT INTO brands (name) SELECT 'Merek ' || gen_random_uuid() FROM "
            "generate_series(1, %s)",
            [more],
        )
        conn.execute("ANALYZE brands, changes")
        settled(committed)
        conn.execute(f"PREPARE page AS {text}".encode())
        given = sql.SQL(", ").join(sql.Literal(values[name]) for name in names)
        query = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page({})").format(given)
        conn.execute(query)  # the first one reads the catalogue
        plan = conn.execute(query).fetchone()["QUERY PLAN"][0]["Plan"]
        conn.execute("DEALLOCATE page")
        scans = [node for node in nodes(plan) if node.get("Relation Name") in ("changes", "brands")]
        assert {node.get("Index Name") for node in scans} == {"changes_xid_idx", "brands_pkey"}
        assert all(node["Actual Rows"] <= 101 for node in scans)
        return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    with owner(committed) as conn:
        conn.execute(f"SET plan_cache_mode = {mode}")
        small = page_buffers(conn, 5_000)
        assert page_buffers(conn, 20_000) <= small + 101 * 2  # a level more in an index


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def test_what_was_there_before_the_feed_is_in_it(owner_url: str, tmp_path: Path):
    older = tmp_path / "older"
    older.mkdir()
    for path in sorted(migrations.MIGRATIONS.glob("V*.sql")):
        if path.name < "V0006":
            shutil.copy(path, older)
    with created(owner_url, f"marketplace_test_{secrets.token_hex(6)}") as url:
        migrations.migrate(url, lambda line: None, older)
        with psycopg.connect(url) as conn:
            conn.execute("INSERT INTO users (name, email) VALUES ('a', 'a@b')")
            conn.execute("INSERT INTO stores (owner_id, name) VALUES (1, 'Toko')")
            conn.execute("INSERT INTO brands (name) VALUES ('Merek')")
            conn.execute(
                "INSERT INTO products (store_id, name, price, in_stock) VALUES (1, 'Kopi', 1, true)"
            )
            conn.execute("INSERT INTO inventory VALUES (1, 5)")
            conn.execute("INSERT INTO product_documents VALUES (1, '{', '')")
        migrations.migrate(url, lambda line: None)
        with psycopg.connect(url) as conn:
            kept = conn.execute("SELECT type, thing_id, gone FROM changes ORDER BY type").fetchall()

    assert kept == [("brand", 1, False), ("product", 1, False), ("store", 1, False)]


def test_readers_end_with_what_writers_left(committed: Api):
    shop = Shop(committed.owner_url)
    shop.fill()
    copies = [reader(committed), reader(committed, types="products")]

    compete(
        shop, copies, reader(committed, per_page=7), seed=7, writers=6, changes=200, longest=0.3
    )

    assert len(copies[0].things) > 200


def test_the_document_says_what_types_there_are(api: Api):
    call = api.get("/api/openapi.json").json["paths"]["/api/changes"]["get"]
    types = next(parameter for parameter in call["parameters"] if parameter["name"] == "types")

    assert types["schema"]["items"]["enum"] == types["schema"]["default"] == sorted(TYPES)
    assert (types["style"], types["explode"]) == ("form", False)
    assert call["responses"]["410"] == {"$ref": "#/components/responses/CursorExpired"}
