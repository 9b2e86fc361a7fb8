"""The generated shop is one the application could have made, and the bench measures what it
says.
"""

import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import falcon.testing
import psycopg
import pytest
from conftest import created, make_config
from psycopg.rows import dict_row

from marketplace import catalogue_csv
from marketplace.app import create_app
from marketplace.config.settings import Config
from marketplace.postgres.database import Database
from marketplace.postgres.databases import drop
from marketplace.queries import categories
from marketplace.workflows import product_documents as upkeep
from tools.bench import __main__ as bench
from tools.bench import (
    catalogue_file,
    creation,
    fill,
    load,
    processes,
    rounds,
    samples,
    shapes,
    shop,
    worst,
    yardstick,
)
from tools.bench.catalogue import Catalogue

PRODUCTS = 200
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="measures by Linux's /proc"
)
SCHEMA = """
    SELECT indexdef AS thing FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || ' ' || conname || pg_get_constraintdef(oid) FROM pg_constraint
    UNION ALL SELECT tgrelid::regclass || ' ' || tgname || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT relname || coalesce(reloptions::text, '') FROM pg_class WHERE relkind = 'r'
    ORDER BY 1
"""


@pytest.fixture(scope="module")
def filled(owner_url: str, template: str) -> Iterator[str]:
    """A small generated shop."""
    with created(owner_url, f"{template}_bench", template) as url:
        fill.fill(url, Catalogue(PRODUCTS, seed=1), lambda line: None)
        yield url


@pytest.fixture
def config(filled: str, tmp_path: Path) -> Config:
    return make_config(filled, tmp_path, pool_size=1)


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection[dict[str, object]]]:
    with psycopg.connect(url, row_factory=dict_row, autocommit=True) as conn:
        yield conn


def test_the_same_number_and_seed_give_the_same_shop():
    first, again, other = Catalogue(300, seed=7), Catalogue(300, seed=7), Catalogue(300, seed=8)
    ids = first.chunks()[0]
    assert first.chunk(ids) == again.chunk(ids) != other.chunk(ids)
    for table in ("users", "stores", "brands", "categories"):
        assert list(first.lines(table)) == list(again.lines(table))


def test_the_same_rows_and_seed_give_the_same_file_and_its_faults_are_those_that_are_found(
    tmp_path: Path,
):
    first, again, other = (
        catalogue_file.write(tmp_path / f"{number}.csv", 500, seed, bad=70)
        for number, seed in enumerate((7, 7, 8))
    )
    assert first.path.read_bytes() == again.path.read_bytes() != other.path.read_bytes()
    with first.path.open("rb") as source:
        bad = {
            row.line: row.errors[0].code
            for row in catalogue_csv.read(source)
            if isinstance(row, catalogue_csv.BadRow)
        }
    assert len(first.bad) == 70
    assert first.bad == again.bad
    # What a row lacks that makes a product is known when it is matched, not when it is read.
    assert bad == {line: code for line, code in first.bad.items() if code != "required"}
    assert len(bad) == 50


def test_what_the_parts_of_a_shop_hold_does_not_hang_on_who_makes_them():
    made = Catalogue(25_000, seed=1)
    assert [len(ids) for ids in made.chunks()] == [10_000, 10_000, 5000]
    later = made.chunk(made.chunks()[2])
    assert later == Catalogue(25_000, seed=1).chunk(made.chunks()[2])
    assert later["products"][0].startswith("20001\t")


def test_documents_category_rows_and_counts_are_those_the_application_writes(filled: str):
    kept = (
        "SELECT d::text FROM product_documents AS d ORDER BY 1",
        "SELECT c::text FROM product_categories AS c ORDER BY 1",
        "SELECT category_id, products FROM category_counts ORDER BY 1",
    )
    with connected(filled) as conn:
        before = [conn.execute(statement).fetchall() for statement in kept]
        assert len(before[0]) == PRODUCTS
        with conn.transaction(force_rollback=True):
            conn.execute("UPDATE product_documents SET document = '{'")
            upkeep.refresh(conn, list(range(1, PRODUCTS + 1)), "IDR")
            categories.refresh_counts(conn)
            assert [conn.execute(statement).fetchall() for statement in kept] == before


def test_nothing_of_the_schema_is_lost_on_the_way(filled: str, shared_database: str):
    with connected(filled) as conn, connected(shared_database) as fresh:
        assert conn.execute(SCHEMA).fetchall() == fresh.execute(SCHEMA).fetchall()


def test_the_change_feed_tells_of_every_thing_once(filled: str):
    with connected(filled) as conn:
        told = conn.execute(
            "SELECT type, count(*) FROM changes GROUP BY type ORDER BY type"
        ).fetchall()
    made = Catalogue(PRODUCTS, seed=1)
    assert [tuple(row.values()) for row in told] == [
        ("brand", made.brands), ("category", 500), ("product", PRODUCTS), ("store", made.stores),
    ]  # fmt: skip


def test_the_generated_shop_is_served_and_takes_new_products(filled: str, config: Config):
    db = Database(config)
    client = falcon.testing.TestClient(create_app(config, db))
    with connected(filled) as conn, shop.kept(conn):
        known = samples.load(conn)
        listed = client.simulate_get("/api/products").json
        assert listed["total_items"] == len(known.products)
        assert len(listed["products"][0]["images"]) <= 4
        largest = known.categories[0]
        inside = client.simulate_get("/api/products", params={"category_id": largest["id"]}).json
        assert inside["total_items"] == largest["products"] > 1
        seller = shop.sign_in(conn, db, config, known.stores[0]["id"])
        body = {"name": "Kopi Gayo", "price": "85000.00", "stock": 5}
        added = client.simulate_post(
            "/api/products", json=body, headers={"Authorization": f"Bearer {seller.token}"}
        )
        assert (added.status_code, added.json["id"]) == (201, PRODUCTS + 1)
        cost = creation.measure(db, config, seller, known, times=2)
        assert min(cost) > 0
    db.close()
    with connected(filled) as conn:
        assert conn.execute("SELECT max(id) AS last FROM products").fetchone() == {"last": PRODUCTS}
        assert conn.execute("SELECT max(thing_id) AS last FROM changes").fetchone() == {"last": 500}


def test_random_requests_are_asked_and_the_dearest_named(filled: str, config: Config):
    with connected(filled) as conn:
        known = samples.load(conn)
    found = worst.search(config, known, requests=60, seed=3)
    assert len(found.asked) == 60
    assert not [one for one in found.asked if one.status.startswith("5")]
    assert found.without == sorted(found.without, key=lambda one: -one.milliseconds)
    lines: list[str] = []
    worst.report(found, lines.append)
    assert lines[0].startswith("60 requests")
    assert any(line.endswith(found.without[0].path) for line in lines)


def test_the_yardstick_sends_what_the_application_sends(filled: str, config: Config):
    heard = yardstick.overhear(
        config, ["/api/products?category_id=1&page=2", "/api/brands?search=a%25b"]
    )
    (product,) = yardstick.overhear(config, ["/api/products/1"])
    assert heard[0][0].text.endswith("-- products.list_category_newest")
    assert "brands." in heard[1][0].text
    with connected(filled) as conn, yardstick.scripts(conn, heard) as files:
        texts = [file.read_text() for file in files]
    assert not any("%(" in text for text in texts)
    assert re.search(r"^\\set category_id_0 1$", texts[0], re.MULTILINE)
    assert ":category_id_0" in texts[0]
    with connected(filled) as conn:
        (found,) = product
        told = yardstick.script(conn, product).partition("\n")[2]
        # pgbench takes a name behind a colon for a variable, inside of texts too.
        assert set(re.findall(r"(?<!:):(\w+)", told)) == {"product_id_0"}
        sent = conn.execute(told.replace(":product_id_0", "1")).fetchone()
        assert sent == conn.execute(found.text, found.values).fetchone()


def test_a_drive_counts_requests_refusals_and_times():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(404 if self.path == "/no" else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    try:
        done = load.loop(server.server_port, [load.get("/yes"), load.get("/no")], 0.1)
    finally:
        server.shutdown()
        server.server_close()
    assert len(done.times) // 2 == done.refused > 0
    assert load.path(load.get("/yes?a=1")) == "/yes?a=1"


def test_cpu_and_memory_are_those_of_the_processes_asked_for():
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE
    )
    try:
        assert child.stdout
        child.stdout.readline()
        before = processes.cpu([child.pid])
        while processes.spent(before, processes.cpu([child.pid])) == 0:
            pass
        assert child.pid in processes.tree(os.getpid())
        assert 1 < processes.memory([child.pid]) < 100
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert processes.spent({1: 5.0, 2: 7.0}, {1: 6.5, 3: 2.0}) == 3.5


def test_cpu_of_children_that_have_ended_is_not_lost():
    before, own = processes.total(os.getpid()), time.process_time()
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    assert processes.total(os.getpid()) - before > 50_000 + 1e6 * (time.process_time() - own)


def test_the_table_has_medians_and_ratios():
    measured = {
        ("gunicorn", name): [
            rounds.Measured(app, app / 2, 1000, 1, 2, 0) for app in (100.0, 300.0, 200.0)
        ]
        for name in (shapes.HELLO, shapes.LISTING, shapes.FIRST, shapes.DEEP_NAME)
    }
    measured["gunicorn", rounds.PROTOTYPE[shapes.LISTING]] = [rounds.Measured(100, 50, 9, 1, 2, 0)]
    pgbench = {"gunicorn": [yardstick.Spent(80.0, 1.0)] * 3}
    results = rounds.Results(measured, {"gunicorn": (120.0, 20.0)}, pgbench, {"facets": "422"})
    lines: list[str] = []
    rounds.table(results, lines.append)
    rounds.ratios(results, creation.Cost(120.0, 100.0), lines.append)
    text = "\n".join(lines)
    assert re.search(r"^listing +200 +100 ", text, re.MULTILINE)
    assert "listing by pgbench, PostgreSQL: 1.25" in text
    assert "listing by the bare prototype, both: 2.00" in text
    assert "120 MB for 2 workers" in text
    assert "left out: facets: 422" in text
    assert "by without, both: 1.20" in text


def test_one_command_makes_the_shop_and_another_looks_for_the_worst(
    owner_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DATABASE_URL", owner_url)
    for name in ("MIGRATE_DATABASE_URL", "WORKER_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    name = f"marketplace_bench_{secrets.token_hex(4)}"
    try:
        assert bench.main(["worst", "--database", name]) == 1
        assert "make bench-data" in capsys.readouterr().err
        assert bench.main(["data", "--products", "50", "--database", name]) == 0
        said = capsys.readouterr()
        assert f"{name}: 50 products, seed 1" in said.out
        assert "50/50" in said.err
        bench.main(["worst", "--requests", "5", "--database", name])
        assert capsys.readouterr().out.startswith(f"{name}: 50 products, seed 1\n5 requests")
    finally:
        with psycopg.connect(owner_url, autocommit=True) as conn:
            drop(conn, name)
