"""What the database does and refuses by itself: movements, trail, change feed, flags, guards, and what the worker keeps."""

import json
from typing import Any

import psycopg
import pytest
from support.stock import (
    Moved,
    Room,
    Stock,
    act_as,
    hold,
    moves,
    refused,
    release,
    role,
    stock,
    take,
)


def rows(room: Room, query: str, *values: Any) -> list[dict[str, Any]]:
    return room.conn.execute(query, list(values) or None).fetchall()


def trail(room: Room, product: int) -> list[tuple[Any, Any]]:
    """What the trail has of changes of a product: before and after, in their order."""
    found = rows(
        room, "SELECT before, after FROM audit WHERE thing_id = %s AND type = 'product' AND action = 'update' ORDER BY id",
        product,
    )  # fmt: skip
    return [(row["before"], row["after"]) for row in found]


def change(room: Room, table: str, columns: str, condition: str, *values: Any) -> None:
    """Write columns of some rows, as a hand with psql does."""
    room.conn.execute(f"UPDATE {table} SET {columns} WHERE {condition}", list(values))  # noqa: S608


def in_stock(room: Room, product: int) -> bool:
    return bool(rows(room, "SELECT in_stock FROM products WHERE id = %s", product)[0]["in_stock"])


# Movements and trail ---------------------------------------------------------------------------------------------


def test_a_hand_with_psql_leaves_a_movement_and_an_entry_in_the_trail(room: Room):
    product = room.product(10)
    room.conn.execute("UPDATE inventory SET quantity = 7 WHERE product_id = %s", [product])
    room.conn.execute("UPDATE inventory SET quantity = 9 WHERE product_id = %s", [product])
    assert moves(room.conn, product) == [
        Moved("opening", 10, 0),
        Moved("set", -3, 0),
        Moved("set", 2, 0),
    ]
    assert trail(room, product) == [({"stock": 10}, {"stock": 7}), ({"stock": 7}, {"stock": 9})]


def test_a_change_by_the_api_says_who_made_it(room: Room):
    product = room.product(10)
    room.become("marketplace_app")
    room.api.patch(f"/api/products/{product}", room.seller, json={"stock": 4})
    room.become("none")
    assert rows(
        room,
        "SELECT kind, change, user_id FROM stock_movements WHERE product_id = %s ORDER BY id",
        product,
    ) == [
        {"kind": "opening", "change": 10, "user_id": None},
        {"kind": "set", "change": -6, "user_id": room.seller.id},
    ]


def test_a_statement_over_variants_leaves_a_movement_and_an_entry_each(room: Room):
    product, (red, blue, green) = room.product_with_variants(3, 4, 5)
    room.conn.execute("UPDATE inventory SET quantity = 4 WHERE product_id = %s", [product])
    assert moves(room.conn, product, red)[1:] == [Moved("set", 1, 0)]
    assert moves(room.conn, product, blue)[1:] == []
    assert moves(room.conn, product, green)[1:] == [Moved("set", -1, 0)]
    assert sorted(trail(room, product)[1:], key=str) == [
        ({"stock": 3, "variant_id": red}, {"stock": 4, "variant_id": red}),
        ({"stock": 5, "variant_id": green}, {"stock": 4, "variant_id": green}),
    ]


def test_verbs_leave_nothing_in_the_trail(room: Room):
    product = room.product(10)
    hold(room.conn, [(1, product, 0, 4)])
    take(room.conn, "ship_stock", 1, [(product, 0, 1)])
    release(room.conn, 1)
    take(room.conn, "return_stock", 1, [(product, 0, 1)])
    assert trail(room, product) == []
    room.conn.execute("UPDATE inventory SET quantity = 1 WHERE product_id = %s", [product])
    assert trail(room, product) == [({"stock": 10}, {"stock": 1})]


def test_the_word_of_a_verb_is_not_believed_of_the_application(room: Room):
    product = room.product(10)
    act_as(room.conn, room.seller.id)
    room.conn.execute("SELECT set_config('app.stock', 'verb', true)")
    with role(room.conn, "marketplace_app"):
        room.conn.execute("UPDATE inventory SET quantity = 4 WHERE product_id = %s", [product])
    assert moves(room.conn, product)[1:] == [Moved("set", -6, 0)]
    assert trail(room, product) == [({"stock": 10}, {"stock": 4})]


@pytest.mark.parametrize("verb", ["hold", "release", "ship"])
def test_a_verb_that_fails_leaves_its_word_behind_nowhere(room: Room, verb: str):
    product = room.product(10)
    hold(room.conn, [(1, product, 0, 1)])
    with refused(room.conn, "23505" if verb == "hold" else "23514"):
        if verb == "hold":
            hold(room.conn, [(1, product, 0, 1)])
        else:
            take(
                room.conn, f"{verb}_{'stock' if verb == 'ship' else 'lines'}", 1, [(product, 0, 5)]
            )
    room.conn.execute("UPDATE inventory SET quantity = 4 WHERE product_id = %s", [product])
    assert moves(room.conn, product)[-1] == Moved("set", -5, 0)


def test_the_label_of_an_import_stands_on_its_movements(room: Room):
    product = room.product(10)
    room.conn.execute("SELECT set_config('app.stock', 'import', true)")
    room.conn.execute("UPDATE inventory SET quantity = 4 WHERE product_id = %s", [product])
    room.conn.execute("SELECT set_config('app.stock', '', true)")
    assert moves(room.conn, product)[1:] == [Moved("import", -6, 0)]


def test_an_update_that_changes_nothing_leaves_no_movement(room: Room):
    product = room.product(10)
    room.conn.execute("UPDATE inventory SET quantity = quantity WHERE product_id = %s", [product])
    assert moves(room.conn, product) == [Moved("opening", 10, 0)]
    assert trail(room, product) == []


@pytest.mark.parametrize("statement", ["UPDATE stock_movements SET change = 0", "DELETE FROM stock_movements",
                                       "TRUNCATE stock_movements"])  # fmt: skip
def test_movements_are_only_added_to_even_by_the_owner(room: Room, statement: str):
    product = room.product(10)
    room.conn.execute("UPDATE inventory SET quantity = 4 WHERE product_id = %s", [product])
    with refused(room.conn, "42501"):
        room.conn.execute(statement)


def test_the_trail_tells_of_a_variant_with_its_prices_as_texts(room: Room):
    product, (red,) = room.product_with_variants(3)
    room.conn.execute(
        "UPDATE variants SET price = 90000, price_before = 95000 WHERE id = %s", [red]
    )
    found = rows(
        room, "SELECT action, before, after, store_id FROM audit WHERE type = 'variant' ORDER BY id"
    )
    assert [row["store_id"] for row in found] == [room.seller.store_id] * 2
    assert found[0]["after"] == {
        "product_id": product, "store_id": room.seller.store_id, "position": 1, "options": ["Warna 1"],
        "price": "85000.00", "hidden": False,
    }  # fmt: skip
    assert found[1]["before"] == {"product_id": product, "price": "85000.00", "price_before": None}
    assert found[1]["after"] == {
        "product_id": product,
        "price": "90000.00",
        "price_before": "95000.00",
    }
    room.conn.execute("UPDATE products SET price = 90000 WHERE id = %s", [product])


def test_the_trail_says_of_a_stores_number_only_that_it_changed(room: Room):
    room.conn.execute(
        "UPDATE stores SET whatsapp = '0812', city = 'Serang' WHERE id = %s", [room.seller.store_id]
    )
    found = rows(room, "SELECT before, after FROM audit WHERE type = 'store' AND action = 'update'")
    assert found == [{"before": {"city": None}, "after": {"city": "Serang", "whatsapp": "changed"}}]


# Change feed -----------------------------------------------------------------------------------------------------


def noted(room: Room, product: int, statement: str, *values: Any) -> bool:
    """Whether a copy of the catalogue hears of what a statement does, sent by itself."""
    room.conn.execute(
        "UPDATE changes SET xid = '1' WHERE type = 'product' AND thing_id = %s", [product]
    )
    room.conn.execute(statement, list(values))
    found = rows(
        room,
        "SELECT xid <> '1' AS noted FROM changes WHERE type = 'product' AND thing_id = %s",
        product,
    )
    return bool(found[0]["noted"])


def test_the_change_feed_hears_of_what_can_be_sold_and_not_of_what_is_sent(room: Room):
    product, (red, _) = room.product_with_variants(5, 5)
    assert noted(
        room,
        product,
        "SELECT hold_stock('{1}', ARRAY[%s], ARRAY[%s::bigint], '{2}', NULL)",
        product,
        red,
    )
    assert not noted(
        room, product, "SELECT ship_stock(1, ARRAY[%s], ARRAY[%s::bigint], '{2}')", product, red
    )
    assert noted(
        room, product, "SELECT return_stock(1, ARRAY[%s], ARRAY[%s::bigint], '{2}')", product, red
    )
    both = "UPDATE inventory SET quantity = quantity + CASE variant_id WHEN %s THEN 1 ELSE -1 END WHERE product_id = %s"
    assert noted(room, product, both, red, product)  # the sum is the same
    hide = "UPDATE inventory SET on_sale = false WHERE product_id = %s AND variant_id = %s"
    assert noted(room, product, hide, product, red)
    assert noted(
        room,
        product,
        "UPDATE variants SET hidden = true WHERE product_id = %s AND id = %s",
        product,
        red,
    )
    assert not noted(
        room, product, "UPDATE inventory SET quantity = quantity WHERE product_id = %s", product
    )


# in_stock --------------------------------------------------------------------------------------------------------


def test_in_stock_is_whether_anything_on_sale_has_stock(room: Room):
    product, (red, blue) = room.product_with_variants(1, 1)
    steps = [
        ("quantity = 0", red, True), ("on_sale = false", blue, False), ("quantity = 3", red, True),
        ("on_sale = false", red, False), ("on_sale = true", blue, True),
    ]  # fmt: skip
    for columns, variant, flag in steps:
        change(room, "inventory", columns, "product_id = %s AND variant_id = %s", product, variant)
        assert in_stock(room, product) is flag, columns
    room.conn.execute("UPDATE inventory SET on_sale = true WHERE product_id = %s", [product])


def test_a_new_variant_with_stock_puts_its_product_in_stock(room: Room):
    product, _ = room.product_with_variants(0)
    assert not in_stock(room, product)
    row = rows(
        room, "INSERT INTO variants (product_id, store_id, position, options, price) VALUES (%s, 0, 2, '{x}', 85000)"
        " RETURNING id", product,
    )[0]  # fmt: skip
    room.conn.execute("UPDATE products SET variant_count = 2 WHERE id = %s", [product])
    room.conn.execute(
        "INSERT INTO inventory (product_id, variant_id, quantity) VALUES (%s, %s, 4)",
        [product, row["id"]],
    )
    assert in_stock(room, product)


def test_the_flag_of_category_rows_follows(room: Room):
    room.become("marketplace_app")
    category = room.api.post("/api/categories", room.api.admin(), json={"name": "Teh"}).json["id"]
    room.become("none")
    product = room.product(1, category_id=category)
    hold(room.conn, [(1, product, 0, 1)])
    assert rows(room, "SELECT in_stock FROM product_categories WHERE product_id = %s", product) == [
        {"in_stock": False}
    ]
    release(room.conn, 1)
    assert rows(room, "SELECT in_stock FROM product_categories WHERE product_id = %s", product) == [
        {"in_stock": True}
    ]


# What is refused -------------------------------------------------------------------------------------------------


REFUSED = {
    "reserved": "UPDATE inventory SET reserved = 5 WHERE product_id = %(product)s",
    "opened_at": "UPDATE inventory SET opened_at = now() WHERE product_id = %(product)s",
    "variant of stock": "UPDATE inventory SET variant_id = 5 WHERE product_id = %(product)s",
    "insert reserved": "INSERT INTO inventory (product_id, variant_id, quantity, reserved) VALUES (%(product)s, 9, 1, 1)",
    "delete stock": "DELETE FROM inventory WHERE product_id = %(product)s",
    "hold": "INSERT INTO holds VALUES (%(product)s, 0, 1, 1, NULL)",
    "read holds": "SELECT FROM holds",
    "movement": "INSERT INTO stock_movements (product_id, variant_id, store_id, kind, change, change_reserved)"
    " VALUES (%(product)s, 0, %(store)s, 'set', 1, 0)",
    "change movement": "UPDATE stock_movements SET change = 1",
    "months": "UPDATE month_tables SET keep_days = 1",
    "low stock": "DELETE FROM low_stock",
    "sold": "UPDATE product_counts SET sold = 1",
    "store of a product": "UPDATE products SET store_id = store_id WHERE id = %(product)s",
    "product of a picture": "UPDATE product_images SET product_id = product_id",
    "product of a document": "UPDATE product_documents SET product_id = product_id",
    "product of words": "UPDATE product_search SET product_id = product_id",
    "store of a variant": "UPDATE variants SET store_id = store_id",
    "delete variant": "DELETE FROM variants",
    "store of settings": "UPDATE store_settings SET store_id = store_id",
    "owner of a store": "UPDATE stores SET owner_id = owner_id",
    "invariants": "SELECT FROM invariants.flag_of_stock",
    "blocked": "UPDATE products SET blocked = 'x', hidden = true, hidden_before = false WHERE id = %(product)s",
    "state": "UPDATE stores SET state = 'suspended' WHERE id = %(store)s",
    "state_reason": "UPDATE stores SET state_reason = 'x' WHERE id = %(store)s",
    "cod_collector": "INSERT INTO store_settings (store_id, cod_collector) VALUES (%(store)s, 'platform')",
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_application_is_refused_for_a_seller(room: Room, what: str):
    product = room.product(10)
    act_as(room.conn, room.seller.id)
    with refused(room.conn, "42501"), role(room.conn, "marketplace_app"):
        room.conn.execute(REFUSED[what], {"product": product, "store": room.seller.store_id})


def test_a_seller_cannot_show_what_was_blocked_nor_take_the_block_away(room: Room):
    product = room.product(10)
    act_as(room.conn, room.user("admin").id)
    with role(room.conn, "marketplace_app"):
        room.conn.execute(
            "UPDATE products SET blocked = 'counterfeit', hidden = true, hidden_before = hidden WHERE id = %s",
            [product],
        )
    act_as(room.conn, room.seller.id)
    for columns, code in (
        ("hidden = false", "23514"),
        ("blocked = NULL, hidden_before = NULL", "42501"),
    ):
        with refused(room.conn, code), role(room.conn, "marketplace_app"):
            change(room, "products", columns, "id = %s", product)
    with role(room.conn, "marketplace_app"):
        room.conn.execute("UPDATE products SET name = 'Teh' WHERE id = %s", [product])


@pytest.mark.parametrize(
    ("columns", "constraint"),
    [
        ("variant_count = 2", "products_variants_check"),
        ("option_names = '{Warna}'", "products_variants_check"),
        ("option_names = '{a,b,c,d}', variant_count = 1", "products_variants_check"),
        ("option_names = '{Warna}', variant_count = 101", "products_variants_check"),
        ("option_names = '{NULL}', variant_count = 1", "products_option_names_check"),
        ("option_names = '{\"\"}', variant_count = 1", "products_option_names_check"),
        (
            "option_names = ARRAY[repeat('x', 1001)], variant_count = 1",
            "products_option_names_check",
        ),
        ("price_before = price", "products_price_before_check"),
        ("price_before = 'NaN'", "products_price_before_check"),
        ("price_max = price - 1", "products_price_max_check"),
        ("weight_grams = -1", "products_size_check"),
        ("length_cm = 0", "products_size_check"),
        ("height_cm = 1001", "products_size_check"),
        ("min_quantity = 0", "products_quantities_check"),
        ("min_quantity = 5, max_per_buyer = 4", "products_quantities_check"),
        ("preorder_days = 91", "products_quantities_check"),
        ("condition = 'old'", "products_condition_check"),
        ("blocked = 'x'", "products_blocked_check"),
        ("blocked = 'x', hidden_before = false, hidden = false", "products_blocked_check"),
    ],
)
def test_fields_of_a_product_keep_their_bounds(room: Room, columns: str, constraint: str):
    product = room.product(10)
    with refused(room.conn, "23514", constraint):
        change(room, "products", columns, "id = %s", product)


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"options": []}, "variants_options_check"),
        ({"options": ["a", "b", "c", "d"]}, "variants_options_check"),
        ({"options": [None]}, "variants_options_check"),
        ({"options": [""]}, "variants_options_check"),
        ({"options": ["x" * 1001]}, "variants_options_check"),
        ({"options": ["Warna 1"]}, "variants_options_key"),
        ({"price": -1}, "variants_price_check"),
        ({"price": "NaN"}, "variants_price_check"),
        ({"price_before": 1}, "variants_price_check"),
        ({"sku": ""}, "variants_sku_check"),
        ({"weight_grams": 1_000_001}, "variants_weight_check"),
        ({"image_id": 5}, "variants_image_fkey"),
        ({"product_id": 987654321}, None),
    ],
)
def test_fields_of_a_variant_keep_their_bounds(
    room: Room, fields: dict[str, Any], constraint: str | None
):
    product, _ = room.product_with_variants(1)
    row = {"product_id": product, "options": ["x"], "price": 5, "price_before": None, "sku": None,
           "weight_grams": None, "image_id": None, **fields}  # fmt: skip
    with pytest.raises(psycopg.Error) as caught, room.conn.transaction():
        room.conn.execute(
            "INSERT INTO variants (product_id, store_id, position, options, price, price_before, sku, weight_grams, image_id)"
            " VALUES (%(product_id)s, 0, 1, %(options)s::text[], %(price)s, %(price_before)s, %(sku)s, %(weight_grams)s,"
            " %(image_id)s)",
            row,
        )
    assert constraint is None or caught.value.diag.constraint_name == constraint


def test_a_variant_is_of_its_products_store_and_written_by_it(room: Room):
    product, (red,) = room.product_with_variants(1)
    assert rows(room, "SELECT store_id FROM variants WHERE id = %s", red) == [
        {"store_id": room.seller.store_id}
    ]
    stranger = room.user("seller")
    act_as(room.conn, stranger.id)
    insert = "INSERT INTO variants (product_id, store_id, position, options, price) VALUES (%s, %s, 1, '{x}', 5)"
    for statement, values in (
        (insert, [product, stranger.store_id]),
        ("UPDATE variants SET price = 1 WHERE id = %s", [red]),
        ("UPDATE inventory SET quantity = 100 WHERE product_id = %s", [product]),
        ("INSERT INTO inventory (product_id, variant_id, quantity) VALUES (%s, 99, 1)", [product]),
    ):
        with refused(room.conn, "42501"), role(room.conn, "marketplace_app"):
            room.conn.execute(statement, values)


def test_a_picture_that_goes_leaves_the_variant_it_showed(room: Room):
    product, (red,) = room.product_with_variants(1)
    image = rows(
        room, "INSERT INTO product_images (product_id, position, is_main, url) VALUES (%s, 1, true, 'https://x/a.jpg')"
        " RETURNING id", product,
    )[0]["id"]  # fmt: skip
    room.conn.execute("UPDATE variants SET image_id = %s WHERE id = %s", [image, red])
    room.conn.execute("DELETE FROM product_images WHERE id = %s", [image])
    assert rows(room, "SELECT image_id, product_id FROM variants WHERE id = %s", red) == [
        {"image_id": None, "product_id": product}
    ]


def test_a_sku_stands_once_in_a_store_among_products_and_variants(room: Room):
    first = room.product(1, sku="A-1")
    _, (red, blue) = room.product_with_variants(1, 1)
    with refused(room.conn, "23505", "variants_sku_key"):
        room.conn.execute("UPDATE variants SET sku = 'A-1' WHERE id = %s", [red])
    room.conn.execute("UPDATE variants SET sku = 'B-1' WHERE id = %s", [red])
    with refused(room.conn, "23505", "variants_sku_key"):
        room.conn.execute("UPDATE variants SET sku = 'B-1' WHERE id = %s", [blue])
    with refused(room.conn, "23505", "variants_sku_key"):
        room.conn.execute("UPDATE products SET sku = 'B-1' WHERE id = %s", [first])
    room.become("marketplace_app")
    other = room.api.seller()
    assert room.api.product(other, sku="B-1")["sku"] == "B-1"  # another store's
    answer = room.api.post(
        "/api/products",
        room.seller,
        json={"name": "Teh", "price": "1.00", "stock": 1, "sku": "B-1"},
    )
    assert answer.status_code in (409, 500)  # 409 once variants have words in errors
    room.become("none")


def test_sellables_knows_both_kinds(room: Room):
    simple, (product, (red, blue)) = (
        room.product(1, price="5000.00"),
        room.product_with_variants(1, 1),
    )
    room.conn.execute(
        "UPDATE products SET weight_grams = 300, length_cm = 20, width_cm = 20, height_cm = 10"
    )
    room.conn.execute("UPDATE variants SET weight_grams = 900, hidden = true WHERE id = %s", [blue])
    room.conn.execute("UPDATE inventory SET on_sale = false WHERE variant_id = %s", [blue])
    found = rows(
        room, "SELECT product_id, variant_id, price::text AS price, weight_grams, hidden, options FROM sellables"
        " WHERE product_id = ANY(%s) ORDER BY product_id, variant_id", [simple, product],
    )  # fmt: skip
    assert [tuple(row.values()) for row in found] == [
        (simple, 0, "5000.00", 667, False, []),
        (product, red, "85000.00", 667, False, ["Warna 1"]),
        (product, blue, "85000.00", 900, True, ["Warna 2"]),
    ]
    price = "SELECT unit_price(%s, %s, 1)::text AS price"
    assert rows(room, price, product, red) == [{"price": "85000.00"}]
    assert rows(room, price, product, 0) == [{"price": None}]


# Stores and users ------------------------------------------------------------------------------------------------


def state(room: Room) -> tuple[str, str | None]:
    row = rows(room, "SELECT state, state_reason FROM stores WHERE id = %s", room.seller.store_id)[
        0
    ]
    return row["state"], row["state_reason"]


def test_a_store_goes_with_its_owner_and_comes_back_with_them(room: Room):
    admin = room.user("admin")
    for suspend, wanted in (
        (True, ("suspended", "owner")),
        (None, ("suspended", "owner")),
        (False, ("active", None)),
    ):
        act_as(room.conn, admin.id)
        with role(room.conn, "marketplace_app"):
            room.conn.execute("SELECT auth.manage_user(%s, NULL, %s)", [room.seller.id, suspend])
        assert state(room) == wanted


def test_what_an_admin_said_of_a_store_stays_when_its_owner_comes_back(room: Room):
    act_as(room.conn, room.user("admin").id)
    with role(room.conn, "marketplace_app"):
        room.conn.execute(
            "UPDATE stores SET state = 'suspended', state_reason = 'counterfeits' WHERE id = %s",
            [room.seller.store_id],
        )
        room.conn.execute("SELECT auth.manage_user(%s, NULL, true)", [room.seller.id])
        room.conn.execute("SELECT auth.manage_user(%s, NULL, false)", [room.seller.id])
    assert state(room) == ("suspended", "counterfeits")


def test_settings_of_a_store_are_its_own(room: Room):
    act_as(room.conn, room.seller.id)
    with role(room.conn, "marketplace_app"):
        room.conn.execute(
            "INSERT INTO store_settings (store_id, origin) VALUES (%s, '{}')",
            [room.seller.store_id],
        )
    with refused(room.conn, "42501"), role(room.conn, "marketplace_app"):
        room.conn.execute("UPDATE store_settings SET cod_collector = 'platform'")
    stranger, third = room.user("seller"), room.user("seller")
    act_as(room.conn, stranger.id)
    with role(room.conn, "marketplace_app"):
        assert rows(room, "SELECT store_id FROM store_settings") == []
        assert room.conn.execute("UPDATE store_settings SET taxable = true").rowcount == 0
    with refused(room.conn, "42501"), role(room.conn, "marketplace_app"):
        room.conn.execute("INSERT INTO store_settings (store_id) VALUES (%s)", [third.store_id])
    act_as(room.conn, room.user("admin").id)
    with role(room.conn, "marketplace_app"):
        assert (
            room.conn.execute("UPDATE store_settings SET cod_collector = 'platform'").rowcount == 1
        )
    assert rows(room, "SELECT FROM audit WHERE type NOT IN ('store', 'user', 'product')") == []


def test_who_is_forgotten_takes_the_stores_city_logo_number_and_address_along(room: Room):
    store = room.seller.store_id
    room.conn.execute(
        "UPDATE stores SET city = 'Serang', whatsapp = '0812', logo = jsonb_build_object('url', chr(127) || repeat('a', 64))"
        " WHERE id = %s", [store],
    )  # fmt: skip
    room.conn.execute(
        'INSERT INTO store_settings (store_id, origin) VALUES (%s, \'{"city": "Serang"}\')', [store]
    )
    [proof] = rows(
        room, "SELECT password_hash FROM auth.credentials WHERE user_id = %s", room.seller.id
    )
    act_as(room.conn, room.seller.id)
    with role(room.conn, "marketplace_app"):
        room.conn.execute("SELECT auth.forget_me(%s)", [proof["password_hash"]])
    assert rows(room, "SELECT city, logo, whatsapp FROM stores WHERE id = %s", store) == [
        {"city": None, "logo": None, "whatsapp": None}
    ]
    assert rows(room, "SELECT FROM store_settings") == []


def test_a_picture_that_is_a_logo_is_used(room: Room):
    room.conn.execute(
        "UPDATE stores SET logo = jsonb_build_object('url', chr(127) || repeat('a', 64)) WHERE id = %s",
        [room.seller.store_id],
    )
    query = "SELECT lock_unused_pictures(ARRAY[repeat('a', 64), repeat('b', 64)]) AS digest"
    with role(room.conn, "marketplace_worker"):
        assert rows(room, query) == [{"digest": "b" * 64}]


# The worker ------------------------------------------------------------------------------------------------------


def settle(room: Room, most: int = 100) -> list[int]:
    with role(room.conn, "marketplace_worker"):
        return list(
            rows(room, "SELECT settle_store(%s, %s) AS ids", room.seller.store_id, most)[0]["ids"]
        )


def hidden(room: Room, *products: int) -> list[bool]:
    return [
        row["hidden"]
        for row in rows(
            room, "SELECT hidden FROM products WHERE id = ANY(%s) ORDER BY id", [*products]
        )
    ]


def test_products_of_a_stopped_store_are_hidden_some_at_a_time_and_come_back_as_they_were(
    room: Room,
):
    ids = [room.product(1) for _ in range(3)] + [room.product(1, hidden=True), room.product(1)]
    room.conn.execute(
        "UPDATE products SET blocked = 'counterfeit', hidden = true, hidden_before = false WHERE id = %s",
        [ids[4]],
    )
    assert settle(room) == []
    stop = "UPDATE stores SET state = %s WHERE id = %s"
    room.conn.execute(stop, ["suspended", room.seller.store_id])
    assert [settle(room, 3), settle(room, 3), settle(room, 3)] == [ids[:3], [ids[3]], []]
    assert hidden(room, *ids) == [True] * 5
    late = room.product(1)  # added meanwhile
    assert settle(room) == [late]
    room.conn.execute(stop, ["active", room.seller.store_id])
    assert settle(room) == [*ids[:4], late]
    assert hidden(room, *ids, late) == [False, False, False, True, True, False]
    assert settle(room) == []
    assert rows(room, "SELECT settle_store(987654321, 5) AS ids") == [{"ids": []}]


def test_low_stock_lists_what_is_on_sale_and_has_few_pieces(room: Room):
    few, many, out_of_sale = room.product(2), room.product(50), room.product(0, hidden=True)
    product, (red, blue) = room.product_with_variants(3, 1)
    room.conn.execute("UPDATE inventory SET on_sale = false WHERE variant_id = %s", [blue])
    room.conn.execute("UPDATE variants SET hidden = true WHERE id = %s", [blue])

    def refreshed() -> list[tuple[int, ...]]:
        with role(room.conn, "marketplace_worker"):
            room.conn.execute("SELECT refresh_low_stock(5)")
        found = rows(
            room,
            "SELECT store_id, product_id, variant_id, quantity FROM low_stock ORDER BY product_id",
        )
        return [tuple(row.values()) for row in found]

    store = room.seller.store_id
    assert refreshed() == [(store, few, 0, 2), (store, product, red, 3)]
    room.conn.execute("UPDATE inventory SET quantity = 1 WHERE product_id = ANY(%s)", [[many, few]])
    room.conn.execute("UPDATE inventory SET quantity = 9 WHERE variant_id = %s", [red])
    assert refreshed() == [(store, few, 0, 1), (store, many, 0, 1)]
    assert out_of_sale not in {
        row["product_id"] for row in rows(room, "SELECT product_id FROM low_stock")
    }
    act_as(room.conn, room.user("seller").id)
    with role(room.conn, "marketplace_app"):
        assert rows(room, "SELECT FROM low_stock") == []
    act_as(room.conn, room.seller.id)
    with role(room.conn, "marketplace_app"):
        assert len(rows(room, "SELECT FROM low_stock")) == 2


def test_a_seller_reads_the_movements_of_their_own_stock(room: Room):
    product = room.product(10)
    room.conn.execute("UPDATE inventory SET quantity = 4 WHERE product_id = %s", [product])
    seen = []
    for who in (
        room.seller.id,
        room.user("admin").id,
        room.user("seller").id,
        room.user("buyer").id,
        None,
    ):
        act_as(room.conn, who)
        with role(room.conn, "marketplace_app"):
            seen.append(len(rows(room, "SELECT FROM stock_movements")))
    assert seen == [2, 2, 0, 0, 0]


def test_new_openings_are_written_before_a_month_goes(room: Room):
    products = [room.product(10) for _ in range(3)]
    hold(room.conn, [(1, product, 0, 4) for product in products])
    room.conn.execute("UPDATE inventory SET opened_at = opened_at - interval '800 days'")
    done = [rows(room, "SELECT reopen_stock(749, 2) AS done")[0]["done"] for _ in range(3)]
    assert done == [2, 1, 0]
    assert moves(room.conn, products[0])[-1] == Moved("opening", 6, 4)
    room.conn.execute("UPDATE inventory SET quantity = 5 WHERE product_id = %s", [products[0]])
    assert stock(room.conn, products[0]) == Stock(5, 4)


def test_a_table_of_months_is_a_row(room: Room):
    conn = room.conn
    conn.execute(
        "CREATE TABLE notes (created_at timestamptz NOT NULL) PARTITION BY RANGE (created_at)"
    )
    make = "SELECT make_month_partitions('notes', 2) AS made"
    with refused(conn, "22023"):
        conn.execute(make)
    conn.execute("INSERT INTO month_tables (name, append_only) VALUES ('notes', true)")
    with role(conn, "marketplace_worker"):
        assert rows(room, make) == [{"made": 3}]
        assert rows(room, make) == [{"made": 0}]
    month = rows(room, "SELECT 'notes_' || to_char(now() AT TIME ZONE 'UTC', 'YYYY_MM') AS name")[
        0
    ]["name"]
    with refused(conn, "42501"):
        conn.execute(f"TRUNCATE {month}")
    conn.execute(
        "CREATE TABLE notes_2019_01 PARTITION OF notes FOR VALUES FROM ('2019-01-01') TO ('2019-02-01')"
    )
    with role(conn, "marketplace_worker"):
        assert rows(room, "SELECT drop_month_partitions('notes', 750) AS dropped") == [
            {"dropped": 1}
        ]
    for call in ("drop_month_partitions('products', 750)", "drop_month_partitions('notes', 0)"):
        with refused(conn, "22023"):
            conn.execute(f"SELECT {call}")


def card(room: Room, product: int) -> tuple[int, str]:
    """What a list shows of the stock of a product, and what its tag is made of."""
    row = rows(
        room, "SELECT stock, stock_tag, document FROM product_cards WHERE product_id = %s", product
    )[0]
    shown = json.loads(row["document"].replace(chr(127), ""))
    assert (shown["stock"], shown["in_stock"]) == (row["stock"], row["stock"] > 0)
    return row["stock"], row["stock_tag"]


def test_the_stock_of_a_card_is_that_of_all_variants_on_sale(room: Room):
    assert card(room, room.product(7)) == (7, "7")
    product, (red, blue) = room.product_with_variants(3, 4)
    stock_of_both, first = card(room, product)
    assert stock_of_both == 7
    room.conn.execute(
        "UPDATE inventory SET quantity = CASE variant_id WHEN %s THEN 4 ELSE 3 END WHERE product_id = %s",
        [red, product],
    )
    stock_of_both, second = card(room, product)
    assert stock_of_both == 7
    assert first != second  # two opposite changes leave the sum alone
    room.conn.execute("UPDATE inventory SET on_sale = false WHERE variant_id = %s", [blue])
    room.conn.execute("UPDATE variants SET hidden = true WHERE id = %s", [blue])
    assert card(room, product)[0] == 4
    room.conn.execute(
        "UPDATE inventory SET on_sale = true, quantity = 2000000000 WHERE product_id = %s",
        [product],
    )
    room.conn.execute("UPDATE variants SET hidden = false WHERE id = %s", [blue])
    assert card(room, product)[0] == 2**31 - 1
