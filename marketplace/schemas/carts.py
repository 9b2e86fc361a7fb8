"""Carts: what is sent and what is returned; and the line and the store of a purchase, the same
wherever an app meets them.
"""

from typing import Any

from marketplace.contract.validation import Named
from marketplace.schemas.common import (
    COUNT,
    ID,
    NUMBER,
    TEXT,
    TEXT_OR_NULL,
    TIME,
    URL,
    described,
    list_of,
    of,
    one_of,
)

MONEY: dict[str, Any] = {"type": "string", "meta": {"example": "85000.00"}}
MONEY_OR_NULL: dict[str, Any] = {**MONEY, "nullable": True}
PROBLEMS = (
    "sold_out",
    "not_enough_stock",
    "hidden",
    "variant_required",
    "variant_gone",
    "min_quantity",
    "store_closed",
)
SELLER = Named(
    "SellingStore",
    {
        "id": ID,
        "name": TEXT,
        "logo_url": {**URL, "nullable": True},
        "city": TEXT_OR_NULL,
        "closed_until": {**TIME, "nullable": True},
    },
)
OPTION = Named("ChosenOption", {"name": TEXT, "value": TEXT})
#: What a line is, whatever became of it.
LINE_FIELDS: dict[str, Any] = {
    "product_id": ID,
    "variant_id": described({**ID, "nullable": True}, "null: the product has no variants."),
    "name": TEXT,
    "options": list_of(OPTION),
    "thumb_url": {**URL, "nullable": True},
    "placeholder": TEXT_OR_NULL,
    "quantity": NUMBER,
    "price": MONEY,
    "price_before": MONEY_OR_NULL,
    "total": MONEY,
    "weight_grams": described(NUMBER, "Of one piece, as couriers charge it."),
    "min_quantity": NUMBER,
    "stock": described(NUMBER, "How many can be bought."),
    "problem": one_of(
        *PROBLEMS, words="Why it cannot be bought now; more may come.", nullable=True
    ),
}
LINE = Named("CartLine", LINE_FIELDS)
STORE_LINES = Named(
    "CartStore",
    {
        "store": of(SELLER),
        "items_total": MONEY,
        "lines": list_of(LINE),
    },
)
CART = Named(
    "Cart",
    {
        "version": {**COUNT, "meta": {"description": "Rises with every change of its lines."}},
        "currency": TEXT,
        "count": described(NUMBER, "Lines."),
        "problems": described(NUMBER, "Lines that cannot be bought now."),
        "total": described(MONEY, "Of all lines, before delivery, vouchers and tax on top."),
        "stores": list_of(STORE_LINES),
    },
)
QUANTITY: dict[str, Any] = {
    "coerce": "int64",
    "min": 1,
    "max": 1000,
    "required": True,
    "meta": {"format": "int32"},
}
WANTED: dict[str, Any] = {
    "product_id": {**ID, "required": True},
    "variant_id": {**ID, "nullable": True, "default": None},
    "quantity": QUANTITY,
}
PUT_LINE = Named(
    "CartLineChange",
    {**WANTED, "quantity": described({**QUANTITY, "min": 0}, "0 removes the line.")},
)
PUT = Named(
    "CartChange",
    {
        "lines": {
            "type": "list",
            "schema": of(PUT_LINE),
            "minlength": 1,
            "maxlength": 200,
            "required": True,
            "meta": {"example": [{"product_id": 22, "variant_id": None, "quantity": 2}]},
        },
        "merge": described(
            {"coerce": "boolean", "default": False},
            "Lines kept on the phone before sign-in: the larger quantity of the two stays.",
        ),
    },
)
