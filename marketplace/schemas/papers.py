"""Invoices, packing slips and the export of orders: what is asked for and returned."""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.carts import MONEY, MONEY_OR_NULL, OPTION
from marketplace.schemas.common import (
    FLAG,
    ID,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    described,
    list_of,
    of,
    one_of,
)
from marketplace.schemas.links import QUERY as LINKED

PRINTED: dict[str, Any] = {**LINKED}
SLIPS_WANTED: dict[str, Any] = {
    "ids": {
        "coerce": "ids",
        "required": True,
        "meta": {"description": "Of up to 100 orders, with commas between."},
    },
    **LINKED,
}
EXPORT: dict[str, Any] = {
    "format": {"coerce": "line", "allowed": ["csv"], "default": "csv"},
    "from": {"coerce": "time", "meta": {"description": "Placed at or after."}},
    "to": {"coerce": "time_end", "meta": {"description": "Placed at or before."}},
    "bom": {
        "coerce": "boolean",
        "default": False,
        "meta": {"description": "With a byte order mark, which Excel needs for UTF-8."},
    },
    "store_id": described(ID, "For admins: whose orders."),
    **LINKED,
}
_STORE = Named("PaperStore", {"id": ID, "name": TEXT, "city": TEXT_OR_NULL})
_PARTS: dict[str, Any] = {
    "name": TEXT,
    "options": list_of(OPTION),
    "sku": TEXT_OR_NULL,
    "quantity": NUMBER,
}
_LINE = Named(
    "InvoiceLine",
    {
        **_PARTS,
        "price": described(MONEY_OR_NULL, "null in a credit note."),
        "discount": described(MONEY, "What the store bears of it."),
        "subsidy": described(MONEY, "What the marketplace bears of it."),
        "tax": MONEY,
        "total": MONEY,
    },
)
_TOTALS = Named(
    "InvoiceTotals",
    {
        "items": described(MONEY, "Prices times pieces."),
        "discount": MONEY,
        "subsidy": MONEY,
        "tax": MONEY,
        "tax_included": FLAG,
        "delivery": MONEY,
        "given_back": described(MONEY, "Sums beside pieces: off an invoice, in a credit note."),
        "total": described(MONEY, "What the buyer paid in the end, or got back."),
    },
)
_DOCUMENT: dict[str, Any] = {
    "kind": one_of("invoice", "credit_note", words="More may come."),
    "number": {**TEXT, "meta": {"example": "INV/2026/4/000017"}},
    "date": {**TEXT, "meta": {"format": "date", "example": "2026-11-30"}},
    "invoice_number": described(TEXT_OR_NULL, "Of a credit note: the invoice's."),
    "order_id": ID,
    "order_number": TEXT,
    "placed_at": TIME,
    "store": of(_STORE),
    "buyer": of(Named("PaperBuyer", {"name": TEXT_OR_NULL, "city": TEXT_OR_NULL})),
    "method": TEXT,
    "currency": TEXT,
    "lines": list_of(_LINE),
    "totals": of(_TOTALS),
}
INVOICE = Named("Invoice", {**_DOCUMENT, "credit_notes": list_of(Named("CreditNote", _DOCUMENT))})
_SLIP: dict[str, Any] = {
    "id": ID,
    "number": TEXT,
    "placed_at": TIME,
    "stage": TEXT,
    "cod": FLAG,
    "store": of(_STORE),
    "delivery": TEXT_OR_NULL,
    "note": described(TEXT_OR_NULL, "From the buyer to the store."),
    "address": of(
        Named(
            "PaperAddress",
            {
                "recipient": TEXT,
                "phone": TEXT_OR_NULL,
                "text": TEXT,
                "note": described(TEXT_OR_NULL, "For the courier."),
            },
        )
    ),
    "lines": described(
        list_of(Named("PackedLine", _PARTS)), "What is still to be sent; else what was sent."
    ),
    "units": NUMBER,
}
SLIP = Named("PackingSlip", _SLIP)
SLIPS = Named("PackingSlips", {"slips": list_of(SLIP)})
