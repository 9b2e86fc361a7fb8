"""What may become of an order: states and who moves them, amounts that only add up, statuses that follow, bounds."""

import itertools

import pytest
from support.stock import Room, act_as, refused, role
from support.trade import Trade, lives

STATES = ("placed", "accepted", "completed", "cancelled")
MOVES = {
    ("placed", "accepted"): {"seller", "system", "admin"},
    ("placed", "cancelled"): {"buyer", "seller", "system", "admin"},
    ("accepted", "cancelled"): {"seller", "system", "admin"},
    ("accepted", "completed"): {"buyer", "system", "admin"},
}


@pytest.fixture
def trade(room: Room) -> Trade:
    return Trade(room)


def put(trade: Trade, number: int, columns: str) -> None:
    """Write columns of an order, past its triggers."""
    trade.conn.execute("ALTER TABLE orders DISABLE TRIGGER USER")
    trade.conn.execute(f"UPDATE orders SET {columns} WHERE id = %s", [number])  # noqa: S608
    trade.conn.execute("ALTER TABLE orders ENABLE TRIGGER USER")


def test_a_state_moves_as_the_table_says_and_by_whom_it_names(room: Room, trade: Trade):
    sale = trade.place(method="cod")
    admin, stranger, other = room.user("admin").id, room.user("buyer").id, room.user("seller").id
    actors = {"buyer": sale.buyer, "seller": room.seller.id, "admin": admin, "system": None, "a stranger": stranger,
              "another seller": other}  # fmt: skip
    ended = {"completed": ", completed_at = now()"}
    for old, new in itertools.permutations(STATES, 2):
        for actor, user in actors.items():
            with room.conn.transaction(force_rollback=True):
                put(trade, sale.order, f"state = '{old}'{ended.get(old, '')}")
                act_as(room.conn, user)
                end = ended.get(new, ", completed_at = NULL")
                move = f"UPDATE orders SET state = '{new}'{end} WHERE id = %s"  # noqa: S608
                if actor in MOVES.get((old, new), ()):
                    room.conn.execute(move, [sale.order])
                    event = "SELECT type, actor, user_id FROM events ORDER BY id DESC LIMIT 1"
                    told = {"type": f"order.{new}", "actor": actor, "user_id": user}
                    assert room.conn.execute(event).fetchone() == told
                else:
                    with refused(room.conn, "23514", "orders_transition"):
                        room.conn.execute(move, [sale.order])
            act_as(room.conn, None)


def test_nobody_at_the_door_of_the_api_is_not_the_system(room: Room, trade: Trade):
    """Not even within a verb, which runs as the owner: who is asked is the session."""
    sale = trade.place(method="cod")
    room.conn.execute(
        "CREATE FUNCTION who(buyer bigint, store bigint, OUT actor text, OUT is_system boolean) LANGUAGE sql SECURITY DEFINER"
        " SET search_path = public AS 'SELECT order_actor(buyer, store), is_system()'"
    )
    room.conn.execute("GRANT EXECUTE ON FUNCTION who TO marketplace_app")
    asked = {}
    for name in ("marketplace_app", "marketplace_worker", "none"):
        with role(room.conn, name):
            found = room.conn.execute(
                "SELECT * FROM who(%s, %s)", [sale.buyer, sale.store]
            ).fetchone()
        asked[name] = tuple(found.values())
    nobody, system = ("nobody", False), ("system", True)
    assert asked == {
        "marketplace_app": nobody,
        "marketplace_worker": system,
        "none": system,
    }
    act_as(room.conn, sale.buyer)
    with role(room.conn, "marketplace_worker"):
        found = room.conn.execute("SELECT * FROM who(%s, %s)", [sale.buyer, sale.store]).fetchone()
    assert tuple(found.values()) == ("buyer", False)
    act_as(room.conn, None)
    room.conn.execute("DROP FUNCTION who")


def test_what_is_on_its_way_cannot_be_cancelled(room: Room, trade: Trade):
    sale = trade.place(method="cod")
    trade.ship(sale)
    cancel = "UPDATE orders SET state = 'cancelled' WHERE id = %s"
    with refused(room.conn, "23514", "orders_transition"):
        room.conn.execute(cancel, [sale.order])
    with room.conn.transaction(force_rollback=True):
        room.conn.execute(
            "UPDATE orders SET units_undelivered = units_shipped WHERE id = %s", [sale.order]
        )
        room.conn.execute(cancel, [sale.order])


@pytest.mark.parametrize(
    "columns",
    [
        "paid = paid - 1", "refund_total = refund_total - 1", "refunded = refunded - 1", "cancelled_total = cancelled_total - 1",
        "units_cancelled = units_cancelled - 1", "settled = false", "payment_id = NULL, paid = 0, refund_total = 0, refunded = 0",
        "payment_id = {other}",
    ],
)  # fmt: skip
def test_amounts_and_pieces_only_add_up(room: Room, trade: Trade, columns: str):
    sale, other = trade.place(), trade.place()
    trade.pay(sale)
    payment = trade.pay(other)
    trade.send_refund(trade.refund_one(sale))
    with refused(room.conn, "23514", "orders_monotonic"):
        change = f"UPDATE orders SET {columns.format(other=payment)} WHERE id = %s"  # noqa: S608
        room.conn.execute(change, [sale.order])


def test_pieces_that_arrived_do_not_leave_again(room: Room, trade: Trade):
    sale = trade.place(method="cod")
    trade.ship(sale)
    trade.deliver(sale)
    room.conn.execute("ALTER TABLE orders DISABLE TRIGGER note_update")
    for column in ("units_returned", "units_delivered", "units_shipped"):
        with room.conn.transaction(force_rollback=True):
            room.conn.execute("UPDATE orders SET units_returned = 1 WHERE id = %s", [sale.order])
            with refused(room.conn, "23514", "orders_monotonic"):
                columns = (
                    f"units_returned = 0, {column} = {column} - 1"
                    if column != "units_returned"
                    else "units_returned = 0"
                )
                room.conn.execute(f"UPDATE orders SET {columns} WHERE id = %s", [sale.order])  # noqa: S608


STATUSES: list[tuple[str, tuple[str, str, str]]] = [
    # columns of an order of 3 pieces: stage, payment_status, fulfilment_status
    ("settled = false", ("unpaid", "unpaid", "unshipped")),
    ("settled = true, paid = total", ("new", "paid", "unshipped")),
    ("state = 'accepted', settled = true, paid = total", ("to_ship", "paid", "unshipped")),
    ("state = 'accepted', settled = true, units_shipped = 1", ("to_ship", "paid", "partially_shipped")),
    ("state = 'accepted', settled = true, units_shipped = 3", ("shipping", "paid", "shipped")),
    ("state = 'accepted', settled = true, units_shipped = 2, units_cancelled = 1", ("shipping", "paid", "shipped")),
    ("state = 'accepted', settled = true, units_shipped = 3, units_delivered = 3", ("delivered", "paid", "delivered")),
    ("state = 'accepted', settled = true, units_shipped = 3, units_delivered = 1", ("shipping", "paid", "shipped")),
    # one sent back, one on the road: not delivered
    ("state = 'accepted', settled = true, units_shipped = 3, units_delivered = 2, units_returned = 1",
     ("shipping", "paid", "shipped")),
    ("state = 'accepted', settled = true, units_shipped = 3, units_delivered = 2, units_undelivered = 1",
     ("delivered", "paid", "delivered")),
    ("state = 'accepted', settled = true, units_shipped = 3, units_undelivered = 3", ("delivered", "paid", "returned")),
    ("state = 'accepted', settled = true, units_shipped = 3, units_delivered = 3, units_returned = 3",
     ("delivered", "paid", "returned")),
    ("state = 'completed', completed_at = now(), settled = true, units_shipped = 3, units_delivered = 3",
     ("completed", "paid", "delivered")),
    ("state = 'cancelled', units_cancelled = 3, cancelled_total = total", ("cancelled", "unpaid", "cancelled")),
    ("state = 'cancelled', settled = true, units_cancelled = 3, cancelled_total = total", ("cancelled", "unpaid", "cancelled")),
    ("cod = true, settled = true, cod_collector = 'store'", ("new", "on_delivery", "unshipped")),
    ("cod = true, settled = true, cod_collector = 'store', cancelled_total = total", ("new", "paid", "unshipped")),
    ("cod = true, settled = true, cod_collector = 'store', paid = total, state = 'accepted', units_shipped = 3,"
     " units_delivered = 3", ("delivered", "paid", "delivered")),
    ("cod = true, settled = true, cod_collector = 'platform', paid = total, refund_total = total, refunded = 1",
     ("new", "partially_refunded", "unshipped")),
    ("cod = true, settled = true, cod_collector = 'platform', paid = total, refund_total = total, refunded = total",
     ("new", "refunded", "unshipped")),
]  # fmt: skip


def test_statuses_follow_from_amounts_and_pieces(room: Room, trade: Trade):
    sale = trade.place(pieces=3)
    payment = trade.ask(sale)
    for columns, statuses in STATUSES:
        with room.conn.transaction(force_rollback=True):
            named = (
                f", payment_id = {payment}"
                if "paid = total" in columns and "cod" not in columns
                else ""
            )
            put(trade, sale.order, columns + named)
            ask = "SELECT stage, payment_status, fulfilment_status FROM orders WHERE id = %s"
            found = room.conn.execute(ask, [sale.order]).fetchone()
            assert tuple(found.values()) == statuses, columns


def test_nobody_writes_a_status(room: Room, trade: Trade):
    sale = trade.place()
    for column in ("stage", "payment_status", "fulfilment_status"):
        with refused(room.conn, "428C9"):
            room.conn.execute(f"UPDATE orders SET {column} = 'paid' WHERE id = %s", [sale.order])  # noqa: S608


BOUNDS: list[tuple[str, str, str]] = [
    ("orders", "total = total + 1", "orders_total_check"),
    ("orders", "total = -1, items_total = -1", "orders_amounts_check"),
    ("orders", "total = 'NaN', items_total = 'NaN'", "orders_amounts_check"),
    ("orders", "tax_total = 'NaN'", "orders_amounts_check"),
    ("orders", "tax_total = 1, tax_included = false", "orders_total_check"),
    ("orders", "paid = total + 1, payment_id = 1", "orders_paid_check"),
    ("orders", "paid = 1", "orders_paid_by_check"),
    ("orders", "cancelled_total = total + 1", "orders_paid_check"),
    ("orders", "refund_total = 1", "orders_refund_check"),
    ("orders", "refunded = 1", "orders_refund_check"),
    ("orders", "subsidy_returned = 1", "orders_subsidy_check"),
    ("orders", "units_shipped = 3", "orders_units_check"),
    ("orders", "units_cancelled = 3", "orders_units_check"),
    ("orders", "units_delivered = 1", "orders_units_check"),
    ("orders", "units_shipped = 2, units_delivered = 1, units_returned = 2", "orders_units_check"),
    ("orders", "units = 0", "orders_units_check"),
    ("orders", "state = 'sent'", "orders_state_check"),
    ("orders", "state = 'completed'", "orders_completed_check"),
    ("orders", "completed_at = now()", "orders_completed_check"),
    ("orders", "open_request = 'x'", "orders_request_check"),
    ("orders", "cod = true, settled = true", "orders_cod_check"),
    ("orders", "cod = true, cod_collector = 'store'", "orders_cod_check"),
    ("orders", "cod = true, settled = true, cod_collector = 'courier'", "orders_cod_check"),
    ("orders", "note = repeat('x', 501)", "orders_note_check"),
    ("orders", "cancel_reason = repeat('x', 501)", "orders_cancel_reason_check"),
    ("orders", "cancel_asked_reason = repeat('x', 501)", "orders_cancel_reason_check"),
    ("orders", "delivery = to_jsonb(repeat('x', 8000))", "orders_delivery_check"),
    ("checkouts", "total = 'NaN'", "checkouts_total_check"),
    ("checkouts", "total = -1", "checkouts_total_check"),
    ("checkouts", "total = 0", "checkouts_method_check"),
    ("checkouts", "method = 'none'", "checkouts_method_check"),
    ("checkouts", "state = 'paid'", "checkouts_state_check"),
    ("checkouts", "pay_by = NULL", "checkouts_pay_by_check"),
    ("checkouts", "address = to_jsonb(repeat('x', 8000))", "checkouts_address_check"),
    ("order_lines", "quantity = 0", "order_lines_quantity_check"),
    ("order_lines", "quantity = 1001", "order_lines_quantity_check"),
    ("order_lines", "total = total + 1", "order_lines_total_check"),
    ("order_lines", "discount = -1, total = total + 1", "order_lines_total_check"),
    ("order_lines", "price = 'NaN', total = 'NaN'", "order_lines_total_check"),
    ("order_lines", "tax = -1", "order_lines_tax_check"),
    ("order_lines", "tax = 'NaN'", "order_lines_tax_check"),
    ("order_lines", "commission = -1", "order_lines_commission_check"),
    ("order_lines", "commission_tax = 'NaN'", "order_lines_commission_check"),
    ("order_lines", "shipped = 3", "order_lines_units_check"),
    ("order_lines", "delivered = 1", "order_lines_units_check"),
    ("order_lines", "forgone = 3", "order_lines_units_check"),
    ("payments", "state = 'x'", "payments_state_check"),
    ("payments", "problem = 'x'", "payments_problem_check"),
    ("payments", "amount = 0", "payments_amount_check"),
    ("payments", "amount = 'NaN'", "payments_amount_check"),
    ("payments", "received = 'NaN', state = 'paid'", "payments_amount_check"),
    ("payments", "received = 1", "payments_received_check"),
    ("payments", "refund_total = 1", "payments_refund_check"),
    ("payments", "method = 'store_transfer'", "payments_order_check"),
    ("payments", "return_url = repeat('x', 2049)", "payments_return_url_check"),
    ("payments", "proof = to_jsonb(repeat('x', 8000))", "payments_proof_check"),
    ("payments", "refusal = repeat('x', 501)", "payments_refusal_check"),
    ("payments", "reference = repeat('x', 201)", "payments_reference_check"),
    ("refunds", "amount = 0", "refunds_amount_check"),
    ("refunds", "amount = 'NaN'", "refunds_amount_check"),
    ("refunds", "subsidy = 'NaN'", "refunds_amount_check"),
    ("refunds", "state = 'x'", "refunds_state_check"),
    ("refunds", "way = 'x'", "refunds_way_check"),
    ("refunds", "way = 'provider', payment_id = NULL", "refunds_way_check"),
    ("refunds", "order_id = NULL, payment_id = NULL", "refunds_of_check"),
    ("refunds", "bearer = 'buyer'", "refunds_bearer_check"),
    ("refunds", "bank = to_jsonb(repeat('x', 2000))", "refunds_account_check"),
    ("refunds", "reference = repeat('x', 201)", "refunds_reference_check"),
    ("refund_lines", "amount = -1", "refund_lines_amount_check"),
    ("refund_lines", "commission = 'NaN'", "refund_lines_amount_check"),
    ("shipments", "state = 'x'", "shipments_state_check"),
    ("shipments", "courier = repeat('x', 101)", "shipments_courier_check"),
    ("shipments", "tracking_number = repeat('x', 101)", "shipments_courier_check"),
    ("shipments", "tracking_url = repeat('x', 2049)", "shipments_tracking_url_check"),
    ("shipments", "checkpoints = to_jsonb(repeat('x', 65536))", "shipments_checkpoints_check"),
    ("shipment_lines", "quantity = 0", "shipment_lines_quantity_check"),
    ("order_requests", "kind = 'cancel'", "order_requests_kind_check"),
    ("order_requests", "state = 'x'", "order_requests_state_check"),
    ("order_requests", "bearer = 'x'", "order_requests_bearer_check"),
    ("order_requests", "amount = 0", "order_requests_amount_check"),
    ("order_requests", "amount = 'NaN'", "order_requests_amount_check"),
    ("order_requests", "reason = repeat('x', 501)", "order_requests_reason_check"),
    ("order_requests", "message = repeat('x', 2001)", "order_requests_message_check"),
    ("order_requests", "reply = repeat('x', 2001)", "order_requests_message_check"),
    ("order_requests", "images = array_fill('x'::text, ARRAY[21])", "order_requests_images_check"),
    ("order_requests", "tracking_number = repeat('x', 101)", "order_requests_tracking_number_check"),
    ("order_request_lines", "quantity = 0", "order_request_lines_quantity_check"),
    ("invoice_counters", "last = -1", "invoice_counters_last_check"),
    ("invoice_counters", "kind = 'x'", "invoice_counters_kind_check"),
    ("invoices", "number = 0", "invoices_number_check"),
    ("invoices", "kind = 'x'", "invoices_kind_check"),
    ("uploads", "purpose = 'x'", "uploads_purpose_check"),
    ("uploads", "bytes = 0", "uploads_bytes_check"),
    ("uploads", "key = repeat('x', 201)", "uploads_key_check"),
    ("commission_rules", "rate = 101", "commission_rules_rate_check"),
    ("commission_rules", "tax_rate = 'NaN'", "commission_rules_rate_check"),
    ("commission_rules", "note = repeat('x', 501)", "commission_rules_note_check"),
    ("store_balances", "balance = 'NaN'", "store_balances_balance_check"),
    ("ledger_accounts", "kind = 'x'", "ledger_accounts_kind_check"),
    ("ledger_accounts", "store_id = 1 WHERE kind <> 'payable' AND true", "ledger_accounts_owner_check"),
    ("ledger_entries", "note = repeat('x', 501)", "ledger_entries_note_check"),
    ("ledger_entries", "source = repeat('x', 201)", "ledger_entries_source_check"),
    ("ledger_postings", "amount = 0", "ledger_postings_amount_check"),
    ("ledger_postings", "amount = 'NaN'", "ledger_postings_amount_check"),
]  # fmt: skip

INSERTS = [
    ("INSERT INTO commission_rules (rate) VALUES (1)", "23505", "commission_rules_open_key"),
    ("INSERT INTO holidays VALUES ('id', '2026-12-25', 'Natal')", "23514", "holidays_country_check"),
    ("INSERT INTO holidays VALUES ('ID', '2026-12-25', '')", "23514", "holidays_name_check"),
    ("INSERT INTO provider_callbacks (provider, key, body) VALUES ('x', 'y', convert_to(repeat('x', 65537), 'UTF8'))",
     "23514", "provider_callbacks_body_check"),
    ("INSERT INTO events (type, actor) VALUES ('order.new', 'me')", "23514", "events_actor_check"),
    ("INSERT INTO order_requests (store_id, buyer_id, order_id, reason, amount)"
     " SELECT store_id, buyer_id, order_id, 'x', 1 FROM order_requests", "23505", "order_requests_open_key"),
    ("INSERT INTO shipments (store_id, buyer_id, order_id, tracking_number)"
     " SELECT store_id, buyer_id, order_id, tracking_number FROM shipments", "23505", "shipments_tracking_key"),
    ("INSERT INTO payments (checkout_id, buyer_id, method, our_reference, amount, currency)"
     " SELECT checkout_id, buyer_id, method, 'x', 1, 'IDR' FROM payments WHERE state = 'open'", "23505", "payments_one_key"),
    ("INSERT INTO invoices (store_id, year, kind, number, buyer_id, order_id, document)"
     " SELECT store_id, year, kind, 99, buyer_id, order_id, '{}' FROM invoices LIMIT 1", "23505", "invoices_once_key"),
]  # fmt: skip


def test_each_table_keeps_its_bounds(room: Room, trade: Trade):
    lives(trade)
    trade.upload(trade.buyer)
    first = {"orders": "WHERE stage = 'unpaid'", "order_lines": "WHERE order_id = (SELECT id FROM orders WHERE stage = 'unpaid')",
             "checkouts": "WHERE state = 'unpaid'", "payments": "WHERE state = 'open'"}  # fmt: skip
    for table, columns, constraint in BOUNDS:
        with room.conn.transaction(force_rollback=True):
            room.conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            with refused(room.conn, "23514", constraint):
                room.conn.execute(f"UPDATE {table} SET {columns} {first.get(table, '')}")  # noqa: S608
    for statement, code, constraint in INSERTS:
        with refused(room.conn, code, constraint):
            room.conn.execute(statement)


def test_what_was_written_once_is_never_changed(room: Room, trade: Trade):
    lives(trade)
    month = "SELECT to_char(now() AT TIME ZONE 'UTC', '\"events_\"YYYY_MM') AS month"
    this_month = room.conn.execute(month).fetchone()["month"]
    for table, column in (
        ("ledger_entries", "note"),
        ("ledger_postings", "order_id"),
        ("invoices", "document"),
        ("events", "data"),
        (this_month, "data"),
    ):
        change = f"UPDATE {table} SET {column} = {column}"  # noqa: S608
        remove = f"DELETE FROM {table}"  # noqa: S608
        for statement in (change, remove, f"TRUNCATE {table} CASCADE"):
            with refused(room.conn, "42501"):
                room.conn.execute(statement)
