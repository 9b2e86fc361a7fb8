"""Prices and stock as people write them: `Rp 5.200`, `12.500,50`, `12,500.50`, `$1,299`; never by
float.
"""

import re
from collections import Counter
from decimal import Decimal
from typing import Any, Literal

from marketplace.catalogue_csv.model import STOCK_LIMIT, BadCell
from marketplace.text.messages import say

PRICE_LIMIT = Decimal(10) ** 13
DecimalSign = Literal[".", ","]

_PLAIN = re.compile(r"[0-9]{1,13}(?:\.[0-9]{2})?\Z").match
_BLANKS = re.compile(r"[\t\u00a0\u2007\u2009\u202f]")
_AMOUNT = re.compile(
    r"(?P<minus>-?) *(?P<before>[^0-9 .,'-]{0,4}\.?) *(?P<later>-?)"
    r"(?P<number>[0-9](?:[0-9., ']*[0-9])?)(?:[.,]-+)? *(?P<after>[^0-9 .,'-]{0,4})\Z"
).match
#: Named for the writer's sake; the currency of a price is reported, not converted.
_CURRENCIES = {
    *("rp", "rp.", "idr", "rm", "myr", "s$", "sgd", "php", "thb", "vnd", "inr", "jpy", "cny"),
    *(
        "$",
        "us$",
        "usd",
        "a$",
        "aud",
        "eur",
        "\N{EURO SIGN}",
        "gbp",
        "\N{POUND SIGN}",
        "\N{YEN SIGN}",
        "dkk",
    ),
}
_GROUPED = re.compile(
    r"([1-9][0-9]{0,2})((?P<group>[., "
    r"'])[0-9]{3}(?:(?P=group)[0-9]{3})*)(?:(?P<sign>[.,])([0-9]+))?\Z"
)
_GROUP_SIGNS = re.compile("[., ']")
_SIMPLE = re.compile(r"([0-9]+)(?:(?P<sign>[.,])([0-9]+))?\Z")
_WHOLE = re.compile(
    r"(-?)([0-9]{1,40}|[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[1-9][0-9]{0,2}(?:,[0-9]{3})+)(?:[.,]0{1,2})?\Z"
)


class Signs:
    """The signs for decimals and thousands that the prices of a whole file reveal.

    `1.299` and `1,299` can be read in two ways, and other prices of the file decide: `9,99` has its
    decimal sign, `1.299.000` one for thousands. In a file without any decimals three digits after a
    sign are thousands, since an amount has two decimals at most. `decimal` settles it from outside.
    """

    def __init__(self, decimal: DecimalSign | None = None) -> None:
        self.asked = decimal
        self.decimals: Counter[str] = Counter()
        self.groups: Counter[str] = Counter()
        self.open: Counter[str] = Counter()

    def look(self, cell: str) -> None:
        """Count what one price reveals; a text that is no price reveals nothing."""
        if _PLAIN(cell):
            if cell[-3:-2] == ".":
                self.decimals["."] += 1
            return
        match = _amount(cell)
        if match is None:
            return
        number = match["number"]
        grouped = _GROUPED.match(number)
        if grouped is None:
            simple = _SIMPLE.match(number)
            if simple and simple["sign"]:
                self.decimals[simple["sign"]] += 1
        elif grouped["sign"] is None and len(grouped[2]) == 4:
            self.open[grouped["group"]] += 1
        else:
            self.groups[grouped["group"]] += 1
            if grouped["sign"]:
                self.decimals[grouped["sign"]] += 1

    @property
    def decimal(self) -> DecimalSign | None:
        """The file's decimal sign; None if it has both, or none is known."""
        if self.asked is not None:
            return self.asked
        dot, comma = bool(self.decimals["."]), bool(self.decimals[","])
        if not dot and not comma:
            dot, comma = bool(self.groups[","]), bool(self.groups["."])
        if dot == comma:
            return None
        return "." if dot else ","

    @property
    def mixed(self) -> bool:
        """Whether the file has both decimal signs."""
        return bool(self.decimals["."] and self.decimals[","])

    def describe(self) -> dict[str, Any]:
        """Return the decision and its reason, ready for JSON."""
        if self.asked is not None:
            reason = "asked"
        elif self.mixed:
            reason = "both"
        elif +self.decimals:
            reason = "decimals"
        elif self.decimal is not None:
            reason = "thousands"
        else:
            reason = "no_decimals"
        return {
            "decimal_sign": self.decimal,
            "decided_by": reason,
            "three_digits": self.open["."] + self.open[","],
        }


class Prices:
    """Reads the prices of a file whose signs are known, and collects the currencies they name."""

    def __init__(self, signs: Signs) -> None:
        self.currencies: set[str] = set()
        self._asked = signs.asked
        self._mixed = signs.asked is None and signs.mixed
        self._decimal = signs.decimal

    def read(self, cell: str) -> Decimal:
        """Return an amount of 0 or more with two decimals. Raises BadCell."""
        if _PLAIN(cell):
            return Decimal(cell if cell[-3:-2] == "." else cell + ".00")
        match = _amount(cell)
        currencies = [sign for sign in match.group("before", "after") if sign] if match else []
        if match is None or not _CURRENCIES.issuperset(map(str.lower, currencies)):
            raise BadCell("invalid_price", "is not an amount such as 12500, 12500.50 or Rp 12.500")
        amount = self._number(match["number"])
        if match["minus"] or match["later"]:
            raise BadCell("negative_price", "must not be negative")
        if amount >= PRICE_LIMIT:
            raise BadCell("price_too_large", "must be less than 10,000,000,000,000")
        self.currencies.update(sign.upper().rstrip(".") for sign in currencies)
        return amount

    def _number(self, number: str) -> Decimal:
        match = _GROUPED.match(number)
        lone = (
            match is not None
            and match["sign"] is None
            and len(match[2]) == 4
            and match["group"] in ".,"
        )
        if (
            match
            and lone
            and self._asked is None
            and (self._mixed or match["group"] == self._decimal)
        ):
            words = (
                "can be read in two ways: in this file that sign stands for decimals, too; "
                "say which by decimal="
            )
            raise BadCell("ambiguous_price", words)
        if match and not (lone and match["group"] == self._decimal):
            whole = _GROUP_SIGNS.sub("", match[1] + match[2])
            sign, fraction = match["sign"], match[5]
            if sign == match["group"]:
                raise BadCell("invalid_price", "has the same sign for thousands and for decimals")
        else:
            match = _SIMPLE.match(number)
            if match is None:
                raise BadCell("invalid_price", "has dots or commas where no amount has them")
            whole, sign, fraction = match[1], match["sign"], match[3]
        if sign is None:
            return Decimal(whole + ".00")
        return self._with_decimals(whole, sign, fraction)

    def _with_decimals(self, whole: str, sign: str, fraction: str) -> Decimal:
        """Return the amount of digits before and after a decimal sign."""
        if self._asked is not None and sign != self._asked:
            words = say(
                "has {sign} for decimals, where the file was said to have {asked}",
                sign=sign,
                asked=self._asked,
            )
            raise BadCell("invalid_price", words)
        if fraction[2:].strip("0"):
            raise BadCell("invalid_price", "has more than two decimals")
        return Decimal(f"{whole}.{fraction[:2]:0<2}")


def read_stock(cell: str) -> int:
    """Return a whole number, 0 to 1,000,000,000; `1.000` and `1,000` are a thousand, `5.0` is five.
    Raises BadCell.
    """
    if len(cell) < 10 and cell.isascii() and cell.isdigit():
        return int(cell)
    match = _WHOLE.match(cell)
    if match is None:
        raise BadCell("invalid_integer", "is not a whole number such as 25")
    digits = match[2].replace(".", "").replace(",", "").lstrip("0") or "0"
    if match[1] and digits != "0":
        raise BadCell("negative_stock", "must not be negative")
    if len(digits) > 10 or int(digits) > STOCK_LIMIT:
        raise BadCell("stock_too_large", "must be at most 1,000,000,000")
    return int(digits)


def _amount(cell: str) -> re.Match[str] | None:
    text = cell.strip() if cell.isascii() else _BLANKS.sub(" ", cell).strip()
    return _AMOUNT(text) if len(text) <= 100 else None
