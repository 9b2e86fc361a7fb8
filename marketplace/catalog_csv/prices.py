"""Prices and stock as people write them: `Rp 5.200`, `12.500,50`, `12,500.50`, `$1,299`; never by float."""

import re
from decimal import Decimal
from typing import Literal

from marketplace.catalog_csv.model import STOCK_LIMIT, Wrong

PRICE_LIMIT = Decimal(10) ** 13
DecimalSign = Literal[".", ","]

_PLAIN = re.compile(r"[0-9]{1,13}(?:\.[0-9]{2})?\Z").match
_BLANKS = re.compile(r"[\t\u00a0\u2007\u2009\u202f]")
_AMOUNT = re.compile(
    r"(?P<minus>-?) *(?P<before>[^0-9 .,'-]{0,4}\.?) *(?P<later>-?)"
    r"(?P<number>[0-9](?:[0-9., ']*[0-9])?)(?:[.,]-+)? *(?P<after>[^0-9 .,'-]{0,4})\Z"
).match
#: Named for those who write them; which one a price has is reported, not converted.
_CURRENCIES = {
    *("rp", "rp.", "idr", "rm", "myr", "s$", "sgd", "php", "thb", "vnd", "inr", "jpy", "cny"),
    *("$", "us$", "usd", "a$", "aud", "eur", "\N{EURO SIGN}", "gbp", "\N{POUND SIGN}", "\N{YEN SIGN}", "dkk"),
}
_GROUPED = re.compile(
    r"([1-9][0-9]{0,2})((?P<group>[., '])[0-9]{3}(?:(?P=group)[0-9]{3})*)(?:(?P<sign>[.,])([0-9]+))?\Z"
)
_GROUP_SIGNS = re.compile("[., ']")
_SIMPLE = re.compile(r"([0-9]+)(?:(?P<sign>[.,])([0-9]+))?\Z")
_WHOLE = re.compile(
    r"(-?)([0-9]{1,40}|[1-9][0-9]{0,2}(?:\.[0-9]{3})+|[1-9][0-9]{0,2}(?:,[0-9]{3})+)(?:[.,]0{1,2})?\Z"
)


class Prices:
    """Reads the prices of one file, and remembers what they tell about how the file writes numbers.

    A dot or comma before exactly three digits at the end groups thousands, whatever else the file does: an
    amount has two decimals at most, so `1,299` can hardly be 1.299. Such prices are counted, and `ambiguous`
    says how many there are, if the file also uses that sign for decimals. `decimal` settles it from outside:
    with a decimal comma, `1,299` is refused for its three decimals, and `1,290` is 1.29.
    """

    def __init__(self, decimal: DecimalSign | None = None) -> None:
        self.currencies: set[str] = set()
        self.decimals = {".": 0, ",": 0}
        self._decimal = decimal
        self._thousands = {".": 0, ",": 0}

    @property
    def ambiguous(self) -> int:
        """Prices read as thousands by a sign that stands for decimals in others of the file."""
        return sum(count for sign, count in self._thousands.items() if self.decimals[sign])

    def read(self, cell: str) -> Decimal:
        """An amount of 0 or more with two decimals. Raises Wrong."""
        if _PLAIN(cell):
            if cell[-3:-2] != ".":
                return Decimal(cell + ".00")
            self.decimals["."] += 1
            return Decimal(cell)
        text = cell.strip() if cell.isascii() else _BLANKS.sub(" ", cell).strip()
        match = _AMOUNT(text) if len(text) <= 100 else None
        currencies = [sign for sign in match.group("before", "after") if sign] if match else []
        if match is None or not _CURRENCIES.issuperset(map(str.lower, currencies)):
            raise Wrong("invalid_price", "is not an amount such as 12500, 12500.50 or Rp 12.500")
        amount = self._number(match["number"])
        if match["minus"] or match["later"]:
            raise Wrong("negative_price", "must not be negative")
        if amount >= PRICE_LIMIT:
            raise Wrong("price_too_large", "must be less than 10,000,000,000,000")
        self.currencies.update(sign.upper().rstrip(".") for sign in currencies)
        return amount

    def _number(self, number: str) -> Decimal:
        match = _GROUPED.match(number)
        lone = match is not None and match["sign"] is None and len(match[2]) == 4
        if match and not (lone and match["group"] == self._decimal):
            whole = _GROUP_SIGNS.sub("", match[1] + match[2])
            sign, fraction = match["sign"], match[5]
            if sign == match["group"]:
                raise Wrong("invalid_price", "has the same sign for thousands and for decimals")
            if lone and match["group"] in self._thousands:
                self._thousands[match["group"]] += 1
        else:
            match = _SIMPLE.match(number)
            if match is None:
                raise Wrong("invalid_price", "has dots or commas where no amount has them")
            whole, sign, fraction = match[1], match["sign"], match[3]
        if sign is None:
            return Decimal(whole + ".00")
        if fraction[2:].strip("0"):
            raise Wrong("invalid_price", "has more than two decimals")
        self.decimals[sign] += 1
        return Decimal(f"{whole}.{fraction[:2]:0<2}")


def read_stock(cell: str) -> int:
    """A whole number, 0 to 1,000,000,000; `1.000` and `1,000` are a thousand, `5.0` is five. Raises Wrong."""
    if len(cell) < 10 and cell.isascii() and cell.isdigit():
        return int(cell)
    match = _WHOLE.match(cell)
    if match is None:
        raise Wrong("invalid_integer", "is not a whole number such as 25")
    digits = match[2].replace(".", "").replace(",", "").lstrip("0") or "0"
    if match[1] and digits != "0":
        raise Wrong("negative_stock", "must not be negative")
    if len(digits) > 10 or int(digits) > STOCK_LIMIT:
        raise Wrong("stock_too_large", f"must be at most {STOCK_LIMIT:,}")
    return int(digits)
