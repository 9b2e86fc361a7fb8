"""What goes wrong with stock and variants, and which invariant finds it."""

from typing import Any

from support.stock import Room, hold


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
