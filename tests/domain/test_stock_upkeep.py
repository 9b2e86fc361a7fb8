"""What the worker does about stock and stopped stores, and the command that proves the stock."""

import argparse
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Api
from support.import_shop import Shop
from support.stock import Moved, broken, hold, moves

from marketplace.commands import check_selling
from marketplace.files.stores import of_uploads
from marketplace.queries import stock
from marketplace.workflows import stores, upkeep


def set_state(shop: Shop, state: str) -> None:
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE stores SET state = %s WHERE id = %s", [state, shop.seller.store_id])


def listed(shop: Shop, **query: Any) -> set[int]:
    answer = shop.api.get("/api/products", params={**query, "per_page": 100})
    return {product["id"] for product in answer.json["products"]}


def test_products_of_a_stopped_store_are_in_no_public_reading_until_it_is_let_go(shop: Shop):
    category = shop.api.post("/api/categories", shop.api.admin(), json={"name": "Teh"}).json["id"]
    fields = {"name": "Teh melati", "category_id": category}
    shown, hidden = (
        shop.api.product(shop.seller, **fields, hidden=it)["id"] for it in (False, True)
    )
    other = shop.api.product(shop.api.seller(), **fields)["id"]
    everywhere = (
        {},
        {"category_id": category},
        {"search": "melati"},
        {"store_id": shop.seller.store_id},
    )
    currency = shop.config.currency
    assert stores.settle(shop.db, currency) == 0

    set_state(shop, "suspended")
    assert stores.settle(shop.db, currency) == 2
    for query in everywhere:
        assert listed(shop, **query) == ({other} if "store_id" not in query else set())
    assert shop.api.get(f"/api/products/{shown}").status_code == 404
    assert shop.api.get(f"/api/products/{shown}", shop.seller).json["hidden"] is True
    late = shop.api.product(shop.seller, **fields)["id"]
    assert stores.settle(shop.db, currency) == 1
    assert late not in listed(shop)
    assert stores.settle(shop.db, currency) == 0

    set_state(shop, "active")
    assert stores.settle(shop.db, currency) == 3
    for query in everywhere:
        assert listed(shop, **query) == {shown, late} | (
            {other} if "store_id" not in query else set()
        )
    assert shop.api.get(f"/api/products/{hidden}").status_code == 404
    assert stores.settle(shop.db, currency) == 0


def test_a_stop_of_the_worker_leaves_a_store_to_the_next_minute(shop: Shop):
    shop.api.product(shop.seller)
    set_state(shop, "suspended")
    assert stores.settle(shop.db, shop.config.currency, stopping=lambda: True) == 0
    assert stores.settle(shop.db, shop.config.currency) == 1


def test_what_runs_low_is_listed_anew_and_says_when(shop: Shop):
    few = shop.api.product(shop.seller, stock=stock.LOW)["id"]
    shop.api.product(shop.seller, stock=stock.LOW + 1)
    for _ in range(2):
        with shop.db.working() as conn:
            stock.refresh_low(conn)
        assert shop.rows("SELECT product_id, quantity FROM low_stock") == [
            {"product_id": few, "quantity": stock.LOW}
        ]
    assert shop.rows(
        "SELECT name, refreshed_at > now() - interval '1 minute' AS now FROM refreshes"
    ) == [{"name": "low_stock", "now": True}]


def test_months_of_movements_go_and_the_stock_is_proven_from_new_openings(shop: Shop):
    product = shop.api.product(shop.seller, stock=9)["id"]
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "CREATE TABLE stock_movements_2019_01 PARTITION OF stock_movements"
            " FOR VALUES FROM ('2019-01-01') TO ('2019-02-01')"
        )
        hold(conn, [(1, product, 0, 4)])
        conn.execute(  # as if it had first moved then
            "INSERT INTO stock_movements (created_at, product_id, variant_id, store_id, kind, change, change_reserved)"
            " VALUES ('2019-01-05', %s, 0, %s, 'opening', 0, 0)",
            [product, shop.seller.store_id],
        )
        conn.execute(
            "UPDATE inventory SET opened_at = '2019-01-05' WHERE product_id = %s", [product]
        )
        conn.commit()
        for _ in range(2):
            upkeep.run(shop.db, shop.files, of_uploads(shop.config), shop.config)
        conn.rollback()
        assert shop.rows("SELECT to_regclass('stock_movements_2019_01') AS month") == [
            {"month": None}
        ]
        assert moves(conn, product)[2:] == [Moved("opening", 5, 4)]
        assert broken(conn) == []


def test_a_row_of_month_tables_is_all_that_a_new_table_of_months_needs(shop: Shop):
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("CREATE TABLE notes (at timestamptz NOT NULL) PARTITION BY RANGE (at)")
        conn.execute(
            "CREATE TABLE notes_2019_01 PARTITION OF notes FOR VALUES FROM ('2019-01-01') TO ('2019-02-01')"
        )
        conn.execute(
            "INSERT INTO month_tables (name, append_only, keep_days) VALUES ('notes', false, 60)"
        )
    upkeep.run(shop.db, shop.files, of_uploads(shop.config), shop.config)
    months = shop.rows("SELECT count(*) AS n FROM pg_inherits WHERE inhparent = 'notes'::regclass")
    assert months == [{"n": 14}]


@pytest.fixture
def settings_of(committed: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Api:
    """The command finds this database."""
    monkeypatch.setenv("DATABASE_URL", committed.owner_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("WORKER_DATABASE_URL", raising=False)
    return committed


def test_check_selling_says_what_is_broken_and_where(
    settings_of: Api, capsys: pytest.CaptureFixture[str]
):
    product = settings_of.product(settings_of.seller(), stock=9)["id"]
    assert check_selling.run(argparse.Namespace()) == 0
    assert capsys.readouterr().out == "All invariants hold.\n"
    with psycopg.connect(settings_of.owner_url) as conn:
        conn.execute("UPDATE inventory SET reserved = 2 WHERE product_id = %s", [product])
        conn.execute("UPDATE products SET in_stock = false WHERE id = %s", [product])
    assert check_selling.run(argparse.Namespace()) == 1
    assert capsys.readouterr().out == (
        f"flag_of_stock: 1 broken, one of them: {product}\n"
        f"reserved_is_held: 1 broken, one of them: {product} 0\n"
    )


def test_an_import_sets_stock_by_the_verb_and_says_so_in_the_movements(shop: Shop):
    product = shop.api.product(shop.seller, name="Kopi", sku="K-1", stock=9)["id"]
    shop.run(shop.send("sku,name,price,stock\nK-1,Kopi,85000,4\n"))
    assert shop.api.get(f"/api/products/{product}").json["stock"] == 4
    shop.run(shop.send("sku,name,price,stock\nK-1,Kopi,85000,4\n"))
    assert shop.rows(
        "SELECT kind, change, user_id FROM stock_movements WHERE product_id = %s ORDER BY id",
        product,
    ) == [
        {"kind": "opening", "change": 9, "user_id": None},
        {"kind": "import", "change": -5, "user_id": shop.seller.id},
    ]
