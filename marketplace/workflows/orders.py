"""Orders as an app shows them: cards of a list, and the page of one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.contract.errors import Problem
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import orders
from marketplace.workflows import order_rules, order_texts, refunds, returns
from marketplace.workflows.addresses import one_line
from marketplace.workflows.carts import options_of, store_of

_SYMBOLS = re.compile(r"[0-9A-Z]{8}[0-9]{0,4}\Z")
_SAID = str.maketrans("OIL", "011")


def tidy(number: str) -> str:
    """Return the number of an order or a checkout as it is written, from what somebody typed or
    heard.
    """
    bare = "".join(sign for sign in number.upper() if sign not in "-– .").translate(_SAID)
    if not _SYMBOLS.match(bare):
        return number
    return "-".join(filter(None, (bare[:4], bare[4:8], bare[8:])))


def missing() -> Problem:
    """Return the 404 of an order that is not there, or not the caller's."""
    return Problem("not_found", "There is no such order.")


def cards(conn: Conn, caller: Caller, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the cards of these orders, in their order."""
    if not ids:
        return []
    return [_card(row, caller) for row in orders.cards(conn, caller, ids)]


def page(conn: Conn, caller: Caller, order_id: int, language: str) -> dict[str, Any]:
    """Return the page of an order. Raises 404 if it is not the caller's."""
    rows = orders.cards(conn, caller, [order_id])
    rest = orders.find(conn, caller, order_id)
    if not rows or rest is None:
        raise missing()
    row = rows[0]
    acts = order_rules.party(row, caller)
    parcels = orders.parcels(conn, caller, order_id)
    events = orders.events(conn, caller, order_id, row["placed_at"])
    codes = order_texts.BUYERS if acts == order_rules.BUYER else order_texts.SELLERS
    return {
        **_card(row, caller),
        "lines": [line_of(line) for line in orders.lines(conn, caller, order_id)],
        "address": address_of(rest),
        "note": rest["note"],
        "delivery": rest["delivery_name"],
        "totals": _totals(row, rest),
        **_money(row, rest, acts),
        **{name: rest[name] for name in ("payment_status", "fulfilment_status", "cancel_reason")},
        "cancelled_by": rest["cancelled_by"],
        "shipments": [_parcel(parcel) for parcel in parcels],
        "timeline": order_texts.timeline(events, parcels, language),
        "cancel": {
            "how": order_rules.cancelling(row, acts),
            "reasons": order_texts.reasons(codes, language),
        },
        "return_until": order_rules.return_until(row),
        "returns": returns.of_order(conn, caller, order_id),
        "refunds": refunds.of_order(conn, caller, order_id),
    }


def address_of(rest: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a parcel goes, as far as the caller may know it."""
    where = rest["address"]
    return {
        "recipient": where["recipient"],
        "phone": where.get("phone"),
        "text": one_line(where),
        "note": where.get("note"),
        "masked": rest["masked"],
    }


def line_of(line: Row) -> dict[str, Any]:
    """Return a line of an order, in the form that an app meets everywhere."""
    return {
        **_thing(line),
        "id": line["id"],
        "sku": line["sku"],
        "price_before": None,
        "total": line["total"],
        "weight_grams": line["weight_grams"] or 0,
        "min_quantity": line["min_quantity"],
        "stock": line["stock"],
        "problem": None,
        **{name: line[name] for name in ("discount", "subsidy", "tax")},
        **{
            name: line[name]
            for name in ("cancelled", "shipped", "delivered", "undelivered", "returned")
        },
    }


def _card(row: Row, caller: Caller) -> dict[str, Any]:
    acts = order_rules.party(row, caller)
    shown = {
        **{name: row[name] for name in ("id", "number", "checkout_id", "stage")},
        "store": store_of(row),
        "first_line": {**_thing(row), "total": row["line_total"]},
        "more_lines": row["more_lines"],
        **{name: row[name] for name in ("units", "total", "currency", "cod", "courier")},
        "tracking_number": row["tracking_number"],
        "open_request": row["open_request"],
        "deadline": order_rules.deadline(row),
        "can": order_rules.possible(row, acts),
        "placed_at": row["placed_at"],
        "version": row["version"],
    }
    if acts != order_rules.BUYER:
        shown["buyer"] = {"name": row["buyer_name"] or "***"}
    return shown


def _thing(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was bought."""
    return {
        "product_id": line["product_id"],
        "variant_id": line["variant_id"] or None,
        "name": line["name"],
        "options": options_of(line),
        "thumb_url": line["image_url"],
        "placeholder": line["placeholder"],
        "quantity": line["quantity"],
        "price": line["price"],
    }


def _totals(row: Row, rest: Row) -> dict[str, Any]:
    return {
        **{name: rest[f"{name}_total"] for name in ("items", "discount", "subsidy", "delivery")},
        "tax": rest["tax_total"],
        "tax_included": rest["tax_included"],
        "total": row["total"],
        "cancelled": rest["cancelled_total"],
        "paid": rest["paid"],
        "refunded": rest["refunded"],
    }


def _money(row: Row, rest: Row, acts: str) -> dict[str, Any]:
    """Return the payment for the buyer and admins, and what the sale brings for the store and
    admins.
    """
    shown: dict[str, Any] = {}
    if acts != order_rules.SELLER:
        shown["payment"] = {
            "id": rest["payment_id"],
            "method": rest["payment_method"] or rest["method"],
            "state": rest["payment_state"],
        }
    if acts != order_rules.BUYER:
        fee, tax = rest["commission"], rest["commission_tax"]
        net = row["total"] + rest["subsidy_total"] - fee - tax
        shown["sale"] = {"commission": fee, "commission_tax": tax, "net": net}
    return shown


def _parcel(parcel: Row) -> dict[str, Any]:
    names = ("id", "courier", "service", "tracking_number", "tracking_url", "state", "outcome")
    times = ("lines", "shipped_at", "delivered_at")
    return {name: parcel[name] for name in (*names, *times)}
