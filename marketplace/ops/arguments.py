"""Arguments of commands that several take. Each raises argparse.ArgumentTypeError."""

import argparse
from decimal import Decimal, InvalidOperation

MOST = Decimal("9999999999999.99")


def percent(text: str) -> Decimal:
    """Return per cent from 0 to 100."""
    rate = _decimal(text)
    if not 0 <= rate <= 100 or round(rate, 4) != rate:
        raise argparse.ArgumentTypeError("per cent from 0 to 100, with at most four decimals")
    return rate


def money(text: str) -> Decimal:
    """Return a sum above 0."""
    amount = _decimal(text)
    if not 0 < amount <= MOST or round(amount, 2) != amount:
        raise argparse.ArgumentTypeError("a sum above 0, with at most two decimals")
    return amount


def _decimal(text: str) -> Decimal:
    """Return the number, or -1, which its callers refuse, if the text is not one."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal(-1)
    return number if number.is_finite() else Decimal(-1)
