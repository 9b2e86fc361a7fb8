"""A product with all its parts: brand, stock, images, and its documents."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.contract.errors import FieldError, Problem
from marketplace.files import image_json
from marketplace.files.images import Upload
from marketplace.postgres.callers import Caller, Client
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, brands, images, jobs, products
from marketplace.text.messages import say
from marketplace.workflows import product_documents


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
    """Return a product in JSON: the document that lists show, with its description added."""
    return f'{product["document"].removesuffix("}")},"description":{product["description"]}}}'


def version(product: Row) -> str:
    """Return the version that a change is compared with: a sale, too, makes untrue what an editor
    has read.
    """
    return f"{product['version']}.{product['stock']}"


def add(
    conn: Conn,
    client: Client,
    *,
    store_id: int,
    product: Mapping[str, Any],
    pictures: Sequence[Upload],
    currency: str,
) -> int:
    """Add a product, and log that; return its id."""
    product_id = products.add(
        conn,
        store_id=store_id,
        category_id=product.get("category_id"),
        brand_id=_brand(conn, product),
        name=product["name"],
        description=product.get("description"),
        price=product["price"],
        sku=product.get("sku"),
        source_url=product.get("source_url"),
        hidden=product.get("hidden", False),
        stock=product.get("stock", 0),
    )
    for upload in pictures:
        _attach(conn, product_id, upload, product["name"])
    product_documents.refresh(conn, [product_id], currency)
    activities.record(
        conn, client, "create_product", related=("product", product_id, product["name"])
    )
    return product_id


def change(
    conn: Conn, before: Row, store_id: int | None, product: Mapping[str, Any], currency: str
) -> None:
    """Replace a product that find_own has locked. Stock and hidden stay unless given."""
    written: dict[str, Any] = {
        name: product.get(name)
        for name in ("category_id", "name", "description", "price", "sku", "source_url")
    }
    written["brand_id"] = _brand(conn, product)
    written["hidden"] = product.get("hidden", before["hidden"])
    if any(written[name] != before[name] for name in written):
        products.change(conn, before["id"], store_id, written)
    if any(written[name] != before[name] for name in ("brand_id", "hidden")):
        _settle_brands(conn, before["brand_id"], written["brand_id"])
    if product.get("stock") is not None:
        products.set_stock(conn, before["id"], product["stock"])
    product_documents.refresh(conn, [before["id"]], currency)


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
    if constraint not in ("products_sku_key", "products_source_url_key"):
        return None
    name = "sku" if constraint == "products_sku_key" else "source_url"
    keys = {"sku": None, "source_url": None, name: product.get(name)}
    holder = products.find_holder(conn, store_id=store_id, product_id=product_id, **keys)
    if holder is None:
        return None
    if holder["hidden"]:
        words = say(
            "product {id} has it, which is hidden: show that again, or give it another one first",
            id=holder["id"],
        )
    else:
        words = say("product {id} has it", id=holder["id"])
    code = f"{name}_taken"
    return Problem(code, errors=[FieldError(f"/{name}", code, words)])


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
    product_documents.refresh(conn, [product["id"]], currency)
    return added


def require_room(conn: Conn, product_id: int, more: int, *, most: int) -> None:
    """Raise 409 if a product would have more than `most` images."""
    if images.count(conn, product_id) + more > most:
        raise Problem("too_many_pictures", say("A product has at most {most} images.", most=most))


def _brand(conn: Conn, product: Mapping[str, Any]) -> int | None:
    """Return the brand by name, made if it is new, or by id."""
    if product.get("brand") is not None:
        return brands.find_or_add(conn, product["brand"])
    brand_id: int | None = product.get("brand_id")
    return brand_id


def _settle_brands(conn: Conn, *brand_ids: int | None) -> None:
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
