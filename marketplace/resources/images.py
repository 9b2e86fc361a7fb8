"""Images of a product."""

import falcon

from marketplace.contract.errors import Problem, invalid
from marketplace.contract.operations import Parts, operation
from marketplace.files import storage
from marketplace.postgres.database import Database
from marketplace.queries import activities, documents, images, products
from marketplace.schemas import products as schemas
from marketplace.web import client, etags, idempotency, uploads
from marketplace.workflows import images as images_workflows
from marketplace.workflows import products as workflow

SELLERS = ("seller", "admin")
PARTS = Parts(files=("images",))


class Images:
    """/api/products/{product_id}/images"""

    def __init__(self, db: Database, files: storage.Storage) -> None:
        self.db = db
        self.files = files

    @operation(
        "addProductImages",
        "Add images to a product",
        roles=SELLERS,
        parts=PARTS,
        responses={201: schemas.IMAGES},
        problems=("not_found", "picture_refused", "too_many_pictures", "too_many_requests"),
        idempotent=True,
        rate="upload",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Add the images of the parts `images`, all or none; the first of a product becomes its
        main one.
        """
        caller, config = req.context.caller, req.context.config
        store_id = workflow.reach(caller)
        with self.db.transaction(
            caller
        ) as conn:  # before megabytes are read for somebody else's product
            if products.find_own(conn, product_id, store_id) is None:
                raise _not_found()
            if (
                req.get_header("Idempotency-Key") is None
            ):  # a repeated request gets the first response
                workflow.require_room(conn, product_id, 1, most=config.images_per_product)
        _, made = uploads.read(req, PARTS, count=config.images_per_product)
        if not made:
            raise invalid("/images", "required", "is the part for images")
        found = [upload.image for upload in made]
        images_workflows.save(self.files, found)
        with idempotency.transaction(self.db, req, resp) as conn:
            product = products.find_own(conn, product_id, store_id)
            if product is None:
                raise _not_found()
            images_workflows.hold(conn, self.files, found)
            added = workflow.add_images(
                conn,
                product,
                store_id,
                made,
                most=config.images_per_product,
                currency=config.currency,
            )
            activities.record(
                conn,
                client.client(req),
                "upload_image",
                details={"images": len(added)},
                related=("product", product_id, product["name"]),
            )
            resp.media = {"images": added}
            resp.status = falcon.HTTP_201


class Image:
    """/api/products/{product_id}/images/{image_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "updateProductImage",
        "Change order, main image or alternative text",
        roles=SELLERS,
        body=schemas.CHANGE_IMAGE,
        partial=True,
        responses={200: schemas.IMAGE},
        problems=("not_found",),
        conditional=True,
    )
    def on_patch(
        self, req: falcon.Request, resp: falcon.Response, product_id: int, image_id: int
    ) -> None:
        """Change the given fields. The main image is changed by naming another one, not by
        unsetting it.

        If-Match names the product: its images are part of it.
        """
        caller, body = req.context.caller, req.context.body
        store_id = workflow.reach(caller)
        with self.db.transaction(caller) as conn:
            product = products.find_own(conn, product_id, store_id)
            before = images.find(conn, product_id, image_id)
            if product is None or before is None:
                raise _not_found()
            etags.require(req, workflow.version(product))
            if body.get("is_main") is False and before["is_main"]:
                raise invalid(
                    "/is_main", "main_required", "name another image as the main one instead"
                )
            after = {**before, **body}
            resp.media = images.change(
                conn,
                product_id,
                image_id,
                position=after["position"],
                is_main=after["is_main"],
                alt=after["alt"],
            )
            products.touch(conn, product_id, store_id)
            documents.write(conn, req.context.config.currency, documents=[product_id])
            activities.record(
                conn, client.client(req), "update_image", related=("product", product_id, None)
            )

    @operation(
        "deleteProductImage",
        "Remove an image",
        roles=SELLERS,
        responses={204: None},
        problems=("not_found",),
        conditional=True,
    )
    def on_delete(
        self, req: falcon.Request, resp: falcon.Response, product_id: int, image_id: int
    ) -> None:
        """Remove an image; if it was the main one, the next one becomes it."""
        caller = req.context.caller
        store_id = workflow.reach(caller)
        with self.db.transaction(caller) as conn:
            product = products.find_own(conn, product_id, store_id)
            if product is None:
                raise _not_found()
            etags.require(req, workflow.version(product))
            if not images.remove(conn, product_id, image_id):
                raise _not_found()
            products.touch(conn, product_id, store_id)
            documents.write(conn, req.context.config.currency, documents=[product_id])
            activities.record(
                conn, client.client(req), "delete_image", related=("product", product_id, None)
            )
        resp.status = falcon.HTTP_204


def _not_found() -> Problem:
    return Problem("not_found", "There is no such product or image of yours.")
