"""Statements about the trade of others that somebody smuggles in: what would move money, or read books and addresses.

Each has a name, and tells whether the owner of the tables gets something from it, who may.
"""

from types import SimpleNamespace
from typing import Any

from psycopg.rows import dict_row

from support.trade import Trade

TRADE: list[tuple[str, str, bool]] = [
    ("read orders of others", "SELECT id FROM orders WHERE id = %(order)s", True),
    ("read lines of others", "SELECT id FROM order_lines WHERE order_id = %(order)s", True),
    ("read parcels of others", "SELECT tracking_number FROM shipments WHERE order_id = %(order)s", True),
    ("read pieces of parcels of others", "SELECT quantity FROM shipment_lines WHERE order_id = %(order)s", True),
    ("read what happened to others", "SELECT data FROM events WHERE order_id = %(order)s", True),
    ("read checkouts of others", "SELECT total FROM checkouts WHERE id = %(checkout)s", True),
    ("read addresses", "SELECT address FROM checkouts", True),
    ("read an address by its function",
     "SELECT 1 FROM delivery_address(%(order)s) AS d WHERE d.address IS NOT NULL", False),
    ("read addresses of mails", "SELECT email FROM order_mail(%(order)s, 'buyer')", True),
    ("read payments of others", "SELECT amount FROM payments WHERE id = %(payment)s", True),
    ("read refunds of others", "SELECT amount FROM refunds WHERE order_id = %(order)s", True),
    ("read accounts of refunds", "SELECT bank FROM refunds", True),
    ("read an account by its function", "SELECT 1 WHERE refund_account(%(refund)s) IS NOT NULL", False),
    ("read the images of a payment", "SELECT key FROM images_of_payment(%(payment)s)", False),
    ("read uploads of others", "SELECT key FROM uploads", True),
    ("read the books", "SELECT amount FROM ledger_postings", True),
    ("read entries of the books", "SELECT source FROM ledger_entries", True),
    ("read balances of others", "SELECT balance FROM store_balances", True),
    ("read a balance by its function", "SELECT 1 FROM store_balance(%(their_store)s) AS b WHERE b.balance IS NOT NULL", False),
    ("read what providers told", "SELECT body FROM provider_callbacks", False),
    ("read what the platform takes", "SELECT rate FROM commission_rules", True),
    ("pay an order", "UPDATE orders SET paid = total WHERE id = %(order)s", True),
    ("have an order for nothing", "UPDATE orders SET note = 'free' WHERE id = %(order)s", True),
    ("say that a payment came", "UPDATE payments SET tries = 1 WHERE id = %(payment)s", True),
    ("send a refund elsewhere", "UPDATE refunds SET bank = '{}' WHERE order_id = %(order)s", True),
    ("say that a parcel arrived", "UPDATE shipments SET courier = 'me' WHERE order_id = %(order)s", True),
    ("give oneself a balance", "UPDATE store_balances SET balance = balance + 1", True),
    ("post to the books", "SELECT post_entry('x', 'y', NULL, '{bank,bank}', NULL, '{1,-1}')", True),
    ("write the books", "INSERT INTO ledger_entries (kind, source) VALUES ('x', 'y')", True),
    ("undo the books", "DELETE FROM ledger_postings", False),
    ("tell what never happened", "INSERT INTO events (type, actor) VALUES ('order.paid', 'system')", True),
    ("take events from their reader", "SELECT id FROM next_events('mail', 9)", False),
    ("move a reader", "UPDATE event_cursors SET event_id = 9223372036854775807", True),
    ("let the buyer cancel what is accepted", "INSERT INTO order_transitions VALUES ('accepted', 'cancelled', 'buyer')", True),
    ("take no commission", "INSERT INTO commission_rules (rate, active_to) VALUES (0, now())", True),
    ("add a holiday", "INSERT INTO holidays VALUES ('ID', '2026-12-01', 'Libur')", True),
    ("upload for another", "INSERT INTO uploads (user_id, purpose, key, bytes) VALUES (%(victim)s, 'proof', 'k', 1)", True),
    ("free what is held", "DELETE FROM holds WHERE order_id = %(order)s", True),
    ("number an invoice", "UPDATE invoice_counters SET last = 9", False),
    ("ask whether something is broken", "SELECT broken_invariants()", False),
]  # fmt: skip


def sold(conn: Any, seller: Any, buyer: Any, product: int) -> dict[str, int]:
    """Sell a product of the victim's: paid, sent in part, with a refund; what statements name of it."""
    factory, conn.row_factory = conn.row_factory, dict_row
    trade = Trade(SimpleNamespace(conn=conn, seller=seller, user=lambda kind: buyer))
    done, open_ = (trade.place(product=product) for _ in range(2))
    trade.pay(done)
    trade.ship(done)
    trade.deliver(done)
    trade.complete(done)
    payment = trade.pay(open_)
    refund = trade.refund_one(open_)
    trade.upload(seller.id)
    conn.row_factory = factory
    conn.execute("UPDATE order_lines SET shipped = 1 WHERE order_id = %s", [open_.order])
    parcel = conn.execute(
        "INSERT INTO shipments (store_id, buyer_id, order_id, tracking_number) VALUES (%s, %s, %s, 'X1') RETURNING id",
        [open_.store, open_.buyer, open_.order],
    ).fetchone()[0]
    conn.execute(
        "INSERT INTO shipment_lines VALUES (%s, %s, %s, 1)", [open_.order, parcel, open_.line]
    )
    return {"order": open_.order, "checkout": open_.checkout, "payment": payment, "refund": refund}
