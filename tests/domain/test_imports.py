"""Imports: what is sent, what the worker makes of it, and what is left when the worker is
killed.
"""

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import procrastinate
import psycopg
import pytest
from conftest import Api
from procrastinate.exceptions import ConnectorException
from support.import_shop import HEADER, Generated, Shop, generate, wait_for, worker
from support.responses import problem

from marketplace import catalogue_csv
from marketplace.files.local import LocalStorage
from marketplace.jobs import retries
from marketplace.queries import imports as queries
from marketplace.workflows import imports, product_documents, upkeep


def require_whole(shop: Shop, import_id: int, file: Generated) -> None:
    """Every row of the file is a product with all its parts, or in the report with its cells."""
    found = shop.find(import_id)
    products = file.rows - len(file.bad_lines)
    assert (found["state"], found["error_code"], found["progress"]) == ("done", None, 100)
    counts = [found[f"rows_{name}"] for name in ("total", "read", "valid", "created", "bad")]
    assert counts == [file.rows, file.rows, products, products, len(file.bad_lines)]
    assert [found[f"rows_{name}"] for name in ("updated", "unchanged", "skipped", "shared")] == [
        0,
        0,
        0,
        0,
    ]
    for table in ("inventory", "product_images", "product_documents"):
        counted = f"SELECT count(*) FROM products p JOIN {table} t ON t.product_id = p.id"  # noqa: S608
        assert shop.value(f"{counted} WHERE p.store_id = %s", shop.seller.store_id) == products, (
            table
        )
    assert (
        shop.value("SELECT count(*) FROM products WHERE store_id = %s", shop.seller.store_id)
        == products
    )
    assert shop.value("SELECT count(*) FROM import_rows") == 0
    lines = file.text.splitlines()
    report = shop.errors(import_id)
    assert [int(row["error_line"]) for row in report] == file.bad_lines
    assert all(
        row["Nama Produk"] in lines[int(row["error_line"]) - 1] and row["Nama Produk"]
        for row in report
    )
    assert (
        shop.value("SELECT count(*) FROM auth.sessions WHERE kind = 'import' AND ended_at IS NULL")
        == 0
    )
    assert list(shop.files.keys("imports/")) == []


def test_twenty_thousand_rows_are_all_accounted_for(shop: Shop):
    file = generate(20_000)
    import_id = shop.send(file.text, "default_stock=7")
    shop.run(import_id)

    require_whole(shop, import_id, file)
    found = shop.find(import_id)
    assert found["columns"]["header"] == HEADER
    assert found["columns"]["stock_column"] is False
    assert found["default_stock"] == 7
    assert {row["error_code"] for row in shop.errors(import_id)} == {
        "invalid_price",
        "duplicate_source_url",
    }
    listed = shop.api.get("/api/products", query_string=f"store_id={shop.seller.store_id}").json
    product = listed["products"][0]
    assert (product["stock"], product["in_stock"], len(product["images"])) == (7, True, 1)
    assert product["images"][0]["is_main"]
    assert shop.value("SELECT count(*) FROM brands") == 300
    assert sorted(
        row["name"].lower() for row in shop.rows("SELECT name FROM categories")
    ) == sorted(["elektronik", "hp", "laptop", "fashion", "wanita", "gamis", "makanan"])
    assert shop.value(
        "SELECT sum(cardinality(c.path)) FROM products p JOIN categories c ON c.id = p.category_id"
    ) == shop.value("SELECT count(*) FROM product_categories")


def test_the_same_file_again_adds_nothing(shop: Shop):
    file = generate(1500)
    shop.run(shop.send(file.text))
    again = shop.run(shop.send(file.text))

    valid = file.rows - len(file.bad_lines)
    assert (again["rows_created"], again["rows_unchanged"], again["rows_valid"]) == (
        0,
        valid,
        valid,
    )


def test_twins_in_a_file_are_left_out_or_named(shop: Shop):
    text = (
        "name,price,sku,source_url,image_url\n"
        "Baru,1000,B-1,https://toko.example/2,https://gambar.example/1.jpg|https://gambar.example/2.jpg\n"
        "Sama SKU,1000,B-1,,\n"
        "Sama tautan,1000,,https://toko.example/2,\n"
        "Tanpa kunci,1000,,,\n"
        "Tanpa kunci,1000,,,\n"
        "Baru,1000,B-1,https://toko.example/2,https://gambar.example/1.jpg|https://gambar.example/2.jpg\n"
    )
    found = shop.run(shop.send(text))

    assert (
        found["rows_read"],
        found["rows_created"],
        found["rows_skipped"],
        found["rows_bad"],
    ) == (6, 3, 1, 2)
    assert found["columns"]["notes"]["no_key"] == 2
    named = ("error_line", "error_code", "error_column", "name")
    assert [tuple(row[key] for key in named) for row in shop.errors(found["id"])] == [
        ("3", "duplicate_sku", "sku", "Sama SKU"),
        ("4", "duplicate_source_url", "source_url", "Sama tautan"),
    ]
    names = shop.rows("SELECT name FROM products ORDER BY id")
    assert [row["name"] for row in names] == ["Baru", "Tanpa kunci", "Tanpa kunci"]
    pictures = shop.rows(
        "SELECT i.url, i.is_main FROM product_images i JOIN products p ON p.id = i.product_id"
        " WHERE p.name = 'Baru' ORDER BY i.position"
    )
    assert [tuple(row.values()) for row in pictures] == [
        ("https://gambar.example/1.jpg", True),
        ("https://gambar.example/2.jpg", False),
    ]


def test_the_report_can_be_corrected_and_sent_again(shop: Shop):
    text = 'name,price,stock,description\n"=1+1",gratis,-1,"satu\ndua"\nBaik,1000,1,\n\'=x,x,1,\n'
    first = shop.send(text)
    assert shop.run(first)["rows_bad"] == 2
    answer = shop.api.get(f"/api/products/imports/{first}/errors.csv", shop.seller)
    assert (
        answer.headers["content-disposition"] == f'attachment; filename="import-{first}-errors.csv"'
    )
    report = shop.errors(first)
    assert report[0]["error_line"] == "2"
    assert report[0]["error_code"] == "invalid_price; negative_stock"
    assert report[0]["name"] == "'=1+1"

    corrected = answer.text.replace("gratis", "1000").replace(",x,", ",1000,").replace("'-1", "1")
    second = shop.run(shop.send(corrected))
    assert (second["rows_bad"], second["rows_created"]) == (0, 2)
    assert {row["name"] for row in shop.rows("SELECT name FROM products")} == {"Baik", "=1+1", "=x"}


def test_categories_are_not_made_where_the_installation_says_no(committed: Api):
    shop = Shop(committed, import_new_categories=False)
    admin = shop.api.admin()
    top = shop.api.post("/api/categories", admin, json={"name": "Dapur"}).json
    shop.api.post("/api/categories", admin, json={"name": "Panci", "parent_id": top["id"]})
    import_id = shop.send(
        "name,price,category,note\nA,1,dapur > PANCI,x\nB,2,Dapur > Wajan,y\nC,3,,z\nD,4,Dapur,\n"
    )
    found = shop.run(import_id)

    assert (found["rows_created"], found["rows_bad"]) == (3, 1)
    report = shop.errors(import_id)
    assert [(row["error_code"], row["error_column"], row["note"]) for row in report] == [
        ("unknown_category", "category", "y")
    ]
    assert shop.value("SELECT count(*) FROM categories") == 2
    shop.db.close()


def test_a_category_removed_meanwhile_refuses_its_rows_where_none_may_be_made(committed: Api):
    shop = Shop(committed, import_new_categories=False)
    admin = shop.api.admin()
    category = shop.api.post("/api/categories", admin, json={"name": "Dapur"}).json
    import_id = shop.send("name,price,Kategori\nA,1,Dapur\nB,2,\n")
    with pytest.raises(product_documents.Interrupted):
        shop.run(import_id, stopping=lambda: shop.find(import_id)["state"] == "applying")
    assert shop.api.delete(f"/api/categories/{category['id']}", admin).status_code == 204
    found = shop.run(import_id)

    assert (found["rows_valid"], found["rows_created"], found["rows_bad"]) == (1, 1, 1)
    assert [(row["error_line"], row["error_column"]) for row in shop.errors(import_id)] == [
        ("2", "Kategori")
    ]
    shop.db.close()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"PK\x03\x04" + bytes(100), "not_csv"),
        (b"name,price\n", "empty_file"),
        (b"a,b\n1,2\n", "no_known_columns"),
    ],
)
def test_a_file_that_is_none_fails_in_words(shop: Shop, body: bytes, code: str):
    found = shop.run(shop.send(body))

    assert (found["state"], found["error_code"]) == ("failed", code)
    assert found["error_message"]
    assert list(shop.files.keys("imports/")) == []


def test_a_file_that_turns_out_broken_late_leaves_no_product(shop: Shop):
    rows = "".join(f"Produk {number},1000\n" for number in range(6000))
    found = shop.run(shop.send("name,price\n" + rows + '"' + "x" * 1_100_000))

    assert (found["state"], found["rows_read"], found["rows_created"]) == ("failed", 0, 0)
    assert found["error_code"] in catalogue_csv.FILE_CODES
    assert (
        shop.value("SELECT count(*) FROM products")
        == shop.value("SELECT count(*) FROM import_rows")
        == 0
    )


def test_suspending_the_seller_stops_the_import(shop: Shop):
    import_id = shop.send(generate(2500).text)
    with pytest.raises(product_documents.Interrupted):
        shop.run(import_id, stopping=lambda: shop.find(import_id)["rows_created"] > 0)
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [shop.seller.id])
    imports.run(shop.db, shop.files, shop.config, import_id)
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE users SET suspended_at = NULL WHERE id = %s", [shop.seller.id])

    found = shop.find(import_id)
    assert (found["state"], found["error_code"]) == ("failed", "session_ended")
    assert found["rows_created"] == shop.value("SELECT count(*) FROM products") > 0


def test_an_import_taken_up_by_another_worker_is_let_go(shop: Shop):
    file = generate(3000)
    import_id = shop.send(file.text)
    displaced = False

    def displace() -> bool:
        nonlocal displaced
        if not displaced and shop.find(import_id)["rows_created"]:
            displaced = True
            with shop.db.working() as conn:
                queries.start(conn, import_id)
        return False

    shop.run(import_id, stopping=displace)
    assert shop.find(import_id)["state"] == "applying"
    shop.run(import_id)
    require_whole(shop, import_id, file)


def test_running_a_finished_import_again_does_nothing(shop: Shop):
    import_id = shop.send("name,price\nA,1\n")
    first = shop.run(import_id)

    assert shop.run(import_id) == first


def test_an_admin_names_the_store_and_sees_all_imports(shop: Shop):
    admin = shop.api.admin()
    problem(
        shop.api.post(
            "/api/products/import-csv",
            admin,
            body=b"name,price\nA,1\n",
            headers={"Content-Type": "text/csv"},
        ),
        409,
        "store_required",
    )
    store = f"store_id={shop.seller.store_id}"
    import_id = shop.send("name,price,brand,category\nA,1,Baru,Baru\n", store, admin)
    assert shop.run(import_id)["rows_created"] == 1
    other = Shop(shop.api)
    other.send("name,price\nB,1\n")

    own = shop.api.get("/api/products/imports", shop.seller).json["imports"]
    only = shop.api.get("/api/products/imports", admin, query_string=store).json["imports"]
    assert [row["id"] for row in own] == [row["id"] for row in only] == [import_id]
    assert len(shop.api.get("/api/products/imports", admin).json["imports"]) == 2
    problem(shop.api.get(f"/api/products/imports/{import_id}", other.seller), 404, "not_found")
    problem(
        shop.api.get(f"/api/products/imports/{import_id}/errors.csv", other.seller),
        404,
        "not_found",
    )
    problem(
        shop.api.get("/api/products/imports", other.seller, query_string=store), 404, "not_found"
    )
    other.db.close()


def stored_files(api: Api) -> list[str]:
    return [stored.key for stored in LocalStorage(api.config.private_dir).keys("imports/")]


def test_an_upload_answers_202_with_where_to_look(api: Api):
    seller = api.seller()
    file = ("file", "C:\\toko\\katalog.csv", b"name,price\nA,1\n")
    answer = api.upload("/api/products/import-csv", seller, [file], {"default_stock": "3"})

    assert answer.status_code == 202
    assert answer.headers["location"] == f"/api/products/imports/{answer.json['id']}"
    assert (answer.json["state"], answer.json["default_stock"]) == ("queued", 3)
    assert answer.json["file_name"] == "katalog.csv"
    assert api.get(answer.headers["location"], seller).json == answer.json
    assert len(stored_files(api)) == 1
    log = api.get("/api/users/activities", seller, query_string="type=import_csv").json[
        "activities"
    ]
    assert log[0]["related_id"] == answer.json["id"]


def test_imports_are_listed_newest_first_in_both_modes(api: Api):
    seller = api.seller()
    made = [
        api.upload(
            "/api/products/import-csv", seller, [("file", "a.csv", b"name,price\nA,1\n")]
        ).json["id"]
        for _ in range(3)
    ]
    page = api.get("/api/products/imports", seller, query_string="per_page=2").json
    after = f"per_page=2&cursor={page['next_cursor']}"
    rest = api.get("/api/products/imports", seller, query_string=after).json

    assert next(iter(page)) == "imports"
    assert page["total_items"] == 3
    assert [row["id"] for row in page["imports"] + rest["imports"]] == made[::-1]


@pytest.mark.parametrize(
    ("query", "kind", "body", "status", "code"),
    [
        ("", "text/csv", b"", 422, "validation_failed"),
        ("", "application/json", b"{}", 415, "unsupported_media_type"),
        ("", "", b"a", 415, "unsupported_media_type"),
        ("dry_run=maybe", "text/csv", b"a", 422, "validation_failed"),
        ("dialect=etsy", "text/csv", b"a", 422, "validation_failed"),
        ("default_stock=-1", "text/csv", b"a", 422, "validation_failed"),
        ("store_id=999999999", "text/csv", b"a", 404, "not_found"),
        ("", "text/csv", b"x" * 3000, 413, "payload_too_large"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_not_kept(
    api: Api, query: str, kind: str, body: bytes, status: int, code: str
):
    api = Api(replace(api.config, import_max_bytes=2000), api.db, api.owner_url)
    answer = api.post(
        "/api/products/import-csv",
        api.seller(),
        query_string=query,
        body=body,
        headers={"Content-Type": kind},
    )
    problem(answer, status, code)
    assert stored_files(api) == []


@pytest.mark.parametrize(
    ("files", "fields", "status", "code"),
    [
        ([], {}, 422, "validation_failed"),
        ([("file", "a.csv", b"")], {}, 422, "validation_failed"),
        ([("file", "a.csv", b"a")], {"mode": "some"}, 422, "validation_failed"),
        ([("file", "a.csv", b"a"), ("file", "b.csv", b"b")], {}, 422, "validation_failed"),
        ([("file", "a.csv", b"x" * 3000)], {}, 413, "payload_too_large"),
    ],
)
def test_a_multipart_body_without_one_good_file_is_refused(
    api: Api, files: list[tuple[str, str, bytes]], fields: dict[str, str], status: int, code: str
):
    api = Api(replace(api.config, import_max_bytes=2000), api.db, api.owner_url)
    problem(api.upload("/api/products/import-csv", api.seller(), files, fields), status, code)
    assert stored_files(api) == []


def test_a_store_that_is_not_there_keeps_no_file(api: Api):
    file = ("file", "a.csv", b"name,price\nA,1\n")
    answer = api.upload("/api/products/import-csv", api.admin(), [file], {"store_id": "999999"})
    problem(answer, 422, "validation_failed")
    assert stored_files(api) == []


def test_who_has_no_store_cannot_import(api: Api):
    seller = api.register("seller")
    answer = api.upload(
        "/api/products/import-csv", seller, [("file", "a.csv", b"name,price\nA,1\n")]
    )
    problem(answer, 409, "store_required")


# The worker as a process
# ---------------------------------------------------------------------------------


def wait_for_end(shop: Shop, import_id: int) -> None:
    """Done, and its file removed, which comes right behind the commit."""
    wait_for(
        shop,
        import_id,
        lambda found: found["state"] == "done" and not list(shop.files.keys("imports/")),
    )


def forget_heartbeats(shop: Shop) -> None:
    """Half a minute goes by, as far as the queue can tell."""
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
        )


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(shop: Shop, tmp_path: Path):
    file = generate(20_000)
    import_id = shop.send(file.text)
    for middle in (
        lambda found: found["state"] == "reading" and found["rows_read"] > 0,
        lambda found: found["rows_created"] > 2000,
        lambda found: found["rows_created"] > 9000,
    ):
        with worker(shop, tmp_path):
            wait_for(shop, import_id, middle)
        forget_heartbeats(shop)
    with worker(shop, tmp_path) as last:
        wait_for_end(shop, import_id)
        last.terminate()
        assert last.wait(20) == 0

    require_whole(shop, import_id, file)
    assert shop.value("SELECT attempt FROM imports") == 4


def test_a_worker_told_to_stop_leaves_the_import_to_the_next_one(shop: Shop, tmp_path: Path):
    file = generate(10_000)
    import_id = shop.send(file.text)
    with worker(shop, tmp_path) as first:
        wait_for(shop, import_id, lambda found: found["rows_created"] > 1000)
        first.terminate()
        assert first.wait(20) == 0
    assert shop.find(import_id)["state"] == "applying"
    with worker(shop, tmp_path):
        wait_for_end(shop, import_id)
    require_whole(shop, import_id, file)


def test_a_worker_outlives_its_connections(shop: Shop, tmp_path: Path):
    file = generate(10_000)
    import_id = shop.send(file.text)
    with worker(shop, tmp_path) as running:
        wait_for(shop, import_id, lambda found: found["rows_created"] > 1000)
        with psycopg.connect(shop.api.owner_url, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND "
                "backend_type = 'client backend'"
            )
        wait_for_end(shop, import_id)
        assert running.poll() is None
    require_whole(shop, import_id, file)


def test_what_became_of_a_job_is_told_again_where_a_dying_connection_did_not_hear(shop: Shop):
    async def tell() -> None:
        connector = retries.Connector(conninfo=shop.api.owner_url)
        async with procrastinate.App(connector=connector).open_async():
            told = asyncio.create_task(connector.execute_query_async("SELECT pg_sleep(0.7)"))
            await asyncio.sleep(0.3)
            async with await psycopg.AsyncConnection.connect(shop.api.owner_url) as conn:
                killed = await conn.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = "
                    "'SELECT pg_sleep(0.7)'"
                )
                assert await killed.fetchone() == (1,)
            await told
            with pytest.raises(ConnectorException):
                await connector.execute_query_async(
                    "SELECT 1 / 0"
                )  # what is refused is not said twice

    asyncio.run(tell())


def test_a_dead_workers_job_does_not_stand_in_the_way_of_its_twin(shop: Shop, tmp_path: Path):
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, lock, queueing_lock, "
            "status)"
            " VALUES ('quick', 'upkeep', 'upkeep', 'upkeep', 'doing')"
        )
    import_id = shop.send("name,price\nA,1\n")
    unfinished = "SELECT count(*) FROM jobs.procrastinate_jobs WHERE status IN ('todo', 'doing')"
    with worker(shop, tmp_path):
        wait_for(
            shop, import_id, lambda found: found["state"] == "done" and shop.value(unfinished) == 0
        )


def test_a_renamed_brand_reaches_every_document(shop: Shop, tmp_path: Path):
    rows = "".join(f"Produk {number},1000,Lama\n" for number in range(1200))
    shop.run(shop.send("name,price,brand\n" + rows))
    brand_id = shop.value("SELECT id FROM brands")
    assert (
        shop.api.put(f"/api/brands/{brand_id}", shop.api.admin(), json={"name": "Baru"}).status_code
        == 200
    )
    with worker(shop, tmp_path):
        deadline = time.monotonic() + 30
        left = 1200
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = shop.value(
                "SELECT count(*) FROM product_documents WHERE document NOT LIKE '%%\"Baru\"%%'"
            )
    assert left == 0


def test_upkeep_forgets_what_is_long_dead(shop: Shop):
    import_id = shop.send("name,price\nA,1\n")
    waiting = shop.rows("SELECT file_key FROM imports")[0]["file_key"]
    shop.files.put("imports/left-behind.csv", b"name,price\n")
    for stored in shop.files.root.rglob("*.csv"):
        os.utime(stored, (0, 0))
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "UPDATE auth.sessions SET ended_at = now() - interval '40 days' WHERE kind = 'device'"
        )
    upkeep.run(shop.db, shop.files, shop.files, shop.config)

    assert [stored.key for stored in shop.files.keys("imports/")] == [waiting]
    assert shop.value("SELECT count(*) FROM auth.sessions WHERE kind = 'device'") == 0
    assert shop.value("SELECT state FROM imports WHERE id = %s", import_id) == "queued"
