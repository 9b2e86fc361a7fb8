"""A small trade at the database's own door: checkouts, orders, parcels, refunds and their entries in the books.

Written by the owner's hand, a statement a step, as the verbs of orders and payments leave things behind: what stands
here is sound, and all invariants hold. Events are made by the triggers themselves.
"""

import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from support.stock import Room, hold, take

PRICE = Decimal(85000)
ADDRESS = {
    "recipient": "Siti Aminah",
    "phone": "+628120001",
    "street": "Jl. Veteran 5",
    "city": "Serang",
    "country": "ID",
}


class Sale(NamedTuple):
    """A checkout of one order of one line."""

    buyer: int
    store: int
    checkout: int
    order: int
    line: int
    product: int
    pieces: int
    total: Decimal


def number() -> str:
    """A number of an order, as unlike others as ours are."""
    return secrets.token_hex(4).upper()


def soon(days: int = 2) -> datetime:
    """A deadline."""
    return datetime.now(UTC) + timedelta(days=days)


class Trade:
    """What a buyer buys of the seller of a room; each verb is one step in the life of a sale."""

    def __init__(self, room: Room, seller: Any = None) -> None:
        self.room = room
        self.conn = room.conn
        self.seller = seller or room.seller
        self.buyer = room.user("buyer").id
        self.store = self.seller.store_id

    def product(self) -> int:
        """A product of the seller's."""
        self.room.become("marketplace_app")
        made = self.room.api.product(self.seller, stock=50)
        self.room.become("none")
        return int(made["id"])

    def one(self, query: str, *values: Any) -> Any:
        """The first column of the one row that a statement returns."""
        row = self.conn.execute(query, values).fetchone()
        assert row is not None, query
        return next(iter(row.values()))

    def do(self, query: str, *values: Any) -> None:
        """Send a statement that changes one row."""
        assert self.conn.execute(query, values).rowcount == 1, query

    def post(
        self,
        kind: str,
        source: str,
        order: int | None,
        lines: Sequence[tuple[Any, ...]],
        why: str | None = None,
    ) -> int:
        """Post an entry: lines of kind, amount, and perhaps store, provider and order."""
        kinds, amounts, stores, providers, orders = zip(
            *((*line, *[None] * (5 - len(line))) for line in lines), strict=True
        )
        query = "SELECT post_entry(%s, %s, %s, %s::text[], %s::bigint[], %s::numeric[], %s::text[], %s::bigint[], %s)"
        columns = [list(each) for each in (kinds, stores, amounts, providers, orders)]
        return int(self.one(query, kind, source, order, *columns, why))

    def place(
        self,
        *,
        pieces: int = 2,
        method: str = "transfer",
        rate: int = 5,
        buyer: int | None = None,
        product: int | None = None,
    ) -> Sale:
        """Place a checkout of one order: cash on delivery (cod) and what costs nothing (none) are settled at once."""
        buyer = buyer or self.buyer
        product = product or self.product()
        store = self.one("SELECT store_id FROM products WHERE id = %s", product)
        items, settled = PRICE * pieces, method in ("cod", "none")
        total = Decimal(0) if method == "none" else items
        checkout = self.one(
            "INSERT INTO checkouts (buyer_id, number, currency, total, method, state, units, pay_by, address)"
            " VALUES (%s, %s, 'IDR', %s, %s, %s, %s, %s, %s) RETURNING id",
            buyer,
            number(),
            total,
            method,
            "settled" if settled else "unpaid",
            pieces,
            soon(1),
            json.dumps(ADDRESS),
        )
        order = self.one(
            "INSERT INTO orders (store_id, buyer_id, checkout_id, number, settled, cod, cod_collector, currency,"
            " items_total, subsidy_total, total, units, delivery, ship_by)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, 'IDR', %s, %s, %s, %s, '{\"name\": \"REG\"}', %s) RETURNING id",
            store,
            buyer,
            checkout,
            number(),
            settled,
            method == "cod",
            "store" if method == "cod" else None,
            items,
            items - total,
            total,
            pieces,
            soon() if settled else None,
        )
        line = self.one(
            "INSERT INTO order_lines (store_id, buyer_id, order_id, product_id, name, price, quantity, subsidy, total,"
            " commission_rate, commission, image_digest)"
            " VALUES (%s, %s, %s, %s, 'Kopi Gayo', %s, %s, %s, %s, %s, %s, repeat('a', 64)) RETURNING id",
            store, buyer, order, product, PRICE, pieces, items - total, total, rate, items * rate / 100,
        )  # fmt: skip
        assert (
            hold(self.conn, [(order, product, 0, pieces)], minutes=None if settled else 1440) == []
        )
        if method == "none":
            self.do(
                "WITH v AS (INSERT INTO vouchers (code, name, gives, value, used) VALUES (%s, 'Gratis', 'percent', 100, 1)"
                " RETURNING id) INSERT INTO voucher_uses (voucher_id, buyer_id, number, checkout_id, amount)"
                " SELECT id, %s, 1, %s, %s FROM v",
                number(),
                buyer,
                checkout,
                items,
            )
            self.post(
                "subsidy", f"order {order}", order, [("expense_voucher", items), ("escrow", -items)]
            )
        return Sale(buyer, store, checkout, order, line, product, pieces, total)

    def ask(self, sale: Sale, method: str = "transfer") -> int:
        """Open a payment; its id."""
        own = method == "store_transfer"
        return int(self.one(
            "INSERT INTO payments (checkout_id, buyer_id, order_id, store_id, method, our_reference, amount, currency, state)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, 'IDR', 'open') RETURNING id",
            sale.checkout, sale.buyer, sale.order if own else None, sale.store if own else None, method, number(), sale.total,
        ))  # fmt: skip

    def pay(self, sale: Sale, method: str = "transfer") -> int:
        """Pay a checkout; the payment."""
        payment = self.ask(sale, method)
        self.do(
            "UPDATE payments SET state = 'paid', received = amount, poll_at = NULL WHERE id = %s",
            payment,
        )
        self.do("UPDATE holds SET expires_at = NULL WHERE order_id = %s", sale.order)
        self.do(
            "UPDATE orders SET payment_id = %s, paid = total, settled = true, ship_by = %s WHERE id = %s",
            payment, soon(), sale.order,
        )  # fmt: skip
        self.do(
            "UPDATE checkouts SET state = 'settled', settled_at = now() WHERE id = %s",
            sale.checkout,
        )
        where = {
            "transfer": ("bank", sale.total),
            "store_transfer": ("payable", sale.total, sale.store),
        }.get(method, ("provider", sale.total, None, method))
        self.post(
            "payment",
            f"payment {payment}",
            None,
            [where, ("escrow", -sale.total, None, None, sale.order)],
        )
        return payment

    def ship(self, sale: Sale, pieces: int | None = None) -> int:
        """Send all of it, or some pieces; the parcel."""
        pieces = pieces or sale.pieces
        self.do("UPDATE orders SET state = 'accepted' WHERE id = %s", sale.order)
        parcel = self.one(
            "INSERT INTO shipments (store_id, buyer_id, order_id, courier, tracking_number)"
            " VALUES (%s, %s, %s, 'jne', %s) RETURNING id",
            sale.store, sale.buyer, sale.order, number(),
        )  # fmt: skip
        self.do(
            "INSERT INTO shipment_lines VALUES (%s, %s, %s, %s)",
            sale.order,
            parcel,
            sale.line,
            pieces,
        )
        self.do("UPDATE order_lines SET shipped = shipped + %s WHERE id = %s", pieces, sale.line)
        self.do(
            "UPDATE orders SET units_shipped = units_shipped + %s, deliver_by = %s WHERE id = %s",
            pieces,
            soon(15),
            sale.order,
        )
        take(self.conn, "ship_stock", sale.order, [(sale.product, 0, pieces)])
        return int(parcel)

    def deliver(self, sale: Sale) -> None:
        """It arrives; what is paid in cash then is paid."""
        self.do(
            "UPDATE shipments SET state = 'delivered', delivered_at = now() WHERE order_id = %s",
            sale.order,
        )
        self.do("UPDATE order_lines SET delivered = shipped WHERE id = %s", sale.line)
        self.do(
            "UPDATE orders SET units_delivered = units_shipped, complete_at = %s, paid = CASE WHEN cod THEN total ELSE paid END"
            " WHERE id = %s", soon(3), sale.order,
        )  # fmt: skip
        if self.one("SELECT cod FROM orders WHERE id = %s", sale.order):
            lines = [("payable", sale.total, sale.store), ("escrow", -sale.total)]
            self.post("cod_collected", f"order {sale.order}", sale.order, lines)

    def complete(self, sale: Sale) -> None:
        """The money is the store's, but for the commission."""
        self.do(
            "UPDATE orders SET state = 'completed', completed_at = now() WHERE id = %s", sale.order
        )
        held = self.one(
            "SELECT paid + subsidy_total - subsidy_returned - refund_total FROM orders WHERE id = %s",
            sale.order,
        )
        fee = self.one("SELECT commission FROM order_lines WHERE id = %s", sale.line)
        lines = [("escrow", held), ("payable", fee - held, sale.store), ("commission", -fee)]
        self.post("sale", f"order {sale.order}", sale.order, lines)

    def cancel(self, sale: Sale) -> None:
        """Cancel what is unpaid."""
        assert self.one("SELECT release_stock(%s::bigint[])", [sale.order]) == 1
        self.do("UPDATE order_lines SET cancelled = quantity WHERE id = %s", sale.line)
        self.do(
            "UPDATE orders SET state = 'cancelled', cancelled_total = total, units_cancelled = units, cancel_reason = 'unpaid',"
            " cancelled_by = 'system' WHERE id = %s", sale.order,
        )  # fmt: skip
        self.do(
            "UPDATE checkouts SET state = 'cancelled', cancelled_at = now() WHERE id = %s",
            sale.checkout,
        )

    def refund_one(self, sale: Sale) -> int:
        """Cancel one piece of what is paid, and promise its price; the refund."""
        part = sale.total / sale.pieces
        take(self.conn, "release_lines", sale.order, [(sale.product, 0, 1)])
        payment = self.one("SELECT payment_id FROM orders WHERE id = %s", sale.order)
        self.do("UPDATE order_lines SET cancelled = cancelled + 1 WHERE id = %s", sale.line)
        self.do(
            "UPDATE orders SET units_cancelled = units_cancelled + 1, cancelled_total = cancelled_total + %s,"
            " refund_total = refund_total + %s WHERE id = %s", part, part, sale.order,
        )  # fmt: skip
        self.do("UPDATE payments SET refund_total = refund_total + %s WHERE id = %s", part, payment)
        refund = self.one(
            "INSERT INTO refunds (buyer_id, store_id, order_id, payment_id, amount, currency, reason, way, state, bank)"
            " VALUES (%s, %s, %s, %s, %s, 'IDR', 'lines', 'bank', 'due', %s) RETURNING id",
            sale.buyer, sale.store, sale.order, payment, part,
            json.dumps({"bank": "BCA", "number": "1234567890", "holder": "Siti Aminah"}),
        )  # fmt: skip
        self.do(
            "INSERT INTO refund_lines (refund_id, order_id, line_id, quantity, amount, commission)"
            " SELECT %s, order_id, id, 1, %s, commission / quantity FROM order_lines WHERE id = %s",
            refund, part, sale.line,
        )  # fmt: skip
        self.post(
            "refund", f"refund {refund}", sale.order, [("escrow", part), ("refund_due", -part)]
        )
        return int(refund)

    def send_refund(self, refund: int) -> None:
        """The money of a refund is sent."""
        self.do("UPDATE refunds SET state = 'done' WHERE id = %s", refund)
        row = self.conn.execute(
            "SELECT order_id, amount FROM refunds WHERE id = %s", [refund]
        ).fetchone()
        self.do(
            "UPDATE orders SET refunded = refunded + %s WHERE id = %s",
            row["amount"],
            row["order_id"],
        )
        lines = [("refund_due", row["amount"]), ("bank", -row["amount"])]
        self.post("refund_sent", f"refund {refund}", row["order_id"], lines)

    def open_return(self, sale: Sale) -> int:
        """The buyer asks to give one piece back; the return."""
        upload = self.upload(sale.buyer, "request")
        request = self.one(
            "INSERT INTO order_requests (store_id, buyer_id, order_id, reason, message, amount, deadline_at, images)"
            " VALUES (%s, %s, %s, 'damaged', 'pecah', %s, %s, ARRAY[%s::text]) RETURNING id",
            sale.store, sale.buyer, sale.order, sale.total / sale.pieces, soon(), upload,
        )  # fmt: skip
        self.do(
            "INSERT INTO order_request_lines VALUES (%s, %s, %s, 1)", sale.order, request, sale.line
        )
        self.do("UPDATE orders SET open_request = 'return' WHERE id = %s", sale.order)
        return int(request)

    def upload(self, user: int, purpose: str = "proof") -> Any:
        """A private image of a user; its id."""
        query = (
            "INSERT INTO uploads (user_id, purpose, key, bytes) VALUES (%s, %s, %s, 9) RETURNING id"
        )
        return self.one(query, user, purpose, f"private/{number()}")

    def invoice(self, sale: Sale) -> int:
        """Number an invoice of it."""
        last = self.one(
            "INSERT INTO invoice_counters (store_id, year, kind, last) VALUES (%s, 2026, 'invoice', 1)"
            " ON CONFLICT (store_id, year, kind) DO UPDATE SET last = invoice_counters.last + 1 RETURNING last",
            sale.store,
        )  # fmt: skip
        self.do(
            "INSERT INTO invoices (store_id, year, kind, number, buyer_id, order_id, document)"
            " VALUES (%s, 2026, 'invoice', %s, %s, %s, '{}')", sale.store, last, sale.buyer, sale.order,
        )  # fmt: skip
        return int(last)


def lives(trade: Trade) -> dict[str, Any]:
    """A sale in each stage, and whatever hangs on them, by what it is; all sound."""
    made: dict[str, Any] = {
        name: trade.place()
        for name in ("unpaid", "cancelled", "new", "part", "shipping", "delivered", "done", "back")
    }
    made["free"] = trade.place(method="none")
    made["cod"] = trade.place(method="cod")
    made["asked"] = trade.ask(made["unpaid"])
    for name in ("new", "part", "shipping", "delivered", "done"):
        made[f"{name}_payment"] = trade.pay(made[name])
    made["back_payment"] = trade.pay(made["back"], "pretend")
    trade.cancel(made["cancelled"])
    for name in ("shipping", "delivered", "done", "back", "cod"):
        made[f"{name}_parcel"] = trade.ship(made[name])
    for name in ("delivered", "done", "back", "cod"):
        trade.deliver(made[name])
    for name in ("done", "back", "cod"):
        trade.complete(made[name])
        trade.invoice(made[name])
    made["refund"] = trade.refund_one(made["part"])
    trade.send_refund(made["refund"])
    made["due"] = trade.refund_one(made["new"])
    made["request"] = trade.open_return(made["back"])
    return made
