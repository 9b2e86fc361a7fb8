"""What a checkout costs: pure functions of Decimals, without database or clock.

Sums of parts are exact: a voucher and the shares of it, the lines of an order and the order, the
orders and the total. The database computes taxes and bounds of vouchers by itself and refuses a
checkout that differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Literal

from marketplace.contract.errors import Problem

ZERO = Decimal(0)
CENT = Decimal("0.01")
#: One more than the largest amount of the type, numeric(15,2).
TOO_LARGE = Decimal(10**13)
#: Currencies whose smallest coin in use is a whole unit.
WHOLE = frozenset(("IDR", "JPY", "KRW", "VND"))
#: Who bears what is taken off a line: the store (discount) or the platform (subsidy).
Bearer = Literal["discount", "subsidy"]


@dataclass(frozen=True)
class Line:
    """Pieces of one product or variant. `categories` are those it is in, the nearest last."""

    product_id: int
    variant_id: int
    store_id: int
    price: Decimal
    quantity: int
    categories: tuple[int, ...] = ()
    tax_rate: Decimal = ZERO
    discount: Decimal = ZERO
    subsidy: Decimal = ZERO
    tax: Decimal = ZERO

    @property
    def full(self) -> Decimal:
        """The price of all pieces before anything is taken off."""
        return self.price * self.quantity

    @property
    def left(self) -> Decimal:
        """What the buyer pays for the line, without tax on top."""
        return self.price * self.quantity - self.discount - self.subsidy


@dataclass(frozen=True)
class Voucher:
    """What a voucher gives; without a store it is the platform's."""

    id: int
    store_id: int | None
    gives: str
    value: Decimal
    max_discount: Decimal | None = None
    min_total: Decimal = ZERO
    product_ids: frozenset[int] | None = None
    category_ids: frozenset[int] | None = None

    def fits(self, line: Line) -> bool:
        """Whether the voucher is for this line."""
        if self.store_id is not None and line.store_id != self.store_id:
            return False
        if self.product_ids is not None and line.product_id not in self.product_ids:
            return False
        return self.category_ids is None or not self.category_ids.isdisjoint(line.categories)


@dataclass(frozen=True)
class Taken:
    """What became of a voucher: its amount, or the reason why it gives nothing, and what is missing
    to its `min_total`.
    """

    voucher: Voucher
    amount: Decimal = ZERO
    reason: str | None = None
    missing: Decimal | None = None


@dataclass(frozen=True)
class Order:
    """The sums of one store's part. `delivery_total` is after the store's vouchers; the platform's
    free delivery is in `subsidy_total`.
    """

    store_id: int
    items_total: Decimal
    discount_total: Decimal
    subsidy_total: Decimal
    delivery_total: Decimal
    tax_total: Decimal
    tax_included: bool

    @property
    def total(self) -> Decimal:
        """What the buyer pays for this order."""
        on_top = ZERO if self.tax_included else self.tax_total
        return (
            self.items_total
            - self.discount_total
            - self.subsidy_total
            + self.delivery_total
            + on_top
        )


@dataclass(frozen=True)
class Priced:
    """A checkout that is priced: lines and orders in the order they came, vouchers in the order
    they were taken.
    """

    lines: list[Line]
    orders: list[Order]
    vouchers: list[Taken]

    @property
    def total(self) -> Decimal:
        """What the buyer pays in all."""
        return sum((order.total for order in self.orders), ZERO)


def money(amount: Decimal) -> Decimal:
    """Return an amount with two decimals."""
    return amount.quantize(CENT)


def step_of(currency: str) -> Decimal:
    """Return the smallest coin of a currency that is used."""
    return Decimal(1) if currency in WHOLE else CENT


def half_up(amount: Decimal, step: Decimal) -> Decimal:
    """Return the amount in whole coins, half a coin rounded up."""
    return (amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step


def floor(amount: Decimal, step: Decimal) -> Decimal:
    """Return the whole coins of an amount."""
    return (amount / step).quantize(Decimal(1), ROUND_FLOOR) * step


def split(amount: Decimal, weights: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """Return the shares of an amount by weights: largest remainder, ties by place. They sum to the
    amount.

    All are whole coins; with an amount of at most the sum of the weights, none is above its weight.
    Counted in integers: products of two amounts have more digits than a Decimal keeps.
    """
    units = [int(weight / step) for weight in weights]
    whole, coins = sum(units), int(amount / step)
    if not whole:
        return [ZERO for _ in weights]
    parts = [divmod(coins * unit, whole) for unit in units]
    shares = [share for share, _ in parts]
    by_remainder = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))
    for place in by_remainder[: coins - sum(shares)]:
        shares[place] += 1
    return [share * step for share in shares]


def voucher_amount(voucher: Voucher, base: Decimal, step: Decimal) -> Decimal:
    """Return what a voucher takes off a base (things, or the price of delivery), never more than
    the base.
    """
    wished = base
    if voucher.gives == "percent":
        wished = half_up(base * voucher.value / 100, step)
    elif voucher.gives == "amount":
        wished = voucher.value
    most = base if voucher.max_discount is None else voucher.max_discount
    return min(wished, base, most)


def take_off(
    lines: Sequence[Line], fits: Sequence[bool], amount: Decimal, bearer: Bearer, step: Decimal
) -> list[Line]:
    """Take an amount off the lines it fits, in proportion to what is left of them."""
    weights = [line.left if fit else ZERO for line, fit in zip(lines, fits, strict=True)]
    shares = split(amount, weights, step)
    return [
        replace(line, **{bearer: getattr(line, bearer) + share}) if share else line
        for line, share in zip(lines, shares, strict=True)
    ]


def with_tax(line: Line, included: bool, step: Decimal) -> Line:
    """Return the line with its tax: in what is left of it, or on top of that."""
    if not line.tax_rate:
        return line
    whole = 100 + line.tax_rate if included else Decimal(100)
    return replace(line, tax=half_up(line.left * line.tax_rate / whole, step))


def price(
    lines: Sequence[Line],
    delivery: Mapping[int, Decimal],
    tax_included: Mapping[int, bool],
    vouchers: Sequence[Voucher],
    step: Decimal,
) -> Priced:
    """Return what a checkout costs: stores' vouchers first, then the platform's, then taxes.

    `delivery` has the price of each store's delivery, `tax_included` whether its taxes are in the
    prices. Raises 422 amount_too_large.
    """
    if sum((line.full for line in lines), ZERO) + sum(delivery.values(), ZERO) >= TOO_LARGE:
        raise too_large()
    counted = _Counted(list(lines), dict(delivery), dict.fromkeys(delivery, ZERO), step)
    ordered = sorted(vouchers, key=lambda voucher: voucher.store_id is None)
    taken = [counted.take(voucher) for voucher in ordered]
    taxed = [with_tax(line, tax_included[line.store_id], step) for line in counted.lines]
    orders = [counted.order(store_id, taxed, tax_included[store_id]) for store_id in delivery]
    priced = Priced(taxed, orders, taken)
    if priced.total >= TOO_LARGE:
        raise too_large()
    return priced


def judge(voucher: Voucher, lines: Sequence[Line]) -> Taken:
    """Return whether a voucher is good for these lines, by their prices before any discount."""
    fitting = [line for line in lines if voucher.fits(line)]
    full = sum((line.full for line in fitting), ZERO)
    if not fitting:
        return Taken(voucher, reason="other_products")
    if full < voucher.min_total:
        return Taken(voucher, reason="min_total", missing=voucher.min_total - full)
    return Taken(voucher)


@dataclass
class _Counted:
    """A checkout while its vouchers are taken: lines, prices of delivery by store, what the
    platform pays of them.
    """

    lines: list[Line]
    delivery: dict[int, Decimal]
    subsidised: dict[int, Decimal]
    step: Decimal

    def take(self, voucher: Voucher) -> Taken:
        """Take one voucher off what is left."""
        judged = judge(voucher, self.lines)
        if judged.reason is not None:
            return judged
        fits = [voucher.fits(line) for line in self.lines]
        amount = (
            self._free(voucher) if voucher.gives == "free_delivery" else self._off(voucher, fits)
        )
        return Taken(voucher, amount, None if amount else "nothing_left")

    def order(self, store_id: int, lines: Sequence[Line], tax_included: bool) -> Order:
        """Return the sums of one store."""
        own = [line for line in lines if line.store_id == store_id]
        return Order(
            store_id,
            items_total=sum((line.full for line in own), ZERO),
            discount_total=sum((line.discount for line in own), ZERO),
            subsidy_total=sum((line.subsidy for line in own), self.subsidised[store_id]),
            delivery_total=self.delivery[store_id],
            tax_total=sum((line.tax for line in own), ZERO),
            tax_included=tax_included,
        )

    def _off(self, voucher: Voucher, fits: Sequence[bool]) -> Decimal:
        """Take a voucher off the things it fits; in whole coins, also where a price is not."""
        base = sum(
            (
                floor(line.left, self.step)
                for line, fit in zip(self.lines, fits, strict=True)
                if fit
            ),
            ZERO,
        )
        amount = floor(voucher_amount(voucher, base, self.step), self.step)
        bearer: Bearer = "subsidy" if voucher.store_id is None else "discount"
        self.lines = take_off(self.lines, fits, amount, bearer, self.step)
        return amount

    def _free(self, voucher: Voucher) -> Decimal:
        """Take a voucher off the price of delivery: of its store, or of all."""
        if voucher.store_id is not None:
            amount = voucher_amount(voucher, self.delivery[voucher.store_id], self.step)
            self.delivery[voucher.store_id] -= amount
            return amount
        stores = list(self.delivery)
        weights = [self.delivery[store] - self.subsidised[store] for store in stores]
        amount = voucher_amount(voucher, sum(weights, ZERO), self.step)
        whole = all(part % self.step == 0 for part in (amount, *weights))
        for store, share in zip(
            stores, split(amount, weights, self.step if whole else CENT), strict=True
        ):
            self.subsidised[store] += share
        return amount


def too_large() -> Problem:
    """Return the refusal of an amount above the type."""
    return Problem("amount_too_large", "An amount is at most 9,999,999,999,999.99.")
