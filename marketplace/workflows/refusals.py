"""What cannot be placed, refused with a code that names its line, store or voucher."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.contract.errors import FieldError, Problem
from marketplace.postgres.pool import Row
from marketplace.workflows import quote_screens
from marketplace.workflows.quotes import Quote

#: A problem of a line -> the code that it is refused with.
SHORT = ("sold_out", "not_enough_stock")
REFUSED = ("variant_required", "min_quantity", "store_closed")


def require_lines(quote: Quote) -> None:
    """Refuse lines that the cart does not have, or that cannot be bought."""
    if not quote.rows or quote.not_in_cart:
        errors = [
            FieldError(
                "/lines",
                "cart_empty",
                "the cart does not have so many",
                {"product_id": line.product_id, "variant_id": line.variant_id or None},
            )
            for line in quote.not_in_cart
        ]
        raise Problem("cart_empty", "The cart does not have what is to be placed.", errors=errors)
    gone = [row for row in quote.rows if row["problem"] == "variant_gone"]
    if gone:
        raise Problem("validation_failed", errors=[_of(row, "invalid") for row in gone])
    too_few = [row for row in quote.rows if row["problem"] in SHORT]
    if too_few:
        raise short(
            [
                {
                    "product_id": r["product_id"],
                    "variant_id": r["variant_id"],
                    "available": r["stock"],
                }
                for r in too_few
            ]
        )
    for code in REFUSED:
        rows = [row for row in quote.rows if row["problem"] == code]
        if rows:
            raise Problem(code, errors=[_of(row, code) for row in rows])
    own = [row for row in quote.rows if row["store_owner"] == quote.user_id]
    if own:
        raise Problem("self_purchase", errors=[_of(row, "self_purchase") for row in own])
    above = quote_screens.above_most(quote)
    if above:
        raise Problem("max_per_buyer", errors=[_of(row, "max_per_buyer") for row in above])
    if quote.address is None:
        error = FieldError("/address_id", "address_required", "choose one of your addresses")
        raise Problem("address_required", errors=[error])


def _of(row: Row, code: str) -> FieldError:
    about = {
        "product_id": row["product_id"],
        "variant_id": row["variant_id"] or None,
        "store_id": row["store_id"],
    }
    return FieldError("/lines", code, "this line cannot be placed", about)


def short(lines: Sequence[Mapping[str, Any]]) -> Problem:
    """Return the refusal of what is not there, with what is left of each."""
    errors = [
        FieldError(
            "/lines",
            "not_enough_stock",
            "there are fewer of it",
            {
                "product_id": line["product_id"],
                "variant_id": line["variant_id"] or None,
                "available": line["available"],
            },
        )
        for line in lines
    ]
    return Problem("not_enough_stock", "There is less than you want to buy.", errors=errors)


def require_delivery(quote: Quote, body: Mapping[str, Any]) -> None:
    """Refuse ways to send that are not offered there, each with its store."""
    places = {order["store_id"]: place for place, order in enumerate(body["orders"])}
    errors = []
    for part in quote.parts:
        if part.chosen is None:
            said = part.store_id in places
            pointer = f"/orders/{places[part.store_id]}/delivery" if said else "/orders"
            words = "the store does not send it there in this way"
            about = {"store_id": part.store_id}
            errors.append(FieldError(pointer, "delivery_not_offered", words, about))
    if errors:
        raise Problem("delivery_not_offered", errors=errors)


def require_vouchers(quote: Quote, body: Mapping[str, Any]) -> None:
    """Refuse codes that give nothing, each with its reason."""
    if not quote.unfit:
        return
    sent = [code.upper() for code in body["vouchers"]]
    code = {"used_up": "voucher_used_up", "used": "voucher_used"}.get(
        next(iter(quote.unfit.values())), "voucher_invalid"
    )
    errors = [
        FieldError(f"/vouchers/{sent.index(each)}", reason, "this voucher gives nothing here")
        for each, reason in quote.unfit.items()
    ]
    raise Problem(code, errors=errors)
