"""Verbs of stock: what each does to stock, holds and movements; what it refuses; that twice does no harm."""

from typing import Any

import pytest
from support.stock import (
    Moved,
    Room,
    Stock,
    act_as,
    columns,
    hold,
    holds,
    moves,
    refused,
    rehold,
    release,
    role,
    stock,
    take,
)

LAPSED = -1  # minutes


def set_stock(room: Room, *rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Send a batch of rows as the API does; what became of each."""
    names = ("number", "product_id", "variant_id", "sku", "set_to", "counted", "change", "expected")
    values = columns(
        [[{"number": place, **row}.get(name) for name in names] for place, row in enumerate(rows)],
        8,
    )
    query = (
        "SELECT * FROM set_stock(%s, %s::integer[], %s::bigint[], %s::bigint[], %s::text[], %s::integer[],"
        " %s::integer[], %s::integer[], %s::integer[], %s, %s)"
    )
    store = options.get("store", room.seller.store_id)
    flags = [options.get("all_or_none", False), options.get("dry_run", False)]
    return room.conn.execute(query, [store, *values, *flags]).fetchall()


def outcomes(rows: list[dict[str, Any]]) -> list[str]:
    return [row["outcome"] for row in rows]


def test_hold_takes_from_what_can_be_sold_and_says_so(room: Room):
    product = room.product(10)
    assert hold(room.conn, [(1, product, 0, 4)]) == []
    assert stock(room.conn, product) == Stock(6, 4)
    assert holds(room.conn, 1) == {(product, 0): (4, False)}
    assert moves(room.conn, product) == [Moved("opening", 10, 0), Moved("hold", -4, 4)]


def test_a_firm_hold_has_no_end(room: Room):
    product = room.product(10)
    hold(room.conn, [(1, product, 0, 4)], minutes=None)
    assert holds(room.conn, 1) == {(product, 0): (4, True)}


def test_hold_tells_what_is_short_and_holds_nothing_at_all(room: Room):
    rich, poor = room.product(10), room.product(2)
    short = hold(room.conn, [(1, rich, 0, 3), (1, poor, 0, 5), (1, 987654321, 0, 1)])
    assert short == [
        {"product_id": poor, "variant_id": 0, "wanted": 5, "available": 2},
        {"product_id": 987654321, "variant_id": 0, "wanted": 1, "available": 0},
    ]
    assert (stock(room.conn, rich), stock(room.conn, poor)) == (Stock(10, 0), Stock(2, 0))
    assert holds(room.conn, 1) == {}
    assert moves(room.conn, rich) == moves(room.conn, poor) == []


def test_the_same_product_on_two_lines_and_in_two_orders_is_summed_before_it_is_judged(room: Room):
    product = room.product(5)
    assert hold(room.conn, [(1, product, 0, 2), (1, product, 0, 2), (2, product, 0, 2)]) == [
        {"product_id": product, "variant_id": 0, "wanted": 6, "available": 5}
    ]
    assert hold(room.conn, [(1, product, 0, 2), (1, product, 0, 1), (2, product, 0, 2)]) == []
    assert stock(room.conn, product) == Stock(0, 5)
    assert holds(room.conn, 1) == {(product, 0): (3, False)}


def test_variants_are_held_each_by_itself(room: Room):
    product, (red, blue) = room.product_with_variants(1, 1)
    assert hold(room.conn, [(1, product, red, 1)]) == []
    assert hold(room.conn, [(2, product, red, 1)])[0]["variant_id"] == red
    assert hold(room.conn, [(2, product, blue, 1)]) == []
    assert hold(room.conn, [(3, product, 0, 1)]) == [
        {"product_id": product, "variant_id": 0, "wanted": 1, "available": 0}
    ]


def test_a_lapsed_hold_is_taken_over_by_who_is_short(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 4)], minutes=LAPSED)
    assert hold(room.conn, [(2, product, 0, 3)]) == []
    assert stock(room.conn, product) == Stock(2, 3)
    assert holds(room.conn, 1) == {}
    assert sorted(moves(room.conn, product)[2:]) == [Moved("hold", -3, 3), Moved("release", 4, -4)]
    assert release(room.conn, 1) == 0


def test_who_is_not_short_leaves_a_lapsed_hold_alone(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 2)], minutes=LAPSED)
    assert hold(room.conn, [(2, product, 0, 3)]) == []
    assert holds(room.conn, 1) == {(product, 0): (2, False)}


def test_a_hold_that_has_not_lapsed_or_is_firm_is_nobody_elses(room: Room):
    product = room.product(4)
    hold(room.conn, [(1, product, 0, 2)], minutes=1)
    hold(room.conn, [(2, product, 0, 2)], minutes=None)
    assert hold(room.conn, [(3, product, 0, 1)])[0]["available"] == 0


def test_a_shortage_leaves_lapsed_holds_as_they_were(room: Room):
    product, other = room.product(5), room.product(1)
    hold(room.conn, [(1, product, 0, 4)], minutes=LAPSED)
    short = hold(room.conn, [(2, product, 0, 3), (2, other, 0, 9)])
    assert [row["product_id"] for row in short] == [other]
    assert (holds(room.conn, 1), stock(room.conn, product)) == (
        {(product, 0): (4, False)},
        Stock(1, 4),
    )


@pytest.mark.parametrize("minutes", [30, LAPSED])
def test_an_order_that_holds_already_is_refused_a_second_hold(room: Room, minutes: int):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 3)], minutes=minutes)
    with refused(room.conn, "23505", "holds_pkey"):
        hold(room.conn, [(1, product, 0, 2)])
    assert stock(room.conn, product) == Stock(2, 3)


@pytest.mark.parametrize("line", [(1, None, 0, 1), (1, 7, None, 1), (1, 7, 0, None), (1, 7, 0, 0), (1, 7, 0, -1),
                                  (None, 7, 0, 1)])  # fmt: skip
def test_lines_that_do_not_say_all_are_refused_by_each_verb(room: Room, line: Any):
    for verb in (hold, rehold):
        with refused(room.conn, "23514", "holds_quantity_check"):
            verb(room.conn, [line])
    for name in ("release_lines", "ship_stock", "return_stock"):
        with refused(room.conn, "23514", "holds_quantity_check"):
            take(room.conn, name, line[0], [line[1:]])


def test_arrays_of_other_lengths_are_refused(room: Room):
    product = room.product(5)
    for arrays in (
        ([1], [product], [0], [1, 1]),
        ([1, 2], [product], [0], [1]),
        ([1], [product, product], [0], [1]),
    ):
        with refused(room.conn, "23514", "holds_quantity_check"):
            room.conn.execute(
                "SELECT hold_stock(%s::bigint[], %s::bigint[], %s::bigint[], %s::integer[], NULL)",
                arrays,
            )
    assert stock(room.conn, product) == Stock(5, 0)


def test_nothing_to_hold_holds_nothing(room: Room):
    assert hold(room.conn, []) == []
    assert rehold(room.conn, []) == []
    assert release(room.conn) == 0
    take(room.conn, "ship_stock", 1, [])


def test_release_gives_all_back_and_finds_nothing_the_second_time(room: Room):
    first, second = room.product(5), room.product(6)
    hold(room.conn, [(1, first, 0, 2), (1, second, 0, 3), (2, first, 0, 1)])
    assert release(room.conn, 1) == 2
    assert (stock(room.conn, first), stock(room.conn, second)) == (Stock(4, 1), Stock(6, 0))
    assert release(room.conn, 1) == 0
    assert (stock(room.conn, first), stock(room.conn, second)) == (Stock(4, 1), Stock(6, 0))
    assert moves(room.conn, second)[-1] == Moved("release", 3, -3)


def test_release_of_some_lines_leaves_the_rest_held(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 4)])
    take(room.conn, "release_lines", 1, [(product, 0, 1), (product, 0, 1)])
    assert (stock(room.conn, product), holds(room.conn, 1)) == (
        Stock(3, 2),
        {(product, 0): (2, False)},
    )
    take(room.conn, "release_lines", 1, [(product, 0, 2)])
    assert (stock(room.conn, product), holds(room.conn, 1)) == (Stock(5, 0), {})


def test_ship_takes_pieces_out_of_their_hold_and_out_of_the_store(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 4)])
    take(room.conn, "ship_stock", 1, [(product, 0, 3)])
    assert (stock(room.conn, product), holds(room.conn, 1)) == (
        Stock(1, 1),
        {(product, 0): (1, False)},
    )
    assert moves(room.conn, product)[-1] == Moved("ship", 0, -3)


@pytest.mark.parametrize("verb", ["release_lines", "ship_stock"])
def test_more_than_is_held_is_refused_and_nothing_is_taken(room: Room, verb: str):
    product, other = room.product(5), room.product(5)
    hold(room.conn, [(1, product, 0, 2), (1, other, 0, 2), (2, product, 0, 2)])
    for lines in (
        [(product, 0, 3)],
        [(other, 0, 1), (product, 0, 3)],
        [(product, 0, 2), (product, 0, 1)],
        [(7, 0, 1)],
    ):
        with refused(room.conn, "23514", "holds_quantity_check"):
            take(room.conn, verb, 1, lines)
    assert (stock(room.conn, product), stock(room.conn, other)) == (Stock(1, 4), Stock(3, 2))
    take(room.conn, verb, 1, [(product, 0, 2), (other, 0, 2)])
    with refused(room.conn, "23514", "holds_quantity_check"):
        take(room.conn, verb, 1, [(product, 0, 2), (other, 0, 2)])


def test_what_comes_back_can_be_sold_again(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 5)], minutes=None)
    take(room.conn, "ship_stock", 1, [(product, 0, 5)])
    take(room.conn, "return_stock", 1, [(product, 0, 2), (product, 0, 1)])
    assert stock(room.conn, product) == Stock(3, 0)
    assert moves(room.conn, product)[-1] == Moved("return", 3, 0)


def test_what_was_sold_before_there_were_options_comes_back_as_the_first_variant(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 2)], minutes=None)
    take(room.conn, "ship_stock", 1, [(product, 0, 2)])
    first, _ = add_options(room, product)
    take(room.conn, "return_stock", 1, [(product, 0, 2)])
    assert stock(room.conn, product, first) == Stock(5, 0)


def test_what_has_no_stock_cannot_come_back(room: Room):
    product, (red, _) = room.product_with_variants(1, 1)
    for lines in ([(product, red + 1000, 1)], [(product, red, 1), (987654321, 0, 1)]):
        with refused(room.conn, "23514", "holds_quantity_check"):
            take(room.conn, "return_stock", 1, lines)
    assert stock(room.conn, product, red) == Stock(1, 0)


def test_rehold_makes_holds_firm_and_twice_does_no_harm(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 3)], minutes=LAPSED)
    for _ in range(2):
        assert rehold(room.conn, [(1, product, 0, 2), (1, product, 0, 1)]) == [1]
        assert (stock(room.conn, product), holds(room.conn, 1)) == (
            Stock(2, 3),
            {(product, 0): (3, True)},
        )
    assert len(moves(room.conn, product)) == 2


def test_rehold_holds_again_what_was_sold_to_others_as_long_as_there_is_stock(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 3)], minutes=LAPSED)
    hold(room.conn, [(2, product, 0, 4)])
    assert holds(room.conn, 1) == {}
    assert rehold(room.conn, [(1, product, 0, 3)]) == []
    take(room.conn, "release_lines", 2, [(product, 0, 2)])
    assert rehold(room.conn, [(1, product, 0, 3)]) == [1]
    assert (stock(room.conn, product), holds(room.conn, 1)) == (
        Stock(0, 5),
        {(product, 0): (3, True)},
    )


def test_rehold_takes_over_what_has_lapsed_of_others(room: Room):
    product = room.product(5)
    hold(room.conn, [(2, product, 0, 4)], minutes=LAPSED)
    assert rehold(room.conn, [(1, product, 0, 5)]) == [1]
    assert (stock(room.conn, product), holds(room.conn, 2)) == (Stock(0, 5), {})


def test_rehold_holds_an_order_wholly_or_gives_back_what_it_still_held(room: Room):
    rich, poor = room.product(5), room.product(5)
    hold(room.conn, [(1, rich, 0, 2), (1, poor, 0, 2)], minutes=LAPSED)
    hold(room.conn, [(2, poor, 0, 5)], minutes=None)
    assert rehold(room.conn, [(1, rich, 0, 2), (1, poor, 0, 2), (3, rich, 0, 1)]) == [3]
    assert holds(room.conn, 1) == {}
    assert (stock(room.conn, rich), stock(room.conn, poor)) == (Stock(4, 1), Stock(0, 5))


def test_rehold_gives_back_what_an_order_needs_no_more(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 4)])
    assert rehold(room.conn, [(1, product, 0, 1)]) == [1]
    assert (stock(room.conn, product), holds(room.conn, 1)) == (
        Stock(4, 1),
        {(product, 0): (1, True)},
    )


def test_two_orders_that_lack_one_product_get_it_in_the_order_of_their_ids(room: Room):
    product = room.product(3)
    assert rehold(room.conn, [(2, product, 0, 2), (1, product, 0, 2)]) == [1]
    assert (stock(room.conn, product), holds(room.conn, 2)) == (Stock(1, 2), {})


def test_a_seller_sets_stock_in_a_batch(room: Room):
    product, (red, blue) = room.product_with_variants(4, 4)
    simple, named = room.product(10), room.product(10, sku="A-1")
    room.conn.execute("UPDATE variants SET sku = 'B-1' WHERE id = %s", [blue])
    hold(room.conn, [(1, simple, 0, 3)])
    act_as(room.conn, room.seller.id)
    rows = set_stock(
        room,
        {"product_id": product, "variant_id": red, "set_to": 9},
        {"sku": "B-1", "change": -3},
        {"product_id": simple, "counted": 8},
        {"sku": "A-1", "set_to": 0, "expected": 10},
    )
    assert [(row["outcome"], row["product_id"], row["variant_id"], row["stock"], row["reserved"]) for row in rows] == [
        ("done", product, red, 9, 0), ("done", product, blue, 1, 0), ("done", simple, 0, 5, 3), ("done", named, 0, 0, 0),
    ]  # fmt: skip
    assert stock(room.conn, simple) == Stock(5, 3)
    assert moves(room.conn, simple)[-1] == Moved("set", -2, 0)


def test_each_row_of_a_batch_has_its_outcome_and_does_not_hold_up_the_others(room: Room):
    ids = [room.product(10) for _ in range(7)]
    hold(room.conn, [(1, ids[6], 0, 6)])
    theirs = room.api.product(room.user("seller"), stock=3)["id"]
    act_as(room.conn, room.seller.id)
    batch: list[dict[str, Any]] = [
        {
            "product_id": ids[0],
            "set_to": 10,
            "expected": 99,
        },  # as it is: a lost answer costs nothing
        {"product_id": ids[1], "set_to": 11, "expected": 99},
        {"product_id": ids[2], "change": -11},
        {"product_id": ids[3], "set_to": 5, "change": 1},
        {"product_id": ids[3], "set_to": 5},
        {"product_id": ids[4]},
        {"product_id": ids[5], "change": 1_000_000_000},
        {"product_id": ids[6], "counted": 5},
        {"product_id": theirs, "set_to": 1},
        {"product_id": 987654321, "set_to": 1},
        {"sku": "nobody's", "set_to": 1},
        {"set_to": 1},
        {"product_id": ids[0], "variant_id": 5, "set_to": 1},
        {"product_id": ids[1], "change": 2, "expected": 10},
    ]
    wanted = [
        "unchanged", "precondition_failed", "not_enough_stock", "invalid", "duplicate_row", "invalid", "invalid",
        "not_enough_stock", "not_found", "not_found", "not_found", "not_found", "not_found", "duplicate_row",
    ]  # fmt: skip
    assert outcomes(set_stock(room, *batch)) == wanted
    assert [stock(room.conn, product).quantity for product in ids] == [10, 10, 10, 10, 10, 10, 4]
    assert stock(room.conn, theirs) == Stock(3, 0)
    assert outcomes(set_stock(room, *reversed(batch)))[::-1][4] == "done"  # rows in any order


def test_a_batch_of_all_or_none_writes_nothing_where_a_row_fails(room: Room):
    first, second = room.product(10), room.product(10)
    act_as(room.conn, room.seller.id)
    batch = [{"product_id": first, "set_to": 1}, {"product_id": second, "set_to": 1, "expected": 9}]
    assert outcomes(set_stock(room, *batch, all_or_none=True)) == ["done", "precondition_failed"]
    assert stock(room.conn, first) == Stock(10, 0)
    assert outcomes(set_stock(room, {"product_id": first, "set_to": 1}, {"product_id": second, "set_to": 10},
                              all_or_none=True)) == ["done", "unchanged"]  # fmt: skip
    assert stock(room.conn, first) == Stock(1, 0)


def test_a_dry_run_says_the_same_and_changes_nothing(room: Room):
    product = room.product(10)
    act_as(room.conn, room.seller.id)
    batch = [{"product_id": product, "change": -3}]
    said = set_stock(room, *batch, dry_run=True)
    assert (stock(room.conn, product), moves(room.conn, product)) == (Stock(10, 0), [])
    assert set_stock(room, *batch) == said
    assert (said[0]["stock"], stock(room.conn, product).quantity) == (7, 7)


def test_stock_is_set_by_its_store_or_an_admin_and_nobody_else(room: Room):
    product = room.product(10)
    row = {"product_id": product, "set_to": 3}
    for who in (None, room.user("buyer").id, room.user("seller").id):
        act_as(room.conn, who)
        with refused(room.conn, "42501"):
            set_stock(room, row)
    act_as(room.conn, room.user("admin").id)
    with role(room.conn, "marketplace_app"):
        assert outcomes(set_stock(room, row)) == ["done"]
        assert outcomes(set_stock(room, row)) == ["unchanged"]
    assert moves(room.conn, product) == [Moved("opening", 10, 0), Moved("set", -7, 0)]


def add_options(room: Room, product: int) -> tuple[int, int]:
    """Give a simple product options as the API does: two variants, of which the first takes over its stock."""
    conn = room.conn
    act_as(conn, room.seller.id)
    with role(conn, "marketplace_app"):
        ids = conn.execute(
            "INSERT INTO variants (product_id, store_id, position, options, price)"
            " SELECT %s, 0, n, ARRAY[n::text], 85000 FROM generate_series(1, 2) AS n RETURNING id",
            [product],
        ).fetchall()
        first, second = sorted(row["id"] for row in ids)
        conn.execute(
            "UPDATE products SET option_names = '{Ukuran}', variant_count = 2 WHERE id = %s",
            [product],
        )
        conn.execute("SELECT turn_into_variants(%s, %s)", [product, first])
        conn.execute(
            "INSERT INTO inventory (product_id, variant_id, quantity) VALUES (%s, %s, 0)",
            [product, second],
        )
    return first, second


def test_a_product_that_gets_options_gives_its_stock_to_the_first_variant(room: Room):
    product = room.product(5)
    first, second = add_options(room, product)
    assert (stock(room.conn, product, first), stock(room.conn, product, second)) == (
        Stock(5, 0),
        Stock(0, 0),
    )
    assert moves(room.conn, product) == [Moved("turn", -5, 0)]
    assert moves(room.conn, product, first) == [Moved("opening", 5, 0)]
    hold(room.conn, [(1, product, first, 2)])
    assert stock(room.conn, product, first) == Stock(3, 2)


def test_a_product_with_open_orders_gets_no_options(room: Room):
    product = room.product(5)
    hold(room.conn, [(1, product, 0, 1)], minutes=LAPSED)
    with refused(room.conn, "23514", "inventory_turn_check"):
        add_options(room, product)
    release(room.conn, 1)
    add_options(room, product)


def test_options_are_given_by_the_store_or_an_admin_and_to_variants_of_the_product(room: Room):
    product, other = room.product(5), room.product_with_variants(1)[1][0]
    for who in (None, room.user("seller").id):
        act_as(room.conn, who)
        with refused(room.conn, "42501"):
            room.conn.execute("SELECT turn_into_variants(%s, %s)", [product, other])
    act_as(room.conn, room.seller.id)
    with refused(room.conn, "23503", "variants_pkey"):
        room.conn.execute("SELECT turn_into_variants(%s, %s)", [product, other])
    with refused(room.conn, "42501"):
        room.conn.execute("SELECT turn_into_variants(987654321, %s)", [other])


@pytest.mark.parametrize(
    "call",
    ["hold_stock('{1}', '{1}', '{0}', '{1}', NULL)", "rehold_stock('{1}', '{1}', '{0}', '{1}')", "release_stock('{1}')",
     "release_lines(1, '{1}', '{0}', '{1}')", "ship_stock(1, '{1}', '{0}', '{1}')", "settle_in_stock('{1}')",
     "return_stock(1, '{1}', '{0}', '{1}')", "take_held(1, '{1}', '{0}', '{1}', 'ship')", "lock_stock('{1}', '{0}')",
     "broken_invariants()", "settle_store(1, 1)", "refresh_low_stock(1)", "reopen_stock(1, 1)"],
)  # fmt: skip
def test_the_api_calls_no_verb_of_orders_and_no_step_of_the_worker(room: Room, call: str):
    act_as(room.conn, room.user("admin").id)
    with refused(room.conn, "42501"), role(room.conn, "marketplace_app"):
        room.conn.execute(f"SELECT {call}")
