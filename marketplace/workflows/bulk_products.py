"""Many products of a store changed at once, with their documents and the entry in the log."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.contract.errors import FieldError
from marketplace.postgres.callers import Client
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, bulk_products
from marketplace.text.messages import say
from marketplace.workflows import batches, product_documents
from marketplace.workflows.products import settle_brands

#: What a row says of the stock does not stand in the document of its product.
_LIVE = {"stock"}
_WORDS = {
    "product_blocked": say("an administrator blocked it"),
    "price_before_too_low": say("the old price is above the price"),
    "has_variants": say("each variant has its own: name it by variant_id"),
    "not_allowed": say("is of the product, not of a variant"),
}
_REFERENCES = {
    "category_id": say("there is no such category"),
    "brand_id": say("there is no such brand"),
}
_QUANTITIES = say("the smallest quantity of a purchase is not above the largest")


def require_well_formed(body: Mapping[str, Any]) -> None:
    """Raise a 422 that names each row which names no product, or changes nothing."""
    empty = [
        FieldError(f"/rows/{place}", "required", "has no field to change")
        for place, row in enumerate(body["rows"])
        if not row.keys() & set(bulk_products.FIELDS)
    ]
    batches.refuse(body, [*batches.require_named(body["rows"]), *empty])


def change(
    conn: Conn,
    client: Client,
    store_id: int,
    body: Mapping[str, Any],
    *,
    currency: str,
    language: str,
) -> dict[str, Any]:
    """Change fields of products and variants, row by row, as a checked document says; return what
    became of each. Raises 409 if none is done for the sake of one row.
    """
    rows, all_or_none, dry_run = body["rows"], body["mode"] == "all", body["dry_run"]
    found = bulk_products.change(conn, store_id, rows, all_or_none=all_or_none, dry_run=dry_run)
    shown = [_shown(row, language) for row in found]
    answer = batches.answered(shown, all_or_none=all_or_none, dry_run=dry_run)
    if answer["done"] and not dry_run:
        done = [row for row in found if row["outcome"] == "done"]
        product_documents.send_changed(conn, _changed(done), currency)
        changed = [row for row in done if row["after"].keys() & {"hidden", "brand_id"}]
        were, are = changed, [row["after"] for row in changed]
        settle_brands(conn, *(each.get("brand_id") for each in (*were, *are)))
        activities.record(
            conn,
            client,
            "update_products",
            related=("store", store_id, None),
            details={"rows": len(done)},
        )
    return answer


def _changed(done: Sequence[Row]) -> dict[int, set[str]]:
    """Return which fields of which products have changed; what does not stand in their documents is
    left out.
    """
    changed: dict[int, set[str]] = {}
    for row in done:
        fields = row["after"].keys() - _LIVE
        if fields:
            comes_or_goes = row["variant_id"] is not None and "hidden" in fields
            changed.setdefault(row["product_id"], set()).update(
                fields, {"options"} if comes_or_goes else ()
            )
    return changed


def _shown(row: Row, language: str) -> dict[str, Any]:
    """Return a row as it is answered: what changed where something does, faults where there are
    some.
    """
    names = ("row", "outcome", "product_id", "variant_id", "version")
    shown: dict[str, Any] = {name: row[name] for name in names}
    if row["outcome"] == "done":
        shown |= {"before": row["before"], "after": row["after"]}
    elif row["outcome"] == "invalid":
        shown["errors"] = [_told(row, fault, language) for fault in row["faults"]]
    return shown


def _told(row: Row, fault: str, language: str) -> dict[str, Any]:
    field, code = fault.split()
    words = _WORDS.get(code) or _REFERENCES.get(field, _QUANTITIES)
    pointer = f"/rows/{row['row']}/{field}"
    about = {name: row[name] for name in ("product_id", "variant_id")}
    return {"pointer": pointer, "code": code, **about, "message": words.spoken(language)}
