"""Many orders, sellers and hands at the same stock at once: short forms of tests/system/stock_trials.py."""

import psycopg
from conftest import Api
from psycopg.rows import dict_row
from support.racing import racing
from support.stock import Stock, broken, hold, release, stock, take
from system.stock_trials import Mix, deadlocks, pairs, stocked


def test_many_sides_at_once_leave_the_stock_that_is_told(committed: Api):
    with psycopg.connect(committed.owner_url, row_factory=dict_row) as conn:
        shelf = stocked(conn, 12, 20)
        mix = Mix(committed.owner_url, shelf, threads=8, seconds=2, seed=7)
        mix.run()
        assert mix.failed == []
        assert {"hold", "short", "release", "rehold", "ship", "batch", "hand"} <= set(mix.done)
        assert (deadlocks(conn), broken(conn)) == (0, [])


def test_two_products_sold_out_through_different_variants_at_once_are_out_of_stock(committed: Api):
    sold_out = pairs(committed.owner_url, 30)
    assert (sold_out.placed, sold_out.wrong, sold_out.failed) == (60, 0, [])
    with psycopg.connect(committed.owner_url, row_factory=dict_row) as conn:
        assert (deadlocks(conn), broken(conn)) == (0, [])


def test_the_last_pieces_go_to_as_many_as_there_are_pieces(committed: Api):
    product = committed.product(committed.seller(), stock=5)["id"]
    found = racing(
        committed.owner_url, lambda conn, side: hold(conn, [(side + 1, product, 0, 1)]), 12
    )
    assert sorted(len(short) for short in found) == [0] * 5 + [1] * 7
    with psycopg.connect(committed.owner_url) as conn:
        assert stock(conn, product) == Stock(0, 5)
        assert broken(conn) == []


def test_a_lapsed_hold_goes_to_one_of_those_who_are_short(committed: Api):
    product = committed.product(committed.seller(), stock=3)["id"]
    with psycopg.connect(committed.owner_url) as conn:
        hold(conn, [(1, product, 0, 3)], minutes=-1)
    found = racing(
        committed.owner_url, lambda conn, side: hold(conn, [(side + 2, product, 0, 2)]), 6
    )
    assert sorted(len(short) for short in found) == [0] + [1] * 5
    with psycopg.connect(committed.owner_url) as conn:
        assert stock(conn, product) == Stock(1, 2)
        assert broken(conn) == []


def test_what_is_released_twice_at_once_comes_back_once(committed: Api):
    product = committed.product(committed.seller(), stock=5)["id"]
    with psycopg.connect(committed.owner_url) as conn:
        hold(conn, [(1, product, 0, 4)])
    found = racing(committed.owner_url, lambda conn, side: release(conn, 1), 6)
    assert sorted(found) == [0, 0, 0, 0, 0, 1]
    with psycopg.connect(committed.owner_url) as conn:
        assert stock(conn, product) == Stock(5, 0)


def test_what_is_shipped_twice_at_once_leaves_once(committed: Api):
    product = committed.product(committed.seller(), stock=5)["id"]
    with psycopg.connect(committed.owner_url) as conn:
        hold(conn, [(1, product, 0, 4)], minutes=None)
    found = racing(
        committed.owner_url,
        lambda conn, side: take(conn, "ship_stock", 1, [(product, 0, 4)]),
        6,
    )
    refused = [each for each in found if each is not None]
    assert [each.diag.constraint_name for each in refused] == ["holds_quantity_check"] * 5
    with psycopg.connect(committed.owner_url) as conn:
        assert stock(conn, product) == Stock(1, 0)
        assert broken(conn) == []
