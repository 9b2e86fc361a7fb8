"""Keys of products that are taken: which other one of the store has an SKU or a link."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from marketplace.contract.errors import FieldError, Problem
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import products
from marketplace.text.messages import say


@contextmanager
def keys_told(
    db: Database,
    caller: Caller,
    store_id: int | None,
    product: Mapping[str, Any],
    product_id: int | None = None,
) -> Iterator[None]:
    """If an SKU or a link is taken, name the product that has it: it may be one that was removed.
    The store is that of the product, if that is known.
    """
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        with db.transaction(caller, durable=False) as conn:
            problem = taken(
                conn, error.diag.constraint_name, product, store_id=store_id, product_id=product_id
            )
        if problem is None:
            raise
        raise problem from error


def taken(
    conn: Conn,
    constraint: str | None,
    product: Mapping[str, Any],
    *,
    store_id: int | None,
    product_id: int | None,
) -> Problem | None:
    """Return the 409 of an SKU or a link that another product of the store has, with that product;
    None if the constraint is another one, or the product does not exist any more.
    """
    if constraint not in ("products_sku_key", "variants_sku_key", "products_source_url_key"):
        return None
    link = product.get("source_url") if constraint == "products_source_url_key" else None
    places = {} if link else _places_of_skus(product)
    holder = products.find_holder(
        conn, store_id=store_id, product_id=product_id, skus=list(places), source_url=link
    )
    if holder is None:
        return None
    pointer, about = ("/source_url", None) if link else places[holder["sku"]]
    code = "source_url_taken" if link else "sku_taken"
    if holder["variant_id"]:
        words = say(
            "variant {variant} of product {id} has it",
            variant=holder["variant_id"],
            id=holder["id"],
        )
    elif holder["hidden"]:
        words = say(
            "product {id} has it, which is hidden: show that again, or give it another one first",
            id=holder["id"],
        )
    else:
        words = say("product {id} has it", id=holder["id"])
    return Problem(code, errors=[FieldError(pointer, code, words, about)])


def _places_of_skus(product: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Any] | None]]:
    """Return where each SKU of a request stands, and what it is of."""
    places: dict[str, tuple[str, dict[str, Any] | None]] = {}
    for place, row in enumerate(product.get("variants") or []):
        if row.get("sku"):
            about = {"variant_id": row["id"]} if "id" in row else None
            places[row["sku"]] = (f"/variants/{place}/sku", about)
    if product.get("sku"):
        places[product["sku"]] = ("/sku", None)
    return places
