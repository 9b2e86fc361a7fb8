"""Invoices and credit notes: issued by the worker, once each, with numbers that have no gaps.

What is due stands in a table since the transaction that made it due. Each is taken, numbered and
kept in one transaction of its own, so that a killed worker leaves neither a gap nor a second one.
A document says what was true then and never changes.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import invoices, jobs
from marketplace.workflows import due
from marketplace.workflows.carts import options_of

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
PREFIXES = {INVOICE: "INV", CREDIT_NOTE: "CN"}


def wake(conn: Conn) -> None:
    """Have invoices be issued soon, not only within the next minute."""
    jobs.enqueue_unless_waiting(conn, "issue_invoices", queue="quick", lock="issue_invoices")


def run(db: Database, zone: str, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Issue what is due; return how many. One that fails is logged and holds up nobody."""
    return due.each(
        db,
        invoices.due,
        lambda conn, row: issue(conn, row["id"], row["refund_id"], zone),
        failed="an invoice was not issued",
        job=lambda row: f"invoice of order {row['id']}, refund {row['refund_id']}",
        stopping=stopping,
    )


def issue(conn: Conn, order_id: int, refund_id: int, zone: str) -> bool:
    """Issue one document, dated on the day (in the zone of the shop) on which it became due; return
    whether it was still to be issued.
    """
    taken = invoices.take(conn, order_id, refund_id, zone)
    if taken is None:
        return False
    order = invoices.facts(conn, order_id)
    kind = CREDIT_NOTE if refund_id else INVOICE
    number = invoices.count(conn, order["store_id"], taken["year"], kind)
    head = {
        "kind": kind,
        "number": f"{PREFIXES[kind]}/{taken['year']}/{order['store_id']}/{number:06d}",
        "date": taken["day"].isoformat(),
    }
    refund = invoices.refund_facts(conn, refund_id) if refund_id else None
    document = invoice(head, order) if refund is None else credit_note(head, refund)
    values = {
        "store_id": order["store_id"],
        "year": taken["year"],
        "kind": kind,
        "number": number,
        "buyer_id": order["buyer_id"],
        "order_id": order_id,
        "refund_id": refund_id,
    }
    invoices.add(conn, values, document)
    return True


def invoice(head: Mapping[str, str], order: Row) -> dict[str, Any]:
    """Return the document of what stayed of an order: lines, what was given back besides, and the
    sum that its buyer paid in the end.
    """
    lines = [_line(line) for line in order["lines"]]
    sums = {name: _sum(lines, name) for name in ("discount", "subsidy", "tax")}
    items = sum((line["quantity"] * Decimal(line["price"]) for line in lines), Decimal(0))
    total = order["paid"] - order["refunded"]
    asked = items - sums["discount"] - sums["subsidy"] + order["delivery_total"]
    asked += Decimal(0) if order["tax_included"] else sums["tax"]
    return {
        **head,
        "invoice_number": None,
        "order_id": order["id"],
        "order_number": order["number"],
        "placed_at": _moment(order["placed_at"]),
        "store": {
            "id": order["store_id"],
            "name": order["store_name"],
            "city": order["store_city"],
        },
        "buyer": {"name": order["buyer_name"], "city": order["buyer_city"]},
        "method": order["method"],
        "currency": order["currency"],
        "lines": lines,
        "totals": {
            "items": _money(items),
            **{name: _money(value) for name, value in sums.items()},
            "tax_included": order["tax_included"],
            "delivery": _money(order["delivery_total"]),
            "given_back": _money(asked - total),
            "total": _money(total),
        },
    }


def credit_note(head: Mapping[str, str], refund: Row) -> dict[str, Any]:
    """Return the document of money that went back behind the invoice."""
    of = refund["document"]
    lines = [
        {
            **_thing(line),
            "price": None,
            **dict.fromkeys(("discount", "subsidy"), "0.00"),
            "tax": _money(Decimal(line["tax"])),
            "total": line["amount"],
        }
        for line in refund["lines"]
    ]
    rest = refund["amount"] - _sum(lines, "total")
    named = ("order_id", "order_number", "placed_at", "store", "buyer", "method", "currency")
    return {
        **head,
        "invoice_number": of["number"],
        **{name: of[name] for name in named},
        "lines": lines,
        "totals": {
            "items": _money(_sum(lines, "total")),
            **dict.fromkeys(("discount", "subsidy", "delivery"), "0.00"),
            "tax": _money(_sum(lines, "tax")),
            "tax_included": of["totals"]["tax_included"],
            "given_back": _money(rest),
            "total": _money(refund["amount"]),
        },
    }


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    whole = line["quantity"] * Decimal(line["price"])
    total = whole - Decimal(line["discount"]) - Decimal(line["subsidy"])
    amounts = {
        name: _money(Decimal(line[name])) for name in ("price", "discount", "subsidy", "tax")
    }
    return {**_thing(line), **amounts, "total": _money(total)}


def _thing(line: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": line["name"],
        "options": options_of(line),
        "sku": line["sku"],
        "quantity": line["quantity"],
    }


def _sum(lines: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(line[name]) for line in lines), Decimal(0))


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _moment(at: datetime) -> str:
    return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
