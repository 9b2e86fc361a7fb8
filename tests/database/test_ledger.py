"""The books: one writer, entries that sum to 0, once each, and balances that follow."""

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from conftest import Api
from psycopg.rows import dict_row
from support.racing import racing
from support.stock import Room, act_as, broken, refused
from support.trade import Trade
from system.books_trials import post
from system.stock_trials import deadlocks

ENTRY = [("bank", 100), ("payable", -90, 7), ("commission", -10)]


@pytest.fixture
def trade(room: Room) -> Trade:
    return Trade(room)


def postings(trade: Trade, entry: int) -> list[tuple[Any, ...]]:
    query = (
        "SELECT p.line, a.kind, a.store_id, a.provider, p.amount, p.order_id FROM ledger_postings AS p"
        " JOIN ledger_accounts AS a ON a.id = p.account_id WHERE p.entry_id = %s ORDER BY p.line"
    )
    return [tuple(row.values()) for row in trade.conn.execute(query, [entry]).fetchall()]


def balance(trade: Trade, store: int) -> Any:
    return trade.one(
        "SELECT coalesce(max(balance), 0) FROM store_balances WHERE store_id = %s", store
    )


def test_an_entry_is_posted_with_its_accounts_and_moves_the_balance(room: Room, trade: Trade):
    sale = trade.place()
    act_as(room.conn, sale.buyer)
    entry = trade.post("adjustment", "a", sale.order, ENTRY, why="by hand")
    act_as(room.conn, None)
    head = room.conn.execute(
        "SELECT kind, source, order_id, store_id, user_id, note FROM ledger_entries WHERE id = %s",
        [entry],
    )
    assert tuple(head.fetchone().values()) == (
        "adjustment",
        "a",
        sale.order,
        sale.store,
        sale.buyer,
        "by hand",
    )
    assert postings(trade, entry) == [
        (1, "bank", None, None, Decimal(100), sale.order),
        (2, "payable", 7, None, Decimal(-90), sale.order),
        (3, "commission", None, None, Decimal(-10), sale.order),
    ]
    assert balance(trade, 7) == 90


def test_the_same_source_again_posts_nothing_and_gets_the_entry_that_is_there(trade: Trade):
    first = trade.post("adjustment", "a", None, ENTRY)
    assert trade.post("adjustment", "a", None, ENTRY) == first
    assert (
        trade.post("adjustment", "a", None, [("bank", 5), ("payable", -4, 7)]) == first
    )  # not even looked at
    assert trade.post("top_up", "a", None, [("bank", 1), ("payable", -1, 7)]) != first
    assert len(postings(trade, first)) == 3
    assert balance(trade, 7) == 91


def test_what_is_zero_is_left_out_and_orders_may_differ_line_by_line(trade: Trade):
    entry = trade.post("payment", "payment 1", None, [
        ("provider", 30, None, "pretend"), ("escrow", -10, None, None, 5), ("escrow", -20, None, None, 6), ("commission", 0),
    ])  # fmt: skip
    assert postings(trade, entry) == [
        (1, "provider", None, "pretend", Decimal(30), None),
        (2, "escrow", None, None, Decimal(-10), 5),
        (3, "escrow", None, None, Decimal(-20), 6),
    ]
    # not to leave it unbalanced for the rest of the proof: no such orders
    trade.post("payment", "back", None, [
        ("escrow", 10, None, None, 5), ("escrow", 20, None, None, 6), ("provider", -30, None, "pretend"),
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "code", "constraint"),
    [
        ([("bank", 100), ("payable", -99, 7)], "23514", "ledger_postings_balance"),
        ([("bank", 100)], "23514", "ledger_postings_balance"),
        ([("bank", "NaN"), ("payable", "NaN", 7)], "23514", "ledger_postings_amount_check"),
        ([("payable", 1), ("bank", -1)], "23514", "ledger_accounts_owner_check"),
        ([("bank", 1, 7), ("escrow", -1)], "23514", "ledger_accounts_owner_check"),
        ([("provider", 1), ("escrow", -1)], "23514", "ledger_accounts_owner_check"),
        ([("cash", 1), ("escrow", -1)], "23514", "ledger_accounts_kind_check"),
    ],
)
def test_a_wrong_entry_is_refused_whole(
    room: Room, trade: Trade, lines: list[Any], code: str, constraint: str
):
    with refused(room.conn, code, constraint):
        trade.post("adjustment", "a", None, lines)
    assert trade.one("SELECT count(*) FROM ledger_entries") == 0
    assert balance(trade, 7) == 0


def test_not_even_the_owner_writes_past_the_check(room: Room, trade: Trade):
    entry = trade.post("adjustment", "a", None, ENTRY)
    account = trade.one(
        "SELECT account_id FROM ledger_postings WHERE entry_id = %s AND line = 1", entry
    )
    with refused(room.conn, "23514", "ledger_postings_balance"):
        room.conn.execute("INSERT INTO ledger_postings VALUES (%s, 4, %s, 1)", [entry, account])
    # several entries of one statement, each of which sums to 0
    room.conn.execute(
        "INSERT INTO ledger_entries (kind, source) SELECT 'adjustment', 'many ' || n FROM generate_series(1, 3) AS n"
    )
    rows = (
        "INSERT INTO ledger_postings (entry_id, line, account_id, amount)"
        " SELECT e.id, l.line, a.id, l.amount + CASE WHEN l.line = 1 AND e.source = %s THEN 1 ELSE 0 END"
        " FROM ledger_entries AS e CROSS JOIN (VALUES (1, 'bank', 5), (2, 'payable', -5)) AS l (line, kind, amount)"
        " JOIN ledger_accounts AS a ON a.kind = l.kind WHERE e.source LIKE 'many %%'"
    )
    with refused(room.conn, "23514", "ledger_postings_balance"):
        room.conn.execute(rows, ["many 2"])
    room.conn.execute(rows, ["none"])
    assert balance(trade, 7) == 105


def test_an_entry_undone_leaves_no_balance(room: Room, trade: Trade):
    with room.conn.transaction(force_rollback=True):
        trade.post("adjustment", "a", None, ENTRY)
    assert balance(trade, 7) == 0


def test_the_rule_of_commission_is_the_open_one(room: Room):
    ask = "SELECT * FROM resolve_commission()"
    first = room.conn.execute(ask).fetchone()
    assert (first["rate"], first["tax_rate"]) == (0, 0)
    room.conn.execute("UPDATE commission_rules SET active_to = now()")
    room.conn.execute("INSERT INTO commission_rules (rate, tax_rate) VALUES (5, 11)")
    second = room.conn.execute(ask).fetchone()
    assert (second["rate"], second["tax_rate"]) == (5, 11)
    assert second["rule_id"] > first["rule_id"]


def test_of_many_threads_only_right_entries_stand(committed: Api):
    found = post(committed.owner_url, threads=16, wrong=2, each=40)
    # wrong ones differ by 1; those whose fee is 0 too
    assert found.failed == []
    assert dict(found.done) == {"posted": 14 * 40, "ledger_postings_balance": 2 * 40}
    with psycopg.connect(committed.owner_url, row_factory=dict_row) as conn:
        row = conn.execute(
            "SELECT (SELECT count(*) FROM ledger_entries) AS entries, (SELECT sum(amount) FROM ledger_postings) AS sum,"
            " (SELECT count(*) FROM ledger_accounts) AS accounts,"
            " (SELECT sum(balance) FROM store_balances) + (SELECT sum(p.amount) FROM ledger_postings AS p"
            "  JOIN ledger_accounts AS a ON a.id = p.account_id WHERE a.kind = 'payable') AS off"
        ).fetchone()
        assert row == {"entries": 14 * 36 + 4, "sum": 0, "accounts": 7, "off": 0}
        conn.rollback()
        assert (deadlocks(conn), broken(conn, orders=True)) == (0, [])


def test_one_source_at_once_is_one_entry(committed: Api):
    query = "SELECT post_entry('payment', 'payment 1', NULL, '{bank,payable}', '{NULL,7}', '{5,-5}') AS id"
    found = racing(committed.owner_url, lambda conn, side: conn.execute(query).fetchone()["id"], 8)
    assert len(set(found)) == 1
    with psycopg.connect(committed.owner_url) as conn:
        counts = conn.execute(
            "SELECT (SELECT count(*) FROM ledger_entries), (SELECT count(*) FROM ledger_postings),"
            " (SELECT count(*) FROM ledger_accounts), (SELECT balance FROM store_balances)"
        ).fetchone()
    assert counts == (1, 2, 2, 5)
