"""The calls of the legacy Android app, which was written for the first system and cannot be
changed.

Each is a thin alias: it takes and returns what that app knows, and uses the same workflows as the
call that new apps make. resources/auth.py handles the `client_type` that it sends when it signs in.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import falcon
import orjson

from marketplace.contract import pages, validation
from marketplace.contract.operations import Deprecated, Parts, operation
from marketplace.files import image_json, storage
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Row
from marketplace.queries import products, users
from marketplace.queries.products import Listing
from marketplace.schemas import legacy_android as schemas
from marketplace.web import client, etags, idempotency, rendering, uploads
from marketplace.workflows import images as image_workflow
from marketplace.workflows import products as product_workflow
from marketplace.workflows import stores as store_workflow
from marketplace.workflows import users as user_workflow

SELLERS = ("seller", "admin")
PARTS = Parts(schemas.NEW_PRODUCT, ("main_image",), required=False)
BATCH = 500
#: These headers tell new apps what to call instead; there is no end, since the legacy app stays.
SINCE = date(2026, 11, 23)
_MARKER = storage.URL_MARKER.encode()
#: The form in which Java writes a double from ten million on.
_JAVA_DOUBLE = re.compile(r"[0-9]\.[0-9]{1,17}E[0-9]{1,2}\Z")


class Username:
    """/api/users/profile/username"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "updateUsername",
        "Change the caller's name (legacy Android app)",
        body=schemas.USERNAME,
        responses={200: schemas.RENAMED},
        conditional=True,
        deprecated=Deprecated(SINCE, successor="/api/users/profile"),
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Change the name alone, as PATCH of the profile does."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            etags.require(req, users.hold(conn, caller.user_id))
            before = users.find(conn, caller.user_id) or {}
            user = user_workflow.change(
                conn, client.client(req), before, {**before, **req.context.body}
            )
            resp.media = {"message": "Nama Anda sudah diganti.", "user": user}


class OpenStore:
    """/api/auth/open_store"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "openStoreFirstApp",
        "Open a store (legacy Android app)",
        body=schemas.NEW_BRAND,
        responses={201: schemas.OPENED},
        problems=("store_exists", "store_name_taken"),
        idempotent=True,
        deprecated=Deprecated(SINCE, successor="/api/stores"),
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Open the caller's store; a buyer is a seller from here on."""
        body, caller = req.context.body, req.context.caller
        with idempotency.transaction(self.db, req, resp) as conn:
            store = store_workflow.open_store(
                conn,
                client.client(req),
                name=body["name"],
                description=body.get("description"),
                pending=req.context.config.stores_need_approval,
            )
            resp.media = {
                "message": "Toko Anda sudah dibuka. Selamat berjualan!",
                "brand": _brand(store, caller),
                "user": users.find(conn, caller.user_id),
            }
            resp.status = falcon.HTTP_201
            resp.location = f"/api/stores/{store['id']}"


class MyBrand:
    """/api/auth/brands/my"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getMyBrand",
        "The caller's store (legacy Android app)",
        responses={200: schemas.BRAND},
        problems=("not_found",),
        deprecated=Deprecated(SINCE, successor="/api/stores/mine"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the caller's store; 404 tells the app that there is none yet."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            resp.media = _brand(store_workflow.find_own(conn, caller), caller)


class MyBrandProducts:
    """/api/products/my-brand"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listMyBrandProducts",
        "All of the caller's products at once (legacy Android app)",
        roles=SELLERS,
        responses={200: [schemas.PRODUCT]},
        problems=("store_required",),
        deprecated=Deprecated(SINCE, successor="/api/stores/mine/products"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Stream the products of the caller's store, newest first, sold out ones too; removed ones
        are gone.
        """
        caller = req.context.caller
        batches = _batches(self.db, caller, product_workflow.store_of(caller, None))
        resp.content_type = falcon.MEDIA_JSON
        resp.stream = _array(batches, rendering.uploads_url(req))


class CreateProduct:
    """/api/products/create"""

    def __init__(self, db: Database, files: storage.Storage) -> None:
        self.db = db
        self.files = files

    @operation(
        "createProductFirstApp",
        "Add a product with its main image (legacy Android app)",
        roles=SELLERS,
        parts=PARTS,
        responses={201: schemas.CREATED},
        problems=("store_required", "picture_refused", "too_many_requests"),
        idempotent=True,
        deprecated=Deprecated(SINCE, successor="/api/products"),
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add a product to the caller's store."""
        caller, config = req.context.caller, req.context.config
        store_id = product_workflow.store_of(caller, None)
        texts, made = uploads.receive(req, PARTS, count=1)
        body = validation.check(_meant(texts), PARTS.fields, text=True)
        found = [upload.image for upload in made]
        image_workflow.save(self.files, found)
        with idempotency.transaction(self.db, req, resp) as conn:
            image_workflow.hold(conn, self.files, found)
            product_id, product = product_workflow.add(
                conn,
                client.client(req),
                store_id=store_id,
                product=body,
                pictures=made,
                currency=config.currency,
            )
            whole = orjson.loads(product_workflow.whole(product))
            resp.media = {
                "message": "Produk Anda sudah ditambahkan.",
                "product_id": product_id,
                "product_name": product["name"],
                "main_image_url": image_json.as_json(made[0].image)["url"] if made else None,
                "product": {**whole, "brand": _as_brand(whole["store"])},
            }
            resp.status = falcon.HTTP_201
            resp.location = f"/api/products/{product_id}"


def _brand(store: Row, owner: Caller) -> dict[str, Any]:
    return {
        **{name: store[name] for name in ("id", "name", "description")},
        "owner_id": owner.user_id,
    }


def _batches(db: Database, caller: Caller, store_id: int) -> Iterator[list[Any]]:
    def read(after: Any) -> list[Any]:
        with db.transaction(caller) as conn:
            rows = products.search(
                conn, Listing({"store_id": store_id}, "newest", True, after, BATCH, 0)
            )
            texts = products.list_descriptions(conn, [row.id for row in rows])
        return [(row, texts.get(row.id)) for row in rows]

    return pages.batches(read, lambda item: (item[0].key, item[0].id), size=BATCH)


def _array(batches: Iterator[list[Any]], uploads_url: bytes) -> Iterator[bytes]:
    """Yield the products as a bare array, with the address of uploads filled in."""
    between = b"["
    for rows in batches:
        yield between + b",".join(_as_app_reads(*row) for row in rows).replace(_MARKER, uploads_url)
        between = b","
    yield b"[]" if between == b"[" else b"]"


def _as_app_reads(row: Any, description: str | None) -> bytes:
    """Return a product in the app's form: its price a JSON number, digit for digit like the text,
    and the store as its brand.
    """
    product = orjson.loads(row.item)
    product["price"] = orjson.Fragment(product["price"])
    product |= {"description": description, "brand": _as_brand(product["store"])}
    return orjson.dumps(product)


def _as_brand(store: Mapping[str, Any]) -> dict[str, Any]:
    """Return a store as the app's brand."""
    return {"id": store["id"], "name": store["name"]}


def _meant(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the meaning of the app's texts: an empty one is missing, and 1.25E7 are twelve and a
    half million.
    """
    given = {name: text for name, text in texts.items() if text or name not in PARTS.fields}
    if _JAVA_DOUBLE.match(given.get("price", "")):
        given["price"] = format(Decimal(given["price"]), "f")
    return given
