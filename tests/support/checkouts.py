"""Checkouts made up at random, and what has to be true of each that is priced."""

import random
from decimal import Decimal
from typing import NamedTuple

from marketplace.workflows import pricing
from marketplace.workflows.pricing import ZERO, Line, Priced, Voucher

RATES = [Decimal(rate) for rate in ("0", "11", "12", "5.5", "19.6", "100")]


class Asked(NamedTuple):
    """What a checkout is priced from."""

    lines: list[Line]
    delivery: dict[int, Decimal]
    tax_included: dict[int, bool]
    vouchers: list[Voucher]
    step: Decimal


def amount(chance: random.Random, most: int, step: Decimal) -> Decimal:
    """An amount of whole coins, small ones as often as large ones."""
    top = chance.choice([0, 1, 7, 1000, most])
    return Decimal(chance.randint(0, int(top / step))) * step


def made_up(chance: random.Random, *, most_lines: int = 100) -> Asked:
    """A checkout: up to so many lines, 20 stores and 5 vouchers of both bearers, taxes in and on
    top.
    """
    step = pricing.step_of(chance.choice(["IDR", "USD"]))
    stores = chance.sample(range(1, 1000), chance.randint(1, 20))
    included = chance.random() < 0.7
    lines = [
        Line(
            product_id=chance.randint(1, 50),
            variant_id=chance.choice([0, 1, 2]),
            store_id=store,
            price=amount(chance, 10**8, step),
            quantity=chance.choice([1, 1, 2, 3, 1000]),
            categories=tuple(chance.sample(range(1, 9), chance.randint(0, 3))),
            tax_rate=chance.choice(RATES),
        )
        for store in (*stores, *chance.choices(stores, k=chance.randint(0, most_lines)))
    ][: max(most_lines, len(stores))]
    delivery = {store: amount(chance, 100_000, step) for store in stores}
    vouchers = [voucher(chance, number, stores, step) for number in range(chance.randint(0, 5))]
    return Asked(lines, delivery, dict.fromkeys(stores, included), vouchers, step)


def voucher(chance: random.Random, number: int, stores: list[int], step: Decimal) -> Voucher:
    """A voucher of one of the stores, or of the platform."""
    gives = chance.choice(["percent", "amount", "free_delivery"])
    value = Decimal(chance.randint(0, 10_000)) / 100
    return Voucher(
        id=number,
        store_id=chance.choice([None, *stores[:3]]),
        gives=gives,
        value=value if gives == "percent" else amount(chance, 10**6, step),
        max_discount=amount(chance, 10**6, step) + step if chance.random() < 0.5 else None,
        min_total=amount(chance, 10**6, step),
        product_ids=frozenset(chance.sample(range(1, 51), 20)) if chance.random() < 0.3 else None,
        category_ids=frozenset(chance.sample(range(1, 9), 3)) if chance.random() < 0.3 else None,
    )


def priced(asked: Asked) -> Priced:
    return pricing.price(*asked)


def faults(asked: Asked, found: Priced) -> list[str]:
    """What is not as it has to be."""
    wrong = []
    things = [taken for taken in found.vouchers if taken.voucher.gives != "free_delivery"]
    freed = [taken for taken in found.vouchers if taken.voucher.gives == "free_delivery"]
    for bearer, platform in (("discount", False), ("subsidy", True)):
        given = sum((t.amount for t in things if (t.voucher.store_id is None) == platform), ZERO)
        if given != sum((getattr(line, bearer) for line in found.lines), ZERO):
            wrong.append(f"{bearer} of the lines is not that of the vouchers")
    for line in found.lines:
        parts = (line.left, line.discount, line.subsidy, line.tax)
        if min(parts) < 0 or any(part % asked.step for part in parts):
            wrong.append(f"line {line}")
    for order in found.orders:
        own = [line for line in found.lines if line.store_id == order.store_id]
        off = sum((t.amount for t in freed if t.voucher.store_id == order.store_id), ZERO)
        if order.delivery_total != asked.delivery[order.store_id] - off or order.delivery_total < 0:
            wrong.append(f"delivery of {order}")
        beyond = order.subsidy_total - sum((line.subsidy for line in own), ZERO)
        if not 0 <= beyond <= order.delivery_total or beyond % asked.step:
            wrong.append(f"subsidy of {order}")
        left = sum((line.left for line in own), ZERO) + order.delivery_total - beyond
        on_top = ZERO if order.tax_included else sum((line.tax for line in own), ZERO)
        if order.total != left + on_top or order.total < 0:
            wrong.append(f"total of {order}")
    platform = sum((t.amount for t in found.vouchers if t.voucher.store_id is None), ZERO)
    if platform != sum((order.subsidy_total for order in found.orders), ZERO):
        wrong.append("what the platform gives is not what the orders say")
    for taken in found.vouchers:
        most = taken.voucher.max_discount
        if taken.amount < 0 or (most is not None and taken.amount > most):
            wrong.append(f"voucher {taken}")
        if bool(taken.amount) == bool(taken.reason):
            wrong.append(f"a voucher gives something or says why not: {taken}")
    return wrong
