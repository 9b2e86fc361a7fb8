"""Invoices and packing slips as people print them: what a call returns, and the same as HTML in the
reader's language.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from marketplace.contract.errors import FieldError, Problem
from marketplace.integrations.letters import MONTHS, Place, money
from marketplace.postgres.callers import Caller
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import invoices
from marketplace.text.html import Html, page, read
from marketplace.text.messages import Text, say, spoken
from marketplace.workflows.addresses import one_line
from marketplace.workflows.carts import options_of
from marketplace.workflows.orders import missing
from marketplace.workflows.payment_methods import NAMES

#: What a sum of a document is called, in the order of the page.
SUMS: Mapping[str, Text] = {
    "discount": say("Discount"),
    "subsidy": say("Paid by the marketplace"),
    "delivery": say("Delivery"),
    "tax": say("Tax"),
    "given_back": say("Given back"),
}
TAKEN_OFF = ("discount", "subsidy", "given_back")


def find_invoice(conn: Conn, caller: Caller, order_id: int) -> dict[str, Any]:
    """Return the invoice of an order with its credit notes. Raises 404 for what is not the
    caller's, or not invoiced.
    """
    found = invoices.of_order(conn, caller, order_id)
    whole = [row["document"] for row in found if row["kind"] == "invoice"]
    if not whole:
        raise Problem("not_found", "There is no such invoice.")
    notes = [row["document"] for row in found if row["kind"] != "invoice"]
    return {**whole[0], "credit_notes": notes}


def find_slip(conn: Conn, caller: Caller, order_id: int) -> dict[str, Any]:
    """Return the packing slip of an order. Raises 404 for what is not the store's, and for what it
    may not know the address of.
    """
    rows = invoices.slips(conn, caller, [order_id])
    if not rows:
        raise missing()
    return _slip(rows[0])


def find_slips(conn: Conn, caller: Caller, order_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return packing slips, in the order of the ids. Raises 404 that names those there is none
    of: a pile of slips is printed whole or not at all.
    """
    wanted = list(dict.fromkeys(order_ids))
    rows = {row["id"]: row for row in invoices.slips(conn, caller, wanted)}
    absent = [order_id for order_id in wanted if order_id not in rows]
    if absent:
        words = say("There is no such order.")
        errors = [FieldError("/ids", "not_found", words, {"order_id": each}) for each in absent]
        raise Problem("not_found", words, errors=errors)
    return [_slip(rows[order_id]) for order_id in wanted]


def invoice_page(document: Mapping[str, Any], place: Place, zone: str) -> Html:
    """Return an invoice and its credit notes as one HTML page."""
    papers = [_invoice(each, place, zone) for each in (document, *document["credit_notes"])]
    return _page("invoice.html", papers, document["number"], place.language)


def slips_page(slips: Sequence[Mapping[str, Any]], place: Place, zone: str) -> Html:
    """Return packing slips as one HTML page, each on paper of its own."""
    papers = [_packed(slip, place, zone) for slip in slips]
    title = " ".join(slip["number"] for slip in slips[:3])
    return _page("packing_slip.html", papers, title, place.language)


def _slip(row: Row) -> dict[str, Any]:
    where = row["address"]
    return {
        **{name: row[name] for name in ("id", "number", "placed_at", "stage", "cod")},
        "store": {"id": row["store_id"], "name": row["store_name"], "city": row["store_city"]},
        "delivery": row["delivery"],
        "note": row["note"],
        "address": {
            "recipient": where["recipient"],
            "phone": where.get("phone"),
            "text": one_line(where),
            "note": where.get("note"),
        },
        "lines": [
            {
                "name": line["name"],
                "options": options_of(line),
                "sku": line["sku"],
                "quantity": line["quantity"],
            }
            for line in row["lines"]
        ],
        "units": sum(line["quantity"] for line in row["lines"]),
    }


def _invoice(document: Mapping[str, Any], place: Place, zone: str) -> dict[str, Any]:
    """Return the values of an invoice or a credit note for its template."""
    tongue = place.language
    is_invoice = document["kind"] == "invoice"
    placed = datetime.fromisoformat(document["placed_at"].replace("Z", "+00:00"))
    about = [
        (say("Invoice"), document["invoice_number"]),
        (say("Order"), document["order_number"]),
        (say("Ordered on"), _day(placed.astimezone(ZoneInfo(zone)).date(), tongue)),
        (say("Buyer"), ", ".join(filter(None, document["buyer"].values()))),
        (say("Payment"), _method(document["method"], tongue)),
    ]
    return {
        "store_name": document["store"]["name"],
        "store_city": document["store"]["city"] or "",
        "heading": spoken(say("Invoice") if is_invoice else say("Credit note"), tongue),
        "number": document["number"],
        "date": _day(date.fromisoformat(document["date"]), tongue),
        "about": _labelled(about, tongue),
        "lines": [_invoiced(line, document["currency"], place) for line in document["lines"]],
        "sums": _sums(document, place),
        **_labels(tongue),
    }


def _invoiced(line: Mapping[str, Any], currency: str, place: Place) -> dict[str, Any]:
    price = line["price"]
    whole = line["total"] if price is None else Decimal(price) * line["quantity"]
    return {
        "name": line["name"],
        "more": _more(line, line["sku"]),
        "quantity": line["quantity"],
        "price": "" if price is None else money(price, currency, place),
        "sum": money(whole, currency, place),
    }


def _sums(document: Mapping[str, Any], place: Place) -> list[dict[str, str]]:
    """Return the sums below the lines; of the optional ones those that are not 0. A tax that is in
    the prices is told behind the total. A credit note is made of what was given back.
    """
    totals, currency, kind = document["totals"], document["currency"], document["kind"]
    taken_off = TAKEN_OFF if kind == "invoice" else ()
    within = totals["tax_included"]
    rows = [("", say("Items"), money(totals["items"], currency, place))]
    for name, words in SUMS.items():
        amount = Decimal(totals[name])
        if amount and not (name == "tax" and within):
            sign = "−" if name in taken_off and amount > 0 else ""
            rows.append(("", words, f"{sign}{money(abs(amount), currency, place)}"))
    rows.append(("total", say("Total"), money(totals["total"], currency, place)))
    if within and Decimal(totals["tax"]):
        rows.append(("", say("Tax in it"), money(totals["tax"], currency, place)))
    return [
        {"mark": mark, "label": spoken(label, place.language), "amount": amount}
        for mark, label, amount in rows
    ]


def _packed(slip: Mapping[str, Any], place: Place, zone: str) -> dict[str, Any]:
    """Return the values of a packing slip for its template."""
    tongue, where = place.language, slip["address"]
    placed: datetime = slip["placed_at"]
    about = [
        (say("Ordered on"), _day(placed.astimezone(ZoneInfo(zone)).date(), tongue)),
        (say("Delivery"), slip["delivery"]),
        (say("Note of the buyer"), slip["note"]),
    ]
    return {
        "store_name": slip["store"]["name"],
        "store_city": slip["store"]["city"] or "",
        "heading": spoken(say("Packing slip"), tongue),
        "number": slip["number"],
        "date": _day(datetime.now(timezone.utc).astimezone(ZoneInfo(zone)).date(), tongue),
        "recipient": where["recipient"],
        "phone": where["phone"] or "",
        "address": where["text"],
        "address_notes": [{"text": where["note"]}] if where["note"] else [],
        "about": _labelled(about, tongue),
        "marks": [{"text": spoken(say("Cash on delivery"), tongue)}] if slip["cod"] else [],
        "lines": [
            {
                "name": line["name"],
                "more": _more(line, None),
                "sku": line["sku"] or "",
                "quantity": line["quantity"],
            }
            for line in slip["lines"]
        ],
        "sums": [
            {"mark": "total", "label": spoken(say("Pieces"), tongue), "amount": slip["units"]}
        ],
        **_labels(tongue),
    }


def _page(template: str, papers: Sequence[Mapping[str, Any]], title: str, language: str) -> Html:
    style = Html(read("paper.css"))
    values = {"language": language, "title": title, "style": style, "papers": papers}
    return page(template, values)


def _labels(language: str) -> dict[str, str]:
    labels = {
        "item_label": say("Item"),
        "pieces_label": say("Pieces"),
        "price_label": say("Price"),
        "sum_label": say("Sum"),
    }
    return {name: spoken(words, language) for name, words in labels.items()}


def _labelled(rows: Sequence[tuple[Text, str | None]], language: str) -> list[dict[str, str]]:
    """Return what is said of a document; what is empty is left out."""
    return [{"label": spoken(label, language), "text": text} for label, text in rows if text]


def _more(line: Mapping[str, Any], sku: str | None) -> str:
    """Return options and SKU in one line."""
    options = [f"{option['name']}: {option['value']}" for option in line["options"]]
    return " · ".join([*options, *([sku] if sku else [])])


def _method(method: str, language: str) -> str:
    words = NAMES.get(method)
    return method if words is None else spoken(words, language)


def _day(day: date, language: str) -> str:
    return f"{day.day} {spoken(MONTHS[day.month - 1], language)} {day.year}"
