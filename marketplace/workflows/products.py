"""A product with all its parts: brand, stock, images, and its documents."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from marketplace.contract.errors import FieldError, Problem
from marketplace.files import image_json
from marketplace.files.images import Upload
from marketplace.postgres.callers import Caller, Client
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, brands, documents, images, jobs, products
from marketplace.text.messages import say
from marketplace.workflows import product_documents, product_variants
from marketplace.workflows.product_variants import Present, Wanted

#: The word for a product that is hidden because its store is stopped.
STOPPED = "store"


def store_of(caller: Caller, wanted: int | None) -> int:
    """Return the store of a new thing: the caller's own; an admin names one."""
    if caller.role == "admin" and wanted is not None:
        return wanted
    if caller.store_id is None:
        if caller.role == "admin":
            raise Problem("store_required", "Name the store (store_id).")
        raise Problem("store_required", "You have not opened a store yet.")
    if wanted is not None and wanted != caller.store_id:
        raise Problem("not_found", "There is no such store of yours.")
    return caller.store_id


def reach(caller: Caller) -> int | None:
    """Return the store whose products the caller may change; None is all of them, for an admin."""
    return None if caller.role == "admin" else (caller.store_id or 0)


def whole(product: Row) -> str:
    """Return a product in JSON: the document that lists show, with its description and details."""
    document = product["document"].removesuffix("}")
    return f'{document},"description":{product["description"]},{product["details"]}}}'


def version(product: Row) -> str:
    """Return the version that a change is compared with: a sale, too, makes untrue what an editor
    has read.
    """
    return f"{product['version']}.{product['stock_tag']}"


def add(
    conn: Conn,
    client: Client,
    *,
    store_id: int,
    product: Mapping[str, Any],
    pictures: Sequence[Upload],
    currency: str,
) -> tuple[int, Row]:
    """Add a product, and log that; return its id, and it as products.find does."""
    wanted = product_variants.whole_set(Present(None, [], [], set()), product)
    fields = _fields(product)
    fields["brand_id"] = _brand(conn, product)
    fields["hidden"] = product.get("hidden", False)
    if wanted is not None:
        _refuse_fields_of_variants(product, {}, wanted)
        fields |= {"sku": None, "price_before": None, "price": wanted.rows[0]["price"]}
    stock = product.get("stock", 0) if wanted is None else None
    product_id = products.add(conn, store_id, fields, stock=stock)
    if wanted is not None:
        products.write_variants(conn, product_id, wanted.names, wanted.rows, hide_others=True)
    for upload in pictures:
        _attach(conn, product_id, upload, product["name"])
    made = ("product", product_id, product["name"])
    with conn.pipeline():
        documents.add(conn, [product_id], currency)
        activities.record(conn, client, "create_product", related=made)
        shown = products.find_later(conn, product_id)
    return product_id, shown.fetchone() or {}


def change(
    conn: Conn,
    client: Client,
    before: Row,
    store_id: int | None,
    product: Mapping[str, Any],
    currency: str,
    *,
    said: Sequence[str] | None = None,
) -> Row:
    """Replace a product that find_own has locked, and log that (`said` are the fields that were
    sent; None: it is removed); return it as products.find does. Stock, hidden and variants stay
    unless given.
    """
    wanted = _wanted(conn, before, product)
    written = _fields(product)
    written["brand_id"] = _brand(conn, product)
    written["hidden"] = product.get("hidden", before["hidden"])
    if wanted is not None or before["variant_count"]:
        _refuse_fields_of_variants(product, before, wanted)
        written["price"] = before["price"]
        written["price_before"] = before["price_before"] if before["variant_count"] else None
        written["sku"] = None
    fields = {name for name in written if written[name] != before[name]}
    changed = ("product", before["id"], product["name"])
    with conn.pipeline():
        if fields or (wanted and wanted.changed):
            products.change(conn, before["id"], store_id, written)
        if fields & {"brand_id", "hidden"}:
            settle_brands(conn, before["brand_id"], written["brand_id"])
        if wanted is not None:
            products.write_variants(
                conn, before["id"], wanted.names, wanted.rows, hide_others=wanted.whole
            )
        elif product.get("stock") is not None and not before["variant_count"]:
            products.set_stock(conn, before["id"], product["stock"])
        _refresh(conn, before["id"], fields if wanted is None else None, currency)
        if said is None:
            activities.record(conn, client, "delete_product", related=changed)
        else:
            details = {"fields": sorted(said)}
            activities.record(conn, client, "update_product", related=changed, details=details)
        shown = products.find_later(conn, before["id"])
    return shown.fetchone() or {}


def _refresh(conn: Conn, product_id: int, fields: Set[str] | None, currency: str) -> None:
    """Write what repeats these fields of a product, and nothing if there are none; None: all of
    it.
    """
    if fields is None:
        product_documents.send(conn, [product_id], currency)
    elif fields:
        product_documents.send_changed(conn, {product_id: fields}, currency)


def block(conn: Conn, before: Row, blocked: str | None, currency: str) -> Row:
    """Take a product off sale with a word, or let it go (None), for an admin; return it as it is
    now.
    """
    if blocked == before["blocked"]:
        return before
    if blocked == STOPPED:
        words = say("{word} is the word for a store that is stopped", word=STOPPED)
        raise Problem("validation_failed", errors=[FieldError("/blocked", "not_allowed", words)])
    after = {**before, **products.block(conn, before["id"], blocked)}
    product_documents.send_changed(conn, {before["id"]: {"hidden"}}, currency)
    if after["hidden"] != before["hidden"]:
        settle_brands(conn, before["brand_id"])
    return after


def write_variant(
    conn: Conn,
    before: Row,
    store_id: int | None,
    variant_id: int | None,
    body: Mapping[str, Any],
    currency: str,
) -> Row:
    """Add a variant (no id) to a product that find_own has locked, or change fields of one; return
    it.
    """
    variants = products.list_variants(conn, before["id"])
    old = next((row for row in variants if row["id"] == variant_id), None)
    if variant_id is not None and old is None:
        raise Problem("not_found", "The product has no such variant.")
    if not variants:
        words = say("give the product options and variants first")
        raise Problem("validation_failed", errors=[FieldError("/options", "required", words)])
    wanted = product_variants.one(_present(conn, before, variants, [body]), old, body)
    if wanted.changed:
        products.touch(conn, before["id"], store_id)
    (written,) = products.write_variants(
        conn, before["id"], wanted.names, wanted.rows, hide_others=False
    )
    product_documents.refresh(conn, [before["id"]], currency)
    after = products.list_variants(conn, before["id"])
    return next(row for row in after if row["id"] == written)


def add_images(
    conn: Conn,
    product: Row,
    store_id: int | None,
    made: Sequence[Upload],
    *,
    most: int,
    currency: str,
) -> list[Row]:
    """Add images to a product that find_own has locked; 409 past `most`."""
    require_room(conn, product["id"], len(made), most=most)
    added = [_attach(conn, product["id"], upload, None) for upload in made]
    products.touch(conn, product["id"], store_id)
    documents.write(conn, currency, documents=[product["id"]])
    return added


def require_room(conn: Conn, product_id: int, more: int, *, most: int) -> None:
    """Raise 409 if a product would have more than `most` images."""
    if images.count(conn, product_id) + more > most:
        raise Problem("too_many_pictures", say("A product has at most {most} images.", most=most))


def _fields(product: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a seller writes of a product; what is left out has its default."""
    fields = {name: product.get(name) for name in products.WRITTEN}
    return {
        **fields,
        "min_quantity": product.get("min_quantity", 1),
        "condition": product.get("condition", "new"),
    }


def _wanted(conn: Conn, before: Row, product: Mapping[str, Any]) -> Wanted | None:
    """Return what a document wants of the product's variants; None: nothing."""
    if product.get("options") is None and product.get("variants") is None:
        return None
    variants = products.list_variants(conn, before["id"])
    sent = product.get("variants") or []
    return product_variants.whole_set(_present(conn, before, variants, sent), product)


def _present(
    conn: Conn, before: Row, variants: Sequence[Row], sent: Sequence[Mapping[str, Any]]
) -> Present:
    with_images = any(row.get("image_id") is not None for row in sent)
    image_ids = products.list_image_ids(conn, before["id"]) if with_images else set()
    return Present(before["id"], before["option_names"], variants, image_ids)


def _refuse_fields_of_variants(
    product: Mapping[str, Any], read: Mapping[str, Any], wanted: Wanted | None
) -> None:
    """Refuse what only variants have, unless it is as it was read, or as it will be."""
    will_be: dict[str, Any] = {}
    if wanted is not None:
        will_be = {"price": wanted.lowest(), "stock": wanted.stock()}
    wrong = [
        FieldError(f"/{name}", "has_variants", say("each variant has its own"))
        for name in ("price", "price_before", "stock", "sku")
        if product.get(name) is not None
        and product[name] not in (read.get(name), will_be.get(name))
    ]
    if wrong:
        raise Problem("has_variants", errors=wrong)


def _brand(conn: Conn, product: Mapping[str, Any]) -> int | None:
    """Return the brand by name, made if it is new, or by id."""
    if product.get("brand") is not None:
        return brands.find_or_add(conn, product["brand"])
    brand_id: int | None = product.get("brand_id")
    return brand_id


def settle_brands(conn: Conn, *brand_ids: int | None) -> None:
    """Let brands be listed, or removed, to follow the change of their products."""
    ids = sorted({brand_id for brand_id in brand_ids if brand_id is not None})
    if ids:
        jobs.enqueue(conn, "clear_names", queue="quick", lock="names", brand_ids=ids)


def _attach(conn: Conn, product_id: int, upload: Upload, alt: str | None) -> Row:
    shown = image_json.as_json(upload.image)
    return images.add(
        conn,
        product_id,
        url=shown["url"],
        alt=alt,
        digest=upload.image.digest,
        width=shown["width"],
        height=shown["height"],
        placeholder=shown["placeholder"],
        variants=shown["variants"],
    )
