"""Events: what tells them, and how readers go on by them: none skipped, none twice, and on after a restore."""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Api, database
from psycopg.rows import dict_row
from support.backups import another
from support.commands import command
from support.stock import Room, act_as, refused, role
from support.trade import Trade, lives
from system.books_trials import Telling, told, with_orders

from marketplace.ops import backups
from marketplace.postgres import migrations


@pytest.fixture
def trade(room: Room) -> Trade:
    return Trade(room)


def happened(trade: Trade, since: int) -> list[tuple[str, str, Any]]:
    """Type, actor and data of what was told since an event."""
    query = "SELECT type, actor, data FROM events WHERE id > %s ORDER BY id"
    return [tuple(row.values()) for row in trade.conn.execute(query, [since]).fetchall()]


def last(trade: Trade) -> int:
    return int(trade.one("SELECT coalesce(max(id), 0) FROM events"))


STEPS: list[tuple[str, str, list[tuple[str, Any]]]] = [
    # table, what is written to the order that waits (or its payment, or a refund of it), what is told
    ("orders", "note = 'x'", []),
    ("orders", "version = version + 1", []),
    ("orders", "state = 'accepted'", [("order.accepted", {})]),
    ("orders", "state = 'cancelled', cancel_reason = 'no'", [("order.cancelled", {"reason": "no", "was": "new"})]),
    ("orders", "units_shipped = 1", [("order.shipped", {"units": 1})]),
    ("orders", "units_shipped = 2, units_delivered = 2", [("order.shipped", {"units": 2}), ("order.delivered", {"units": 2})]),
    ("orders", "units_shipped = 2, units_undelivered = 2", [("order.shipped", {"units": 2}), ("order.undelivered", {"units": 2})]),
    ("orders", "units_cancelled = 1", [("order.lines_cancelled", {"units": 1})]),
    ("orders", "state = 'cancelled', units_cancelled = 2", [("order.cancelled", {"reason": None, "was": "new"})]),
    ("orders", "refund_total = 9, refunded = 7", [("order.refunded", {"amount": "7.00"})]),
    ("orders", "open_request = 'cancel'", [("request.opened", {"kind": "cancel"})]),
    ("payments", "tries = 4", []),
    ("payments", "state = 'failed', received = 0, refund_total = 0", [("payment.failed", {"payment": 0})]),
    ("payments", "problem = 'late'", [("payment.problem", {"payment": 0, "problem": "late"})]),
    ("payments", "reversed = 'charged_back'", [("payment.problem", {"payment": 0, "problem": "reversed", "said": "charged_back"})]),
    ("payments", "refusal = 'blurred'", [("payment.refused", {"payment": 0, "reason": "blurred"})]),
    ("refunds", "state = 'sending'", []),
    ("refunds", "state = 'needs_bank'", [("refund.needs_bank", {"refund": 0, "amount": "85000.00"})]),
    ("refunds", "state = 'given_up'", [("refund.given_up", {"refund": 0, "amount": "85000.00"})]),
    ("refunds", "tries = 3", []),
]  # fmt: skip


def test_each_thing_that_happens_is_told_once(room: Room, trade: Trade):
    sale, other = trade.place(), trade.place()
    payment, refunded = trade.pay(sale), trade.pay(other)
    refund = trade.refund_one(other)
    assert refunded
    ids = {"orders": sale.order, "payments": payment, "refunds": refund}
    for table, columns, events in STEPS:
        with room.conn.transaction(force_rollback=True):
            since = last(trade)
            room.conn.execute(f"UPDATE {table} SET {columns} WHERE id = %s", [ids[table]])  # noqa: S608
            expected = [
                (
                    kind,
                    "system",
                    {
                        name: ids[f"{name}s"] if value == 0 else value
                        for name, value in data.items()
                    },
                )
                for kind, data in events
            ]
            assert happened(trade, since) == expected, columns


def test_what_is_paid_is_new_for_its_store_unless_it_is_cancelled_at_once(room: Room, trade: Trade):
    for columns, told_of in (
        ("settled = true", ["order.paid", "order.new"]),
        ("settled = true, state = 'cancelled'", ["order.paid", "order.cancelled"]),
    ):
        sale = trade.place()
        payment = trade.ask(sale)
        since = last(trade)
        with room.conn.transaction(force_rollback=True):
            room.conn.execute(
                f"UPDATE orders SET paid = total, payment_id = %s, {columns} WHERE id = %s",  # noqa: S608
                [payment, sale.order],
            )
            assert [kind for kind, *_ in happened(trade, since)] == told_of


def test_an_event_says_who_did_it_and_to_whom_it_belongs(room: Room, trade: Trade):
    sale = trade.place()
    payment = trade.ask(sale)
    admin, stranger = room.user("admin").id, room.user("buyer").id
    actors = {
        "buyer": sale.buyer,
        "seller": room.seller.id,
        "admin": admin,
        "system": None,
        "nobody": stranger,
    }
    for actor, user in actors.items():
        for table, number, columns in (
            (
                "orders",
                sale.order,
                "open_request = CASE WHEN open_request IS NULL THEN 'cancel' END",
            ),
            ("payments", payment, "refusal = %(actor)s"),
        ):
            act_as(room.conn, user)
            change = f"UPDATE {table} SET {columns} WHERE id = %(id)s"  # noqa: S608
            room.conn.execute(change, {"id": number, "actor": actor})
            act_as(room.conn, None)
            row = room.conn.execute(
                "SELECT actor, user_id, order_id, checkout_id, store_id, buyer_id FROM events ORDER BY id DESC LIMIT 1"
            ).fetchone()
            of_order = (
                (sale.order, sale.checkout, sale.store)
                if table == "orders"
                else (None, sale.checkout, None)
            )
            # a payment of a checkout is no store's
            who = "nobody" if table == "payments" and actor == "seller" else actor
            assert tuple(row.values()) == (who, user, *of_order, sale.buyer)
    room.conn.execute("UPDATE orders SET open_request = NULL WHERE id = %s", [sale.order])


def test_a_statement_about_many_orders_tells_of_each_in_order(room: Room, trade: Trade):
    sales = [trade.place(method="cod") for _ in range(3)]
    since = last(trade)
    room.conn.execute(
        "UPDATE orders SET state = 'accepted' WHERE id = ANY(%s)", [[sale.order for sale in sales]]
    )
    rows = room.conn.execute(
        "SELECT order_id FROM events WHERE id > %s ORDER BY created_at, id", [since]
    ).fetchall()
    assert [row["order_id"] for row in rows] == sorted(sale.order for sale in sales)


def test_events_hold_no_person(room: Room, trade: Trade):
    lives(trade)
    text = json.dumps(
        [row["data"] for row in room.conn.execute("SELECT data FROM events").fetchall()]
    )
    for word in ("Siti", "+62", "Veteran", "BCA", "1234567890"):
        assert word not in text


# Reading on -----------------------------------------------------------------------------------------------------------


def take(conn: Any, reader: str = "mail", most: int = 500) -> list[int]:
    """The ids of what a reader is told next, with the worker's rights."""
    with role(conn, "marketplace_worker"):
        return [
            row["id"]
            for row in conn.execute("SELECT id FROM next_events(%s, %s)", [reader, most]).fetchall()
        ]


def opened(url: str) -> Any:
    return psycopg.connect(url, row_factory=dict_row)


@pytest.mark.alone  # the horizon is the whole server's
def test_a_reader_is_told_below_the_horizon_and_once(committed: Api):
    url = committed.owner_url
    with opened(url) as conn:
        first, second = with_orders(conn, 2)
    ask = "UPDATE orders SET open_request = 'cancel' WHERE id = %s"
    with opened(url) as reader, opened(url) as slow, opened(url) as quick:
        placed = take(reader)
        assert len(placed) == 2
        reader.commit()
        slow.execute(ask, [first])
        quick.execute(ask, [second])
        quick.commit()
        assert take(reader) == []  # an older transaction may still write before it
        reader.commit()
        slow.commit()
        later = take(reader)
        assert len(later) == 2
        assert later == sorted(later)
        reader.rollback()  # what is not committed was not read
        assert take(reader, most=1) == later[:1]
        reader.commit()
        assert take(reader) == later[1:]
        reader.commit()
        assert take(reader) == []


def test_a_cursor_of_another_database_and_an_unknown_reader_are_refused(room: Room):
    with refused(room.conn, "55000"), role(room.conn, "marketplace_worker"):
        room.conn.execute("SELECT next_events('nobody', 1)")
    room.conn.execute("UPDATE event_cursors SET origin = 'elsewhere', xid = '99999999'")
    with refused(room.conn, "55000"), role(room.conn, "marketplace_worker"):
        room.conn.execute("SELECT next_events('mail', 1)")
    room.conn.execute("SELECT settle_event_cursors()")
    with role(room.conn, "marketplace_worker"):
        room.conn.execute("SELECT next_events('mail', 1)")


@pytest.mark.alone
def test_late_writers_and_killed_readers_skip_and_double_nothing(committed: Api):
    with opened(committed.owner_url) as conn:
        orders = with_orders(conn, 16)
    telling = Telling(committed.owner_url, orders, seconds=4)
    telling.run()
    with opened(committed.owner_url) as conn:
        assert told(conn) == {
            "events": 16 + telling.written,
            "skipped": 0,
            "unknown": 0,
            "disordered": 0,
        }
    assert telling.failed == []
    assert telling.written > 500
    assert telling.killed > 10


@pytest.mark.alone
def test_after_a_restore_old_events_are_not_told_again_and_new_ones_are(
    committed: Api, tmp_path: Path
):
    url = committed.owner_url
    with opened(url) as conn:
        (order,) = with_orders(conn, 1)
        assert len(take(conn)) == 1
        conn.commit()
        conn.execute(
            "UPDATE orders SET open_request = 'cancel' WHERE id = %s", [order]
        )  # told to nobody yet
    to = tmp_path / "backups"
    assert command(url, tmp_path, "backup", "--to", str(to)).returncode == 0
    (backup,) = backups.whole(to)
    with another(url) as name:
        done = command(url, tmp_path, "restore", "--from", str(backup), "--into", name)
        assert done.returncode == 0, done.stderr
        with opened(database(url, name)) as conn:
            assert take(conn) == []
            conn.commit()
            conn.execute("UPDATE orders SET open_request = NULL WHERE id = %s", [order])
            conn.commit()
            assert len(take(conn)) == 1
            conn.commit()
            assert take(conn) == []


@pytest.mark.alone
def test_a_dump_of_a_cluster_that_is_far_ahead_is_read_on(committed: Api):
    """Its transaction ids are above all that this cluster will have for years."""
    url = committed.owner_url
    with opened(url) as conn:
        (order,) = with_orders(conn, 1)
        months = conn.execute(
            "SELECT inhrelid::regclass::text AS month FROM pg_inherits WHERE inhparent = 'events'::regclass"
        )
        for row in [{"month": "events"}, *months.fetchall()]:
            conn.execute(f"ALTER TABLE {row['month']} DISABLE TRIGGER USER")
        conn.execute("UPDATE events SET xid = '99999999999'")
        conn.execute(
            "UPDATE event_cursors SET origin = 'another/1/2', xid = '99999999999', event_id = 1"
        )
        conn.commit()
        migrations.migrate(url, lambda line: None)
        for change in ("'cancel'", "NULL"):
            conn.execute(f"UPDATE orders SET open_request = {change} WHERE id = %s", [order])  # noqa: S608
            conn.commit()
            assert len(take(conn)) == 1
            conn.commit()
