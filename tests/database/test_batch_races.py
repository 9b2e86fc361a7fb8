"""Batches of the same rows at once, in opposite order, while orders hold and release them."""

import threading
from collections import Counter
from collections.abc import Callable

import psycopg
from conftest import Api
from psycopg.rows import dict_row
from support.stock import add_variants, broken, hold, many_products, release
from system.stock_trials import deadlocks

from marketplace.workflows import product_documents

ROUNDS = 12


def at_once(*works: Callable[[int], None]) -> list[BaseException]:
    """Do each work some times, all of them at once; what failed."""
    failed: list[BaseException] = []
    gate = threading.Barrier(len(works))

    def run(work: Callable[[int], None]) -> None:
        gate.wait()
        try:
            for number in range(ROUNDS):
                work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def test_batches_of_the_same_rows_in_opposite_order_follow_each_other(committed: Api):
    seller, admin = committed.seller(), committed.admin()
    outcomes: Counter[str] = Counter()
    with psycopg.connect(committed.owner_url, row_factory=dict_row) as conn:
        simple = many_products(conn, seller.store_id or 0, 40)
        named = [{"product_id": product} for product in simple[:30]]
        for product in simple[30:]:
            variants = add_variants(conn, product, [50, 50])
            named += [{"product_id": product, "variant_id": each} for each in variants]
        product_documents.refresh(conn, simple, "IDR")
        conn.commit()
        before = deadlocks(conn)

        def send(method: str, path: str, user, rows: list[dict]) -> None:
            path = f"{path}?store_id={seller.store_id}"
            answer = committed.request(method, path, user, json={"rows": rows})
            assert answer.status_code == 200, answer.text
            outcomes.update(f"{method} {row['outcome']}" for row in answer.json["rows"])

        def reprice(user, turn: Callable[[list[dict]], list[dict]], number: int) -> None:
            price, stock = str(1000 + number), number % 3
            rows = [{**row, "price": price, "stock": stock, "hidden": stock == 1} for row in named]
            send("PATCH", "/api/stores/mine/products", user, turn(rows))

        def restock(number: int) -> None:
            rows = [{**row, "stock": number % 2} for row in named]
            send("POST", "/api/stores/mine/stock", admin, rows[::-1] if number % 2 else rows)

        def sell(number: int) -> None:
            lines = [
                (number + 1, row["product_id"], row.get("variant_id", 0), 1) for row in named[::7]
            ]
            with psycopg.connect(committed.owner_url) as other:
                hold(other, lines[::-1])
                other.commit()
                release(other, number + 1)

        failed = at_once(
            lambda number: reprice(seller, list, number),
            lambda number: reprice(admin, lambda rows: rows[::-1], number + 100),
            restock,
            sell,
        )
        assert failed == []
        assert {"PATCH done", "POST done"} <= set(outcomes)
        assert set(outcomes) <= {
            f"{how} {what}" for how in ("PATCH", "POST") for what in ("done", "unchanged")
        }
        assert (deadlocks(conn) - before, broken(conn)) == (0, [])
        assert product_documents.refresh(conn, simple, "IDR").products() == []


def test_of_two_changes_from_one_version_one_is_done(committed: Api):
    seller, admin = committed.seller(), committed.admin()
    products = [committed.product(seller, name=f"Teh {number}") for number in range(20)]
    seen: list[Counter[str]] = []

    def send(user, price: str, step: int) -> None:
        rows = [
            {"product_id": each["id"], "price": price, "expected_version": each["version"]}
            for each in products[::step]
        ]
        path = f"/api/stores/mine/products?store_id={seller.store_id}"
        answer = committed.patch(path, user, json={"rows": rows})
        seen.append(Counter(row["outcome"] for row in answer.json["rows"]))

    threads = [
        threading.Thread(target=send, args=values)
        for values in ((seller, "1.00", 1), (admin, "2.00", -1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen, key=str) == [Counter(done=20), Counter(version_conflict=20)]
    with psycopg.connect(committed.owner_url) as conn:
        assert broken(conn) == []
