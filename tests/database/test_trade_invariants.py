"""Each invariant of orders, money and the books finds the fault that it is there for, asked with the worker's rights."""

import re
from typing import Any

from support.stock import Room, broken, role
from support.stock_faults import FAULTS as OF_STOCK
from support.trade import Trade, lives

#: What somebody does wrong by the owner's hand, past all triggers, and what finds it. Names in braces are of lives().
FAULTS: list[tuple[str, str]] = [
    ("ALTER TABLE orders FORCE ROW LEVEL SECURITY", "sees_everything"),
    ("ALTER VIEW invariants.ledger_is_zero SET (security_invoker = true)", "sees_everything"),
    ("DELETE FROM holds WHERE order_id = {new}", "live_orders_hold_their_stock"),
    ("UPDATE holds SET quantity = 2 WHERE order_id = {part}", "live_orders_hold_their_stock"),
    ("UPDATE holds SET expires_at = now() WHERE order_id = {free}", "live_orders_hold_their_stock"),
    ("UPDATE holds SET expires_at = NULL WHERE order_id = {unpaid}", "holds_are_wanted"),
    ("UPDATE holds SET order_id = {done} WHERE order_id = {unpaid}", "holds_are_wanted"),
    ("UPDATE holds SET order_id = 987654321 WHERE order_id = {unpaid}", "holds_are_wanted"),
    ("UPDATE holds SET quantity = 1 WHERE order_id = {unpaid}", "holds_are_wanted"),
    ("UPDATE checkouts SET total = total + 1 WHERE id = {new_checkout}", "checkout_is_its_orders"),
    ("UPDATE checkouts SET units = units + 1 WHERE id = {new_checkout}", "checkout_is_its_orders"),
    ("UPDATE checkouts SET state = 'settled' WHERE id = {unpaid_checkout}", "checkout_is_its_orders"),
    ("UPDATE checkouts SET state = 'unpaid' WHERE id = {cancelled_checkout}", "checkout_is_its_orders"),
    ("UPDATE checkouts SET buyer_id = {other} WHERE id = {new_checkout}", "checkout_is_its_orders"),
    ("UPDATE checkouts SET method = 'transfer' WHERE id = {cod_checkout}", "checkout_is_its_orders"),
    ("UPDATE orders SET currency = 'USD' WHERE id = {new}", "checkout_is_its_orders"),
    ("INSERT INTO checkouts (buyer_id, number, currency, total, method, state, units, address)"
     " VALUES ({other}, 'X', 'IDR', 0, 'none', 'settled', 1, '{{}}')", "checkout_is_its_orders"),
    ("UPDATE orders SET items_total = items_total + 1, total = total + 1 WHERE id = {unpaid}", "order_is_its_lines"),
    ("UPDATE orders SET discount_total = 1, items_total = items_total + 1 WHERE id = {new}", "order_is_its_lines"),
    ("UPDATE order_lines SET tax = 1 WHERE id = {new_line}", "order_is_its_lines"),
    ("UPDATE order_lines SET subsidy = 1, total = total - 1 WHERE id = {new_line}", "order_is_its_lines"),
    ("UPDATE orders SET units = units + 1 WHERE id = {new}", "order_is_its_lines"),
    ("UPDATE orders SET units_cancelled = 1 WHERE id = {free}", "order_is_its_lines"),
    ("UPDATE orders SET units_shipped = 1 WHERE id = {free}", "order_is_its_lines"),
    ("UPDATE orders SET units_delivered = 1 WHERE id = {shipping}", "order_is_its_lines"),
    ("UPDATE orders SET units_undelivered = 1 WHERE id = {shipping}", "order_is_its_lines"),
    ("UPDATE orders SET units_returned = 1 WHERE id = {done}", "order_is_its_lines"),
    ("UPDATE orders SET cancelled_total = cancelled_total + 1 WHERE id = {part}", "order_is_its_lines"),
    ("UPDATE orders SET cancelled_total = 0 WHERE id = {cancelled}", "order_is_its_lines"),
    ("DELETE FROM order_lines WHERE order_id = {unpaid}", "order_is_its_lines"),
    ("UPDATE shipment_lines SET quantity = 1 WHERE order_id = {shipping}", "shipped_is_in_shipments"),
    ("UPDATE shipments SET state = 'delivered' WHERE order_id = {shipping}", "shipped_is_in_shipments"),
    ("UPDATE shipments SET state = 'lost' WHERE order_id = {shipping}", "shipped_is_in_shipments"),
    ("DELETE FROM shipment_lines WHERE order_id = {done}", "shipped_is_in_shipments"),
    ("UPDATE order_lines SET returned = 1 WHERE order_id = {done}", "returned_is_in_requests"),
    ("UPDATE order_requests SET state = 'done' WHERE order_id = {back}", "returned_is_in_requests"),
    ("UPDATE order_requests SET came_back = true WHERE order_id = {back}", "returned_is_in_requests"),
    ("UPDATE order_requests SET refund_id = {refund} WHERE order_id = {back}", "returned_is_in_requests"),
    ("UPDATE orders SET ship_by = NULL WHERE id = {new}", "deadlines_are_set"),
    ("UPDATE orders SET deliver_by = NULL WHERE id = {shipping}", "deadlines_are_set"),
    ("UPDATE orders SET complete_at = NULL WHERE id = {delivered}", "deadlines_are_set"),
    ("UPDATE order_requests SET deadline_at = NULL WHERE order_id = {back}", "deadlines_are_set"),
    ("UPDATE invoice_counters SET last = 9", "invoices_without_gaps"),
    ("DELETE FROM invoice_counters", "invoices_without_gaps"),
    ("UPDATE invoices SET number = 9 WHERE order_id = {done}; UPDATE invoice_counters SET last = 9", "invoices_without_gaps"),
    ("DELETE FROM invoices WHERE order_id = {done}", "invoices_without_gaps"),
    ("DELETE FROM invoices_due; DELETE FROM invoices WHERE order_id = {done}", "every_sale_is_invoiced"),
    ("UPDATE invoices SET order_id = {new} WHERE order_id = {done}", "every_sale_is_invoiced"),
    ("UPDATE order_lines SET buyer_id = {other} WHERE order_id = {new}", "no_foreign_child"),
    ("UPDATE order_lines SET product_id = {foreign} WHERE order_id = {done}", "no_foreign_child"),
    ("UPDATE shipments SET buyer_id = {other} WHERE order_id = {done}", "no_foreign_child"),
    ("UPDATE order_requests SET buyer_id = {other} WHERE order_id = {back}", "no_foreign_child"),
    ("UPDATE refunds SET buyer_id = {other} WHERE id = {due}", "no_foreign_child"),
    ("UPDATE refunds SET payment_id = {done_payment} WHERE id = {due}", "no_foreign_child"),
    ("UPDATE refunds SET currency = 'USD' WHERE id = {due}", "no_foreign_child"),
    ("UPDATE invoices SET buyer_id = {other} WHERE order_id = {done}", "no_foreign_child"),
    ("UPDATE payments SET buyer_id = {other} WHERE id = {new_payment}", "no_foreign_child"),
    ("UPDATE payments SET currency = 'USD' WHERE id = {new_payment}", "no_foreign_child"),
    ("UPDATE payments SET method = 'store_transfer', order_id = {done}, store_id = {store} WHERE id = {new_payment}",
     "no_foreign_child"),
    ("UPDATE orders SET open_request = NULL WHERE id = {back}", "requests_stand_on_their_order"),
    ("UPDATE orders SET open_request = 'cancel' WHERE id = {new}", "requests_stand_on_their_order"),
    ("UPDATE order_requests SET disputed = true WHERE order_id = {back}", "requests_stand_on_their_order"),
    ("DELETE FROM events WHERE type = 'order.placed' AND order_id = {done}", "every_order_has_its_events"),
    ("DELETE FROM events WHERE type = 'order.paid' AND order_id = {done}", "every_order_has_its_events"),
    ("DELETE FROM events WHERE type = 'order.new' AND order_id = {done}", "every_order_has_its_events"),
    ("DELETE FROM events WHERE type = 'order.shipped' AND order_id = {done}", "every_order_has_its_events"),
    ("DELETE FROM events WHERE type = 'order.completed' AND order_id = {done}", "every_order_has_its_events"),
    ("DELETE FROM events WHERE type = 'order.accepted' AND order_id = {shipping}", "every_order_has_its_events"),
    ("DELETE FROM events WHERE type = 'order.cancelled'", "every_order_has_its_events"),
    ("UPDATE orders SET state = 'accepted' WHERE id = {new}", "every_order_has_its_events"),
    ("DELETE FROM events", "every_order_has_its_events"),
    ("UPDATE payments SET received = received + 1 WHERE id = {new_payment}", "money_came_and_went"),
    ("UPDATE orders SET paid = paid - 1 WHERE id = {done}", "money_came_and_went"),
    ("UPDATE payments SET amount = amount + 1 WHERE id = {asked}", "payment_asks_what_is_due"),
    ("UPDATE payments SET problem = 'late' WHERE id = {new_payment}", "paid_by_its_payment"),
    ("UPDATE payments SET received = 0, refund_total = 0, state = 'expired' WHERE id = {new_payment}", "paid_by_its_payment"),
    ("UPDATE orders SET settled = true WHERE id = {unpaid}", "paid_by_its_payment"),
    ("UPDATE orders SET settled = false WHERE id = {new}", "paid_by_its_payment"),
    ("UPDATE orders SET payment_id = {done_payment} WHERE id = {new}", "paid_by_its_payment"),
    ("UPDATE refunds SET amount = amount - 1 WHERE id = {due}", "refunds_of_an_order"),
    ("UPDATE refunds SET state = 'done' WHERE id = {due}", "refunds_of_an_order"),
    ("UPDATE orders SET refund_total = refund_total + 1 WHERE id = {new}", "refunds_of_an_order"),
    ("UPDATE payments SET refund_total = refund_total - 1 WHERE id = {new_payment}", "refunds_of_a_payment"),
    ("UPDATE refund_lines SET amount = amount - 1 WHERE refund_id = {due}", "refund_is_its_lines"),
    ("UPDATE refund_lines SET subsidy = 1 WHERE refund_id = {due}", "refund_is_its_lines"),
    ("UPDATE refund_lines SET quantity = 3 WHERE refund_id = {due}", "no_line_gives_back_more"),
    ("UPDATE refund_lines SET amount = 170001 WHERE refund_id = {due}", "no_line_gives_back_more"),
    ("UPDATE refund_lines SET commission = 8501 WHERE refund_id = {due}", "no_line_gives_back_more"),
    ("UPDATE refund_lines SET quantity = 2 WHERE refund_id = {due}", "no_line_gives_back_more"),
    ("UPDATE order_lines SET forgone = 2 WHERE id = {new_line}", "no_line_gives_back_more"),
    ("UPDATE order_lines SET cancelled = 2 WHERE id = {free_line}", "subsidy_of_what_is_gone"),
    ("UPDATE order_lines SET commission = commission + 1 WHERE order_id = {done}", "commission_is_of_what_stayed"),
    ("UPDATE order_lines SET forgone = 1 WHERE order_id = {done}", "commission_is_of_what_stayed"),
    ("SELECT post_entry('adjustment', 'a', {done}, '{{commission,bank}}', NULL, '{{1,-1}}')", "commission_is_of_what_stayed"),
    ("UPDATE order_lines SET commission = commission + 1 WHERE id = {new_line}", "commission_is_its_lines"),
    ("UPDATE order_lines SET commission_rate = 6 WHERE id = {new_line}", "commission_is_its_lines"),
    ("SELECT post_entry('dispute', 'a', {cancelled}, '{{expense_dispute,bank}}', NULL, '{{1,-1}}')", "cancelled_costs_nobody"),
    ("UPDATE ledger_postings SET amount = amount + 1 WHERE line = 1 AND order_id = {done}", "entries_balance"),
    ("DELETE FROM ledger_postings WHERE line = 1 AND order_id = {done}", "ledger_is_zero"),
    ("UPDATE store_balances SET balance = balance + 1 WHERE store_id = {store}", "balances_are_payable"),
    ("DELETE FROM store_balances WHERE store_id = {store}", "balances_are_payable"),
    ("INSERT INTO store_balances VALUES (987654321, 5)", "balances_are_payable"),
    ("SELECT post_entry('adjustment', 'a', {new}, '{{escrow,bank}}', NULL, '{{1,-1}}')", "escrow_is_open_orders"),
    ("UPDATE orders SET subsidy_returned = 1 WHERE id = {free}", "escrow_is_open_orders"),
    ("SELECT post_entry('adjustment', 'a', {new}, '{{refund_due,bank}}', NULL, '{{1,-1}}')", "refund_due_is_refunds"),
    ("UPDATE refunds SET state = 'given_up' WHERE id = {due}", "refund_due_is_refunds"),
    ("SELECT post_entry('adjustment', 'a', {new}, '{{expense_voucher,bank}}', NULL, '{{1,-1}}')", "expense_is_subsidy"),
    ("SELECT post_entry('adjustment', 'a', NULL, '{{unallocated,bank}}', NULL, '{{1,-1}}')", "unallocated_is_problems"),
    ("UPDATE payments SET problem = 'amount_mismatch' WHERE id = {done_payment}", "unallocated_is_problems"),
    ("SELECT post_entry('adjustment', 'a', NULL, '{{provider,bank}}', NULL, '{{1,-1}}', '{{pretend,NULL}}')",
     "provider_is_its_payments"),
    ("UPDATE payments SET provider_fee = 1 WHERE id = {back_payment}", "provider_is_its_payments"),
    ("UPDATE ledger_entries SET source = 'x' WHERE source = 'payment {new_payment}'", "what_moved_is_booked"),
    ("UPDATE ledger_entries SET source = 'x' WHERE kind = 'sale' AND order_id = {done}", "what_moved_is_booked"),
    ("UPDATE ledger_entries SET source = 'x' WHERE kind = 'cod_collected'", "what_moved_is_booked"),
    ("UPDATE ledger_entries SET source = 'x' WHERE kind = 'subsidy'", "what_moved_is_booked"),
    ("UPDATE ledger_entries SET source = 'x' WHERE kind = 'refund_sent'", "what_moved_is_booked"),
    ("UPDATE payments SET received = received - 1 WHERE id = {done_payment}", "what_moved_is_booked"),
    ("UPDATE refunds SET state = 'given_up' WHERE id = {due}", "what_moved_is_booked"),
    ("UPDATE refunds SET bearer = 'platform' WHERE id = {due}", "what_moved_is_booked"),
    ("UPDATE vouchers SET used = 2", "voucher_used_is_uses"),
    ("UPDATE voucher_uses SET given_back = true; UPDATE vouchers SET used = 0", "voucher_used_is_uses"),
    ("UPDATE voucher_uses SET amount = amount - 1", "voucher_uses_are_discounts"),
    ("DELETE FROM voucher_uses; UPDATE vouchers SET used = 0", "voucher_uses_are_discounts"),
]  # fmt: skip

TABLES = (
    "checkouts", "orders", "order_lines", "shipments", "shipment_lines", "order_requests", "refunds", "refund_lines",
    "payments", "invoices", "events", "ledger_entries", "ledger_postings", "store_balances", "holds",
)  # fmt: skip


def named(made: dict[str, Any]) -> dict[str, Any]:
    """Ids that a fault may name: of each sale its order, and NAME_line, NAME_checkout."""
    ids: dict[str, Any] = {}
    for name, sale in made.items():
        if hasattr(sale, "order"):
            ids |= {name: sale.order, f"{name}_line": sale.line, f"{name}_checkout": sale.checkout}
        else:
            ids[name] = sale
    return ids


def no_triggers(conn: Any) -> None:
    """Silence the triggers of the tables, until the transaction ends."""
    for table in TABLES:
        conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    months = "SELECT inhrelid::regclass::text AS month FROM pg_inherits WHERE inhparent = 'events'::regclass"
    for row in conn.execute(months).fetchall():
        conn.execute(f"ALTER TABLE {row['month']} DISABLE TRIGGER USER")


def test_each_invariant_finds_its_faults_with_the_workers_rights(room: Room):
    trade = Trade(room)
    ids = named(lives(trade))
    other = room.user("seller")
    room.become("marketplace_app")
    foreign = room.api.product(other)["id"]
    room.become("none")
    ids |= {"other": other.id, "foreign": foreign, "store": trade.store}
    assert broken(room.conn, orders=True) == []
    silent = []
    for fault, name in FAULTS:
        with room.conn.transaction(force_rollback=True):
            if "post_entry" not in fault:
                no_triggers(room.conn)
            for statement in fault.format(**ids).split(";"):
                changed = room.conn.execute(statement).rowcount
                assert changed != 0, statement
            with role(room.conn, "marketplace_worker"):
                found = room.conn.execute("SELECT * FROM broken_invariants()").fetchall()
        row = next((row for row in found if row["name"] == name), None)
        if row is None or row["broken"] < 1 or not re.match(r"\d+", row["example"]):
            silent.append((fault, name, [row["name"] for row in found]))
    assert silent == []
    assert broken(room.conn, orders=True) == []


def test_each_invariant_has_a_fault_in_one_of_the_tables(room: Room):
    views = room.conn.execute(
        "SELECT relname AS name FROM pg_class WHERE relnamespace = 'invariants'::regnamespace AND relkind = 'v'"
    ).fetchall()
    planted = {name for _, name in FAULTS} | {name for *_, name in OF_STOCK}
    assert {row["name"] for row in views} == planted


def test_the_worker_counts_as_many_faults_as_the_owner(room: Room):
    """Whoever asks: everything of everybody is broken at once, and each invariant counts the same."""
    lives(Trade(room))
    lives(Trade(room))
    with room.conn.transaction(force_rollback=True):
        no_triggers(room.conn)
        for statement in (
            "UPDATE orders SET ship_by = NULL, deliver_by = NULL, complete_at = NULL, open_request = 'cancel', currency = 'USD'",
            "UPDATE order_lines SET commission = commission + 1, returned = delivered",
            "UPDATE payments SET received = received - 1 WHERE received > refund_total",
            "UPDATE shipments SET state = 'lost'",
            "UPDATE refund_lines SET amount = 1, quantity = 9",
            "UPDATE holds SET quantity = 40",
            "UPDATE store_balances SET balance = 1",
            "DELETE FROM events",
        ):
            room.conn.execute(statement)
        ask = "SELECT * FROM broken_invariants()"
        by_owner = room.conn.execute(ask).fetchall()
        with role(room.conn, "marketplace_worker"):
            by_worker = room.conn.execute(ask).fetchall()
    assert by_worker == by_owner
    assert len(by_owner) > 12
    assert {row["name"]: row["broken"] for row in by_owner}["every_order_has_its_events"] == 20
