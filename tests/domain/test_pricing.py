"""What a checkout costs, without a database: sums of parts, and the order in which things are taken
off.
"""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from support.checkouts import faults, made_up, priced

from marketplace.contract.errors import Problem
from marketplace.workflows import pricing
from marketplace.workflows.pricing import ZERO, Line, Voucher

RUPIAH = Decimal(1)
CENT = Decimal("0.01")
COFFEE = Line(63, 0, 4, Decimal(85000), 2, (7,), Decimal(11))
TEN_PERCENT = Voucher(1, None, "percent", Decimal(10))


def price(*lines: Line, delivery=None, vouchers=(), included=True, step=RUPIAH):
    stores = list(dict.fromkeys(line.store_id for line in lines))
    costs = dict.fromkeys(stores, Decimal(9000)) if delivery is None else delivery
    return pricing.price(lines, costs, dict.fromkeys(stores, included), vouchers, step)


def test_the_example_of_the_documentation():
    found = price(COFFEE, vouchers=[TEN_PERCENT])
    (order,), (line,) = found.orders, found.lines
    assert found.total == 162_000
    assert (order.items_total, order.subsidy_total, order.delivery_total) == (
        170_000,
        17_000,
        9_000,
    )
    assert line.tax == order.tax_total == 15_162


def test_a_tax_on_top_is_part_of_the_total():
    found = price(COFFEE, included=False)
    assert found.orders[0].tax_total == 18_700
    assert found.total == 170_000 + 9_000 + 18_700


def test_the_stores_vouchers_come_before_the_platforms():
    half = Voucher(2, 4, "percent", Decimal(50))
    found = price(COFFEE, vouchers=[TEN_PERCENT, half])
    assert [taken.voucher.id for taken in found.vouchers] == [2, 1]
    assert (found.orders[0].discount_total, found.orders[0].subsidy_total) == (85_000, 8_500)


def test_each_voucher_sees_what_the_one_before_has_left():
    found = price(COFFEE, vouchers=[TEN_PERCENT, replace(TEN_PERCENT, id=2)])
    assert [taken.amount for taken in found.vouchers] == [17_000, 15_300]


def test_a_voucher_is_counted_on_the_lines_that_it_fits():
    tea = replace(COFFEE, product_id=64, categories=(8,), price=Decimal(100_000), quantity=1)
    only = Voucher(1, 4, "amount", Decimal(500_000), category_ids=frozenset({8}))
    found = price(COFFEE, tea, vouchers=[only])
    assert [line.discount for line in found.lines] == [0, 100_000]
    short = replace(only, min_total=Decimal(100_001))
    (taken,) = price(COFFEE, tea, vouchers=[short]).vouchers
    assert (taken.amount, taken.reason, taken.missing) == (0, "min_total", 1)
    other = replace(only, category_ids=None, product_ids=frozenset({1}))
    assert price(COFFEE, vouchers=[other]).vouchers[0].reason == "other_products"
    foreign = replace(only, store_id=5, category_ids=None)
    assert price(COFFEE, vouchers=[foreign]).vouchers[0].reason == "other_products"


def test_min_total_looks_at_prices_before_any_discount():
    first = Voucher(1, 4, "amount", Decimal(169_000))
    second = Voucher(2, None, "amount", Decimal(500), min_total=Decimal(170_000))
    assert [t.amount for t in price(COFFEE, vouchers=[first, second]).vouchers] == [169_000, 500]


def test_a_percentage_is_rounded_half_up_at_the_voucher_and_then_split():
    lines = [replace(COFFEE, product_id=n, price=Decimal(1), quantity=1) for n in (1, 2, 3, 4, 5)]
    found = price(*lines, vouchers=[replace(TEN_PERCENT, value=Decimal(50))])
    assert found.vouchers[0].amount == 3  # 2.5
    assert [line.subsidy for line in found.lines] == [1, 1, 1, 0, 0]


def test_free_delivery_of_a_store_lowers_it_and_of_the_platform_subsidises_it():
    far = replace(COFFEE, store_id=5)
    costs = {4: Decimal(9000), 5: Decimal(20_000)}
    of_store = Voucher(1, 4, "free_delivery", ZERO)
    of_platform = Voucher(2, None, "free_delivery", ZERO, max_discount=Decimal(10_000))
    found = price(COFFEE, far, delivery=costs, vouchers=[of_platform, of_store])
    near, other = found.orders
    assert (near.delivery_total, near.subsidy_total) == (0, 0)
    assert (other.delivery_total, other.subsidy_total) == (20_000, 10_000)
    both = price(COFFEE, far, delivery=costs, vouchers=[of_platform])
    assert [order.subsidy_total for order in both.orders] == [3_103, 6_897]
    assert (
        price(COFFEE, delivery={4: ZERO}, vouchers=[of_store]).vouchers[0].reason == "nothing_left"
    )


def test_everything_off_leaves_nothing():
    whole = Voucher(1, None, "percent", Decimal(100))
    free = Voucher(2, None, "free_delivery", ZERO)
    found = price(COFFEE, vouchers=[whole, free])
    assert found.total == 0
    assert found.lines[0].tax == 0


def test_a_price_of_part_of_a_coin_is_never_below_zero():
    odd = [replace(COFFEE, product_id=n, price=Decimal("0.50"), quantity=1) for n in range(5)]
    found = price(*odd, replace(COFFEE, price=Decimal("1.75"), quantity=1), vouchers=[
        replace(TEN_PERCENT, value=Decimal(100)),
        Voucher(2, None, "free_delivery", ZERO),
    ], delivery={4: Decimal("10.25")})  # fmt: skip
    assert all(line.left >= 0 for line in found.lines)
    assert found.total == Decimal("3.25")  # not payable in rupiah, and said so by whoever places it


@pytest.mark.parametrize("weights", [["0"], ["0", "0"], ["1"], ["1", "2", "3"], ["10", "0", "0.5"]])
def test_shares_sum_to_the_amount(weights: list[str]):
    each = [Decimal(weight) for weight in weights]
    for step in (RUPIAH, CENT):
        most = sum((pricing.floor(weight, step) for weight in each), ZERO)
        for part in (ZERO, step, most):
            if part <= most:
                shares = pricing.split(part, each, step)
                assert sum(shares) == part
                assert all(0 <= s <= weight for s, weight in zip(shares, each, strict=True))


def test_the_largest_amounts_are_split_exactly():
    weights = [Decimal("9999999999999.99"), Decimal("0.01"), Decimal("3333333333333.33")]
    shares = pricing.split(Decimal("9999999999999.97"), weights, CENT)
    assert sum(shares) == Decimal("9999999999999.97")


def test_an_amount_above_the_type_is_refused():
    dear = replace(COFFEE, price=Decimal("9999999999999.99"), quantity=1, tax_rate=ZERO)
    assert price(dear, delivery={4: ZERO}, step=CENT).total == Decimal("9999999999999.99")
    for lines, costs, included in (
        ([dear], {4: CENT}, True),
        ([replace(dear, quantity=1000)], {4: ZERO}, True),
        ([replace(dear, tax_rate=Decimal(11))], {4: ZERO}, False),
    ):
        with pytest.raises(Problem) as refused:
            price(*lines, delivery=costs, included=included, step=CENT)
        assert refused.value.code == "amount_too_large"


@pytest.mark.parametrize("seed", range(20))
def test_checkouts_made_up_at_random_sum(seed: int):
    chance = random.Random(seed)
    for _ in range(20):
        asked = made_up(chance)
        found = priced(asked)
        assert faults(asked, found) == [], asked
        assert found == priced(asked)


def test_a_wrong_sum_is_seen():
    chance = random.Random(3)
    asked = made_up(chance)
    found = priced(asked)
    line = replace(found.lines[0], subsidy=found.lines[0].subsidy + asked.step)
    assert faults(asked, replace(found, lines=[line, *found.lines[1:]]))
    assert faults(asked, replace(found, orders=[replace(found.orders[0], subsidy_total=-CENT)]))
