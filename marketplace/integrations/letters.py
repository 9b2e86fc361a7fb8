"""What mails about orders are made of: money, times and goods, as people of the place write them.

What a seller has typed (names of products and of the store) is one short line each; no mail has an
address, a phone number or a buyer's name.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple

from marketplace.text.messages import Text, say

Facts = Mapping[str, Any]
#: Country -> how far its clocks are ahead of UTC, and what that time is called there.
CLOCKS = {"ID": (7, "WIB"), "MY": (8, "MYT"), "SG": (8, "SGT")}
#: Currencies whose smallest coin is whole.
WHOLE = ("IDR", "JPY", "KRW", "VND")
LONGEST = 80


class Letter(NamedTuple):
    """A subject and the lines of a mail; a line is a text of ours, or one that is the same in every
    language.
    """

    subject: Text
    lines: list[str]


class Place(NamedTuple):
    """Where the installation is, as far as texts need it."""

    country: str
    language: str


def language_of(country: str) -> str:
    """Return the language of mails that nobody's request has caused."""
    return "id" if country == "ID" else "en"


def money(amount: Any, currency: str, place: Place) -> str:
    """Return an amount as people of the place write it."""
    value = Decimal(amount)
    digits = 0 if currency in WHOLE and value == value.to_integral_value() else 2
    written = f"{value:,.{digits}f}"
    if place.language == "id":
        written = written.translate(str.maketrans(",.", ".,"))
    return f"Rp{written}" if currency == "IDR" else f"{currency} {written}"


def moment(at: datetime, place: Place) -> Text:
    """Return a time on the clocks of the place."""
    hours, name = CLOCKS.get(place.country, (0, "UTC"))
    there = at.astimezone(timezone(timedelta(hours=hours)))
    day, month, year = there.strftime("%d"), there.month, there.year
    return say(
        "{day} {month} {year}, {time} {zone}",
        day=int(day), month=MONTHS[month - 1], year=year, time=there.strftime("%H:%M"), zone=name,
    )  # fmt: skip


MONTHS = (
    say("January"), say("February"), say("March"), say("April"), say("May"), say("June"),
    say("July"), say("August"), say("September"), say("October"), say("November"), say("December"),
)  # fmt: skip


def short(words: str) -> str:
    """Return what somebody typed as one short line."""
    line = " ".join(words.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def pieces(order: Facts, lines: Iterable[Facts] | None) -> list[str]:
    """Return the lines of some pieces of this order: of a parcel, of a return."""
    store = next(each["store"] for each in order["orders"] if each["id"] == order["id"])
    head = f"{short(store)} · {order['number']}"
    return ["", head, *map(_pieces, lines or ())]


def goods(order: Facts, place: Place, *, whole: bool) -> list[str]:
    """Return the lines of this order, or of all orders of the checkout, by store."""
    lines: list[str] = []
    for each in order["orders"]:
        if not whole and each["id"] != order["id"]:
            continue
        lines += ["", f"{short(each['store'])} · {each['number']}"]
        for line in each["lines"]:
            total = money(line["total"], order["currency"], place)
            lines.append(f"{_pieces(line)}  {total}")
    return lines


def _pieces(line: Facts) -> str:
    """Return how many pieces of what."""
    options = f" ({', '.join(line['options'])})" if line["options"] else ""
    return f"  {line['quantity']} × {short(line['name'] + options)}"
