"""Placing what a quote says, showing what was placed, cancelling it, paying it in another way."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import orjson
from psycopg import errors as pg

from marketplace.config.providers import PROVIDERS
from marketplace.config.settings import Config
from marketplace.contract.errors import FieldError, Problem, invalid
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import carts, checkouts, payments
from marketplace.workflows import (
    due,
    events,
    payment_methods,
    payment_sessions,
    pricing,
    quote_screens,
    quotes,
    refusals,
)
from marketplace.workflows.carts import store_of
from marketplace.workflows.quotes import Part, Quote

#: What place_checkout() finds changed since the quote that it was made from: a price, a sum.
CHANGED = ("checkouts_prices", "checkouts_total", "checkouts_tax", "checkouts_discount")
#: What it refuses because something changed between the look and the locks: another look names it.
OVERTAKEN = (
    *CHANGED,
    "checkouts_lines",
    "checkouts_delivery",
    "checkouts_store",
    "checkouts_method",
    "checkouts_max_per_buyer",
    "checkouts_address",
    "vouchers_used_check",
    "voucher_uses_pkey",
)


def place(conn: Conn, config: Config, user_id: int, body: Mapping[str, Any], language: str) -> int:
    """Place what is wanted; the id of the checkout. Everything that can be said of what is wrong is
    said before anything is locked but the buyer's own cart.
    """
    payment_methods.require_return_url(config, (body["payment"] or {}).get("return_url"))
    if _is_from_cart(body):
        carts.take_turn(conn, user_id)
    document = _looked_at(conn, config, user_id, body, language)
    events.wake(conn)  # before what others wait for is locked
    try:
        checkout_id = checkouts.place(conn, document)
        if document["method"] in PROVIDERS:
            payment_sessions.open_there(conn, checkout_id)
        return checkout_id
    except pg.CheckViolation as error:
        if error.diag.constraint_name != "inventory_quantity_check":
            raise
        raise refusals.short(orjson.loads(error.diag.message_detail or "[]")) from None


def overtaken(
    conn: Conn, config: Config, user_id: int, body: Mapping[str, Any], language: str
) -> Problem:
    """Return the refusal of what changed between the look and the locks, by another look; where
    that finds nothing wrong any more, the new quote.
    """
    try:
        _looked_at(conn, config, user_id, body, language)
    except Problem as problem:
        return problem
    return changed(quotes.make(conn, config, user_id, body), language)


def _looked_at(
    conn: Conn, config: Config, user_id: int, body: Mapping[str, Any], language: str
) -> dict[str, Any]:
    """Return what place_checkout() takes. Raises a Problem for all that can be seen by a look."""
    payment = body["payment"] or {}
    quote = quotes.make(conn, config, user_id, body, paid_by=payment.get("method") or "none")
    refusals.require_lines(quote)
    if _is_another(quote, body["expected_total"]):
        raise changed(quotes.make(conn, config, user_id, body), language)
    refusals.require_delivery(quote, body)
    refusals.require_vouchers(quote, body)
    method, named = _method(quote, payment), payment.get("channel")
    channel, minutes = payment_methods.choose(config, quote.offer, method, named, at="/payment")
    if quote.priced.total % pricing.step_of(config.currency):
        raise Problem("total_not_payable", "The total has a part of a coin that nobody pays with.")
    return {
        **_document(quote, payment, body),
        "method": method,
        "channel": channel,
        "pay_within_minutes": minutes,
    }


def changed(quote: Quote, language: str) -> Problem:
    """Return the refusal of a checkout that costs something else now, with what it costs."""
    more = {"quote": quote_screens.show(quote, language)}
    return Problem("total_changed", "It costs something else now; show the new quote.", more=more)


def _is_from_cart(body: Mapping[str, Any]) -> bool:
    """Whether what is wanted is taken out of the cart."""
    return not (body["buy_now"] and body["lines"] is not None)


def _is_another(quote: Quote, expected: Decimal) -> bool:
    """Whether the total is another than the one that the buyer has seen, or something was hidden
    since.
    """
    hidden = any(row["problem"] == "hidden" for row in quote.rows)
    return hidden or (quote.priced.total != expected and _is_whole(quote))


def _is_whole(quote: Quote) -> bool:
    """Whether nothing is missing that a total is counted from."""
    return all(part.chosen is not None for part in quote.parts) and not quote.unfit


def _method(quote: Quote, payment: Mapping[str, Any]) -> str:
    """Return the way to pay; nothing to pay needs none to be named."""
    method: str = payment.get("method") or ("none" if quote.priced.total == 0 else "")
    if not method:
        raise invalid("/payment", "required", "say how it is paid")
    return method


def _document(quote: Quote, payment: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what place_checkout() takes: what was computed, for it to hold to the tables."""
    return {
        "return_url": payment.get("return_url"),
        "currency": quote.config.currency,
        "total": quote.priced.total,
        "address_id": (quote.address or {})["id"],
        "from_cart": _is_from_cart(body),
        "lines": [
            {
                "product_id": line.product_id,
                "variant_id": line.variant_id,
                "quantity": line.quantity,
                "price": line.price,
                "discount": line.discount,
                "subsidy": line.subsidy,
                "tax": line.tax,
            }
            for line in quote.priced.lines
        ],
        "orders": [_order(quote, part) for part in quote.parts],
        "vouchers": [
            {
                "id": one.voucher.id,
                "store_id": one.voucher.store_id,
                "amount": one.amount,
                "code": quote.vouchers[one.voucher.id]["code"],
            }
            for one in quote.priced.vouchers
        ],
    }


def _order(quote: Quote, part: Part) -> dict[str, Any]:
    order = quote.by_store[part.store_id]
    return {
        "store_id": part.store_id,
        "delivery_option_id": (part.chosen or {})["id"],
        "note": part.note,
        "discount_total": order.discount_total,
        "subsidy_total": order.subsidy_total,
        "delivery_total": order.delivery_total,
        "tax_total": order.tax_total,
        "tax_included": order.tax_included,
        "total": order.total,
    }


def find(
    conn: Conn, config: Config, checkout_id: int, caller: Caller, language: str
) -> dict[str, Any]:
    """Return a checkout as apps meet it; 404 if it is not the caller's."""
    rows = checkouts.find(
        conn, checkout_id, user_id=caller.user_id, everything=caller.role == "admin"
    )
    if not rows:
        raise not_found()
    return _shown(conn, config, rows[:1], rows, caller, language)[0]


def show(
    conn: Conn, config: Config, rows: Sequence[Row], caller: Caller, language: str
) -> list[dict[str, Any]]:
    """Return checkouts as apps meet them, with their orders and what is to be paid."""
    ids = [row["id"] for row in rows]
    return _shown(conn, config, rows, checkouts.orders(conn, ids), caller, language) if ids else []


def _shown(
    conn: Conn,
    config: Config,
    rows: Sequence[Row],
    orders_of: Sequence[Row],
    caller: Caller,
    language: str,
) -> list[dict[str, Any]]:
    ids = [row["id"] for row in rows]
    orders: dict[int, list[dict[str, Any]]] = {each: [] for each in ids}
    for order in orders_of:
        orders[order["checkout_id"]].append(_shown_order(order))
    paying: dict[int, list[dict[str, Any]]] = {each: [] for each in ids}
    for payment in payments.of_checkouts(conn, ids):
        paying[payment["checkout_id"]].append(payment_methods.shown(config, payment, language))
    return [
        {
            **{name: row[name] for name in checkouts.COLUMNS},
            "orders": orders[row["id"]],
            "payments": paying[row["id"]],
            "can": _can(row, paying[row["id"]], caller),
        }
        for row in rows
    ]


def _shown_order(order: Row) -> dict[str, Any]:
    return {
        "id": order["order_id"],
        "number": order["order_number"],
        "store": store_of(order),
        "stage": order["stage"],
        "first_line": {
            "name": order["line_name"],
            "thumb_url": order["image_url"],
            "quantity": order["quantity"],
        },
        "more_lines": order["more_lines"],
        "total": order["order_total"],
    }


def _can(row: Row, paying: Sequence[Mapping[str, Any]], caller: Caller) -> list[str]:
    """Return what the caller can do: buttons of an app."""
    if row["state"] != "unpaid":
        return []
    if row["buyer_id"] != caller.user_id:  # an admin cancels, also while a proof is checked
        return ["cancel"]
    checking = any(payment["state"] == "checking" for payment in paying)
    can = ["pay"] if any(payment["state"] in payment_methods.OPEN for payment in paying) else []
    if not checking:
        can += ["change_method"] if row["method"] != "store_transfer" else []
        can.append("cancel")
    return can


def lock(conn: Conn, checkout_id: int) -> int:
    """Return the version of a checkout, which nobody else changes until this transaction ends.
    Raises 404 if it is not the caller's.
    """
    version = checkouts.lock(conn, checkout_id)
    if version is None:
        raise not_found()
    return version


def cancel(conn: Conn, checkout_id: int, reason: str | None) -> None:
    """Cancel what is unpaid of a checkout; one that is cancelled already is no error."""
    outcome = checkouts.cancel(conn, checkout_id, reason)
    if outcome is None:
        raise not_found()
    if outcome == "settled":
        raise Problem("checkout_paid", "It is paid, or needs no payment: cancel its orders.")
    if outcome == "checking":
        raise Problem("payment_checking", "A transfer of it is being checked.")
    payment_sessions.close_there(conn, checkout_id)


def change_payment(
    conn: Conn, config: Config, checkout_id: int, caller: Caller, body: Mapping[str, Any]
) -> None:
    """Close the open payment of a checkout and open another one; jobs do it at the providers."""
    payment_methods.require_return_url(config, body.get("return_url"))
    method = body["method"]
    rows = checkouts.find(conn, checkout_id, user_id=caller.user_id, everything=False)
    if not rows:
        raise not_found()
    if method in ("cod", "store_transfer"):
        error = FieldError("/method", "not_offered", "choose another way to pay")
        raise Problem("payment_not_offered", errors=[error])
    offer = payment_methods.of_total(rows[0]["total"], payment_methods.silent(conn, config))
    channel, minutes = payment_methods.choose(config, offer, method, body.get("channel"))
    opened = checkouts.change_payment(
        conn,
        checkout_id,
        method=method,
        channel=channel,
        return_url=body.get("return_url"),
        minutes=minutes,
    )
    if opened is None:
        raise not_found()
    payment_sessions.close_there(conn, checkout_id)
    payment_sessions.open_there(conn, checkout_id)


def cancel_due(db: Database) -> int:
    """Cancel what is unpaid and past its time, each in a transaction of its own; how many.

    For the worker, each minute. Looks at the time again under the lock; safe to repeat. Where a
    provider may have the money, a job asks it first.
    """
    return due.each(
        db,
        checkouts.due,
        _cancel_due,
        failed="a checkout was not cancelled",
        job=lambda row: f"checkout {row['id']}",
    )


def _cancel_due(conn: Conn, row: Row) -> bool:
    if row["waits_at_provider"]:
        payment_sessions.expire_later(conn, row["id"])
        return False
    return checkouts.cancel(conn, row["id"], "unpaid") == "cancelled"


def not_found() -> Problem:
    """Return the refusal of a checkout that is not the caller's."""
    return Problem("not_found", "There is no such checkout.")
