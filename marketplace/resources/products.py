"""Products: lists, one, adding, changing, hiding."""

from collections.abc import Sequence
from typing import Any

import falcon

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.operations import ANYONE, PUBLIC, Budget, Parts, operation
from marketplace.files import storage
from marketplace.files.images import Upload
from marketplace.postgres.database import UNWRITABLE, Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, products, sessions
from marketplace.schemas import facets as facet_schemas
from marketplace.schemas import products as schemas
from marketplace.web import bodies, client, etags, idempotency, paging, rendering, uploads
from marketplace.workflows import facets, images, listings
from marketplace.workflows import products as workflow
from marketplace.workflows.product_keys import keys_told

SELLERS = ("seller", "admin")
#: What the variants of a document may be refused for.
OF_VARIANTS = ("duplicate_options", "has_variants", "price_before_too_low", "too_many_variants")
KEYS = ("not_found", "sku_taken", "source_url_taken")
CHANGING = (*KEYS, "has_open_orders", "product_blocked", *OF_VARIANTS)
PARTS = Parts(schemas.NEW, ("main_image",), required=False)


class Products:
    """/api/products"""

    def __init__(self, db: Database, files: storage.Storage) -> None:
        self.db = db
        self.files = files

    @operation(
        "listProducts",
        "Browse and search products",
        roles=PUBLIC,
        query={**schemas.FILTERS, **pages.QUERY, **pages.COUNT, **facet_schemas.QUERY},
        responses={200: facet_schemas.PAGE},
        problems=listings.PROBLEMS,
        catalogue=True,
        budget=Budget(1, 1),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return what is on sale, from product documents and live stock."""
        query = req.context.query
        listing = listings.asked(query)
        window = paging.window(req, query, depth=listings.depth(listing))
        listing = listings.within(listing, window)
        with self.db.read(req.context.read_after) as conn:
            wanted = query.get("facets")
            page = listings.page(conn, listing, window.exact_to, with_ids=bool(wanted))
            more = {"facets": facets.count(conn, listing, wanted, page)} if wanted else None
        paging.respond(
            req,
            resp,
            noun="products",
            items=page.items.encode(),
            window=window,
            last=page.last,
            total=page.total,
            more=more,
        )

    @operation(
        "createProduct",
        "Add a product",
        roles=SELLERS,
        body=schemas.NEW,
        parts=PARTS,
        responses={201: schemas.PRODUCT},
        problems=("store_required", "picture_refused", *KEYS, *OF_VARIANTS),
        idempotent=True,
        sells=True,
        budget=Budget(8, 5),
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Add a product to the caller's store (an admin names one), from JSON or multipart with a
        main image.
        """
        caller, config = req.context.caller, req.context.config
        made: list[Upload] = []
        if bodies.content_type(req) == "multipart/form-data":
            body, made = uploads.read(req, PARTS, count=1)
        else:
            body = req.context.body
        store_id = workflow.store_of(caller, body.get("store_id"))
        found = [upload.image for upload in made]
        images.save(self.files, found)
        with (
            keys_told(self.db, caller, store_id, body),
            idempotency.transaction(self.db, req, resp) as conn,
        ):
            images.hold(conn, self.files, found)
            product_id, added = workflow.add(
                conn,
                client.client(req),
                store_id=store_id,
                product=body,
                pictures=made,
                currency=config.currency,
            )
            _show(req, resp, added)
            resp.status = falcon.HTTP_201
            resp.location = f"/api/products/{product_id}"


class Product:
    """/api/products/{product_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getProduct",
        "One product",
        roles=ANYONE,
        responses={200: schemas.PRODUCT},
        problems=("not_found",),
        catalogue=True,
        budget=Budget(1, 1),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Return a product; a hidden one only to its store and admins."""
        if req.context.caller is None:
            with self.db.read(req.context.read_after) as conn:
                found = products.find_for_guest(conn, product_id, _known(req))
            if found is None:
                raise _not_found()
            _show_text(req, resp, *found)
            return
        try:
            self._view(req, resp, product_id)
        except UNWRITABLE:  # a read needs no disk
            self._view(req, resp, product_id, recorded=False)

    def _view(
        self, req: falcon.Request, resp: falcon.Response, product_id: int, *, recorded: bool = True
    ) -> None:
        caller, known = req.context.caller, _known(req)
        with self.db.transaction(caller, durable=False) as conn:
            row = products.find(conn, product_id, known=known)
            row = row or _hidden(conn, caller.session_hash, product_id, known)
            _show(req, resp, row)
            if (
                recorded
                and row is not None
                and req.method != "HEAD"
                and not etags.unchanged(req, resp)
            ):
                activities.record_view(
                    conn,
                    client.client(req),
                    "view_product",
                    related=("product", product_id, row["name"]),
                )

    @operation(
        "replaceProduct",
        "Replace a product",
        roles=SELLERS,
        body=schemas.CHANGE,
        responses={200: schemas.PRODUCT},
        problems=CHANGING,
        conditional=True,
    )
    def on_put(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Replace all that a seller writes; stock, hidden, options and variants only if given."""
        self._change(req, resp, product_id, merge=False)

    @operation(
        "updateProduct",
        "Change fields of a product",
        roles=SELLERS,
        body=schemas.CHANGE,
        partial=True,
        responses={200: schemas.PRODUCT},
        problems=CHANGING,
        conditional=True,
        budget=Budget(11, 5),
    )
    def on_patch(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Change the given fields, leave the rest; {"hidden": false} shows a removed product again,
        unless an admin has blocked it.
        """
        self._change(req, resp, product_id, merge=True)

    @operation(
        "deleteProduct",
        "Remove a product",
        roles=SELLERS,
        responses={204: None},
        problems=("not_found",),
        conditional=True,
    )
    def on_delete(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Hide a product. Doing it twice does no harm."""
        caller = req.context.caller
        store_id = workflow.reach(caller)
        with self.db.transaction(caller) as conn:
            before = products.find_own(conn, product_id, store_id)
            if before is None:
                raise _not_found()
            etags.require(req, workflow.version(before))
            if not before["hidden"]:
                workflow.change(
                    conn,
                    client.client(req),
                    before,
                    store_id,
                    {**before, "hidden": True},
                    req.context.config.currency,
                )
        resp.status = falcon.HTTP_204

    def _change(
        self, req: falcon.Request, resp: falcon.Response, product_id: int, *, merge: bool
    ) -> None:
        caller, body = req.context.caller, req.context.body
        store_id = workflow.reach(caller)
        with (
            keys_told(self.db, caller, caller.store_id, body, product_id),
            self.db.transaction(caller) as conn,
        ):
            before = products.find_own(conn, product_id, store_id)
            if before is None:
                raise _not_found()
            etags.require(req, workflow.version(before))
            before = _blocked(req, conn, before)
            if "brand" in body and body["brand"] is None and "brand_id" not in body:
                body["brand_id"] = None  # no name is no brand
            after = (
                {**{name: before[name] for name in before if name != "stock"}, **body}
                if merge
                else body
            )
            changed = workflow.change(
                conn,
                client.client(req),
                before,
                store_id,
                after,
                req.context.config.currency,
                said=body,
            )
            _show(req, resp, changed)


def _blocked(req: falcon.Request, conn: Conn, before: Row) -> Row:
    """Return the product as an admin's `blocked` leaves it; what came back as it was read is
    nothing.
    """
    body = req.context.body
    if "blocked" not in body or body["blocked"] == before["blocked"]:
        return before
    if req.context.caller.role != "admin":
        raise Problem("forbidden", "Only an admin blocks a product, or lets it go.")
    return workflow.block(conn, before, body["blocked"], req.context.config.currency)


def _hidden(
    conn: Conn, session_hash: bytes, product_id: int, known: Sequence[str]
) -> dict[str, Any] | None:
    """Return a hidden product, if the caller may see it."""
    who = sessions.find(conn, session_hash)
    row = products.find(conn, product_id, show_hidden=True, known=known)
    if (
        row is None
        or who is None
        or not (who["role"] == "admin" or row["store_id"] == who["store_id"])
    ):
        return None
    return row


def _known(req: falcon.Request) -> list[str]:
    """Return the ETags of the product that the client has, in the form of products.find."""
    tags = etags.known_tags(req)
    if not tags:
        return []
    own = etags.dressing(rendering.uploads_url(req))
    return [tag.removesuffix(own) for tag in tags if tag.endswith(own)]


def _show(req: falcon.Request, resp: falcon.Response, row: Row | None) -> None:
    """Respond with a product from its document, or with 304; 404 if there is none."""
    if row is None:
        raise _not_found()
    resp.context.version = workflow.version(row)
    _show_text(req, resp, row["tag"], row["document"] and workflow.whole(row))


def _show_text(req: falcon.Request, resp: falcon.Response, tag: str, text: str | None) -> None:
    resp.context.tag = f"{tag}{etags.dressing(rendering.uploads_url(req))}"
    if text is not None:
        resp.data = text.encode()
        resp.content_type = falcon.MEDIA_JSON


def _not_found() -> Problem:
    return Problem("not_found", "There is no such product.")
