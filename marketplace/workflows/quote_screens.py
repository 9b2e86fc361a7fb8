"""A quote as the checkout screen shows it: lines, ways to send, vouchers on offer, ways to pay, and
what keeps it from being placed.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marketplace.config.settings import Config
from marketplace.postgres.pool import Row
from marketplace.workflows import carts, payment_methods, pricing
from marketplace.workflows.addresses import one_line
from marketplace.workflows.pricing import ZERO, Line, Order, Taken, money
from marketplace.workflows.quotes import Part, Quote, line_of, used, voucher_of

SUMS = ("items_total", "discount_total", "subsidy_total", "delivery_total", "tax_total", "total")


def problems(quote: Quote) -> list[dict[str, Any]]:
    """Return what keeps a checkout from being placed, a word each."""
    found = [] if quote.address else [_problem("address_required")]
    found += [] if quote.rows else [_problem("cart_empty")]
    found += [
        _problem("cart_empty", product_id=line.product_id, variant_id=line.variant_id)
        for line in quote.not_in_cart
    ]
    found += [_of_line(row["problem"], row) for row in quote.rows if row["problem"] is not None]
    found += [_of_line("max_per_buyer", row) for row in above_most(quote)]
    for part in quote.parts:
        if part.rows[0]["store_owner"] == quote.user_id:
            found.append(_problem("self_purchase", store_id=part.store_id))
        if quote.address and part.chosen is None:
            found.append(_problem("delivery_not_offered", store_id=part.store_id))
    if quote.priced.total % pricing.step_of(quote.config.currency):
        found.append(_problem("total_not_payable"))
    return found


def above_most(quote: Quote) -> list[Row]:
    """Return lines of which a buyer would have more than one buyer can have."""
    pieces: dict[int, int] = dict(quote.bought)
    for row in quote.rows:
        pieces[row["product_id"]] = pieces.get(row["product_id"], 0) + row["quantity"]
    return [
        row
        for row in quote.rows
        if row["max_per_buyer"] is not None and pieces[row["product_id"]] > row["max_per_buyer"]
    ]


def _of_line(code: str, row: Row) -> dict[str, Any]:
    return _problem(
        code,
        store_id=row["store_id"],
        product_id=row["product_id"],
        variant_id=row["variant_id"],
    )


def _problem(
    code: str,
    *,
    store_id: int | None = None,
    product_id: int | None = None,
    variant_id: int | None = None,
) -> dict[str, Any]:
    return {
        "code": code,
        "store_id": store_id,
        "product_id": product_id,
        "variant_id": variant_id or None,
    }


def show(quote: Quote, language: str) -> dict[str, Any]:
    """Return a quote as the checkout screen shows it."""
    orders, address = quote.priced.orders, quote.address
    return {
        "currency": quote.config.currency,
        "address": {
            **{name: address[name] for name in ("id", "label", "recipient", "phone")},
            "text": one_line(address),
        }
        if address
        else None,
        **_sums(orders),
        "tax_included": all(order.tax_included for order in orders),
        "units": sum(row["quantity"] for row in quote.rows),
        "orders": _orders(quote),
        "vouchers": _offers(quote),
        "payment_methods": payment_methods.offered(quote.config, quote.offer, language),
        "problems": problems(quote),
    }


def _sums(orders: Sequence[Order]) -> dict[str, Decimal]:
    return {name: money(sum((getattr(each, name) for each in orders), ZERO)) for name in SUMS}


def _orders(quote: Quote) -> list[dict[str, Any]]:
    lines: dict[int, list[dict[str, Any]]] = {part.store_id: [] for part in quote.parts}
    for row, line in zip(quote.rows, quote.priced.lines, strict=True):
        parts = {name: money(getattr(line, name)) for name in ("discount", "subsidy", "tax")}
        lines[line.store_id].append({**carts.line_of(row), **parts, "total": money(line.left)})
    return [
        {
            "store": carts.store_of(part.rows[0]),
            "lines": lines[part.store_id],
            "weight_grams": part.grams,
            **_sums([quote.by_store[part.store_id]]),
            "delivery": {
                "chosen": str(part.chosen["id"]) if part.chosen else None,
                "options": [_option(quote.config, part, option) for option in part.options],
            },
        }
        for part in quote.parts
    ]


def _option(config: Config, part: Part, option: Row) -> dict[str, Any]:
    arrives = None
    if option["days_min"] is not None:
        today = datetime.now(ZoneInfo(config.shop_time_zone)).date()
        waits = max(row["preorder_days"] for row in part.rows)
        days = [timedelta(days=waits + option[name]) for name in ("days_min", "days_max")]
        arrives = {"from": (today + days[0]).isoformat(), "to": (today + days[1]).isoformat()}
    return {
        "key": str(option["id"]),
        "name": option["name"],
        "price": money(option["price"]),
        "free_from": option["free_from"],
        "arrives": arrives,
        "cod": option["cod"],
    }


def _offers(quote: Quote) -> list[dict[str, Any]]:
    """Return the vouchers that were taken, then those on offer, each with why it gives nothing."""
    taken = {one.voucher.id: one for one in quote.priced.vouchers}
    lines = [line_of(row) for row in quote.rows]
    return [_offer(row, taken.get(row["id"]), lines) for row in quote.vouchers.values()]


def _offer(row: Row, taken: Taken | None, lines: Sequence[Line]) -> dict[str, Any]:
    one = taken or pricing.judge(voucher_of(row), lines)
    return {
        "code": row["code"],
        "name": row["name"],
        "applied": taken is not None and taken.reason is None,
        "discount": money(taken.amount) if taken else money(ZERO),
        "reason": used(row) or one.reason,
        "missing": one.missing,
    }
