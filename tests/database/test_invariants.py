"""Each invariant finds the fault that it is there for, and asks what everybody has."""

import re
from typing import Any

import pytest
from conftest import Api
from support.stock import Room, broken, hold, refused, role


def simple(room: Room) -> int:
    return room.product(10)


def held(room: Room) -> int:
    product = room.product(10)
    hold(room.conn, [(1, product, 0, 4)])
    return product


def varied(room: Room) -> int:
    return room.product_with_variants(3, 4)[0]


#: What somebody does wrong to a product, and what finds it.
FAULTS: list[tuple[Any, str, str]] = [
    (held, "UPDATE inventory SET reserved = 5 WHERE product_id = %(id)s", "reserved_is_held"),
    (held, "UPDATE holds SET quantity = 3 WHERE product_id = %(id)s", "reserved_is_held"),
    (held, "DELETE FROM holds WHERE product_id = %(id)s", "reserved_is_held"),
    (simple, "INSERT INTO holds VALUES (%(id)s, 0, 1, 1, NULL)", "reserved_is_held"),
    (simple, "INSERT INTO holds VALUES (%(id)s, 9, 1, 1, NULL)", "reserved_is_held"),
    (
        simple,
        "WITH told AS (SELECT set_config('app.stock', 'verb', true))"
        " UPDATE inventory SET quantity = 3 FROM told WHERE product_id = %(id)s AND told IS NOT NULL;"
        " SELECT set_config('app.stock', '', true)",
        "stock_is_its_movements",
    ),
    (held, "UPDATE inventory SET opened_at = opened_at - interval '1 hour' WHERE product_id = %(id)s",
     "stock_is_its_movements"),
    (
        held,
        "INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved)"
        " VALUES (%(id)s, 0, 1, 'ship', 0, -1)",
        "stock_is_its_movements",
    ),
    (simple, "UPDATE products SET in_stock = false WHERE id = %(id)s", "flag_of_stock"),
    (varied, "UPDATE products SET in_stock = false WHERE id = %(id)s", "flag_of_stock"),
    (varied, "UPDATE products SET price = 1, price_max = 85000 WHERE id = %(id)s", "price_of_variants"),
    (varied, "UPDATE products SET price_max = 90000 WHERE id = %(id)s", "price_of_variants"),
    (varied, "UPDATE products SET variant_count = 3 WHERE id = %(id)s", "price_of_variants"),
    (varied, "INSERT INTO inventory (product_id, quantity) VALUES (%(id)s, 1)", "simple_or_with_variants"),
    (varied, "INSERT INTO inventory (product_id, variant_id, quantity) VALUES (%(id)s, 1, 1)", "simple_or_with_variants"),
    (simple, "DELETE FROM inventory WHERE product_id = %(id)s", "simple_or_with_variants"),
    (varied, "UPDATE inventory SET on_sale = false WHERE product_id = %(id)s", "simple_or_with_variants"),
    (varied, "ALTER TABLE variants DISABLE TRIGGER check_skus_update; UPDATE products SET sku = 'A' WHERE id = %(id)s;"
     " UPDATE variants SET sku = 'A' WHERE id = (SELECT max(id) FROM variants WHERE product_id = %(id)s)",
     "skus_stand_once"),
    (varied, "UPDATE variants SET store_id = (SELECT max(id) + 1 FROM stores) WHERE product_id = %(id)s",
     "variants_in_their_store"),
    (varied, "UPDATE products SET option_names = '{Warna,Ukuran}' WHERE id = %(id)s", "variants_in_their_store"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "fault", "name"), FAULTS, ids=[f"{name}-{n}" for n, (*_, name) in enumerate(FAULTS)]
)
def test_an_invariant_finds_its_fault(room: Room, make: Any, fault: str, name: str):
    product = make(room)
    make(room)  # a sound one beside it
    assert broken(room.conn) == []
    with room.conn.transaction(force_rollback=True):
        for statement in fault.split(";"):
            room.conn.execute(statement, {"id": product})
        found = room.conn.execute("SELECT * FROM broken_invariants()").fetchall()
        assert name in {row["name"] for row in found}
        row = next(row for row in found if row["name"] == name)
        assert row["broken"] >= 1
        assert re.match(rf"{product}\b", row["example"])


def test_every_invariant_has_a_fault_that_it_finds_and_says_what_it_is(room: Room):
    views = room.conn.execute(
        "SELECT c.relname AS name, obj_description(c.oid, 'pg_class') AS about, c.reloptions AS options FROM pg_class AS c"
        " WHERE c.relnamespace = 'invariants'::regnamespace"
    ).fetchall()
    assert {row["name"] for row in views} >= {name for *_, name in FAULTS}
    assert [row["name"] for row in views if not row["about"]] == []
    assert [row["name"] for row in views if row["options"]] == []  # with the rights of the owner


def test_the_worker_asks_all_and_sees_all_and_the_application_may_not_ask(room: Room):
    product = held(room)
    ask = "SELECT * FROM broken_invariants()"
    with room.conn.transaction(force_rollback=True):
        room.conn.execute("UPDATE inventory SET reserved = 5 WHERE product_id = %s", [product])
        with role(room.conn, "marketplace_worker"):
            named = {row["name"] for row in room.conn.execute(ask).fetchall()}
            assert named == {"reserved_is_held", "holds_are_wanted"}
    for name in ("marketplace_app", "marketplace_readonly"):
        with refused(room.conn, "42501"), role(room.conn, name):
            room.conn.execute(ask)


def test_nothing_is_broken_in_a_new_marketplace(api: Api):
    with api.as_owner(api.db.conn) as conn:
        assert broken(conn, orders=True) == []
