"""Private images that a later call names."""

from datetime import datetime, timedelta, timezone

import falcon

from marketplace.contract.errors import Problem, invalid
from marketplace.contract.operations import PUBLIC, Parts, operation
from marketplace.files.storage import Storage
from marketplace.postgres.database import Database
from marketplace.schemas import uploads as schemas
from marketplace.web import idempotency, signed_files, uploads
from marketplace.workflows import uploads as workflow

PARTS = Parts(fields=schemas.FIELDS, files=("file",))


class Uploads:
    """/api/uploads"""

    def __init__(self, db: Database, private: Storage) -> None:
        self.db = db
        self.private = private

    @operation(
        "uploadImage",
        "Send a private image",
        parts=PARTS,
        responses={201: schemas.UPLOAD},
        problems=("picture_refused", "too_many_requests"),
        idempotent=True,
        rate="upload",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Store the image of part `file`, for a later call to name by its `id`: a broken upload
        costs one image and no more. What nobody names is deleted after a day.
        """
        fields, made = uploads.read(req, PARTS, count=1)
        if not made:
            raise invalid("/file", "required", "is the part for the image")
        upload_id, size = workflow.save(self.private, made[0].image)
        with idempotency.transaction(self.db, req, resp) as conn:
            workflow.add(conn, req.context.caller.user_id, upload_id, size, fields["purpose"])
            resp.location = signed_files.address(req, str(upload_id), "thumb")
            resp.media = {
                "id": str(upload_id),
                "thumb_url": resp.location,
                "expires_at": datetime.now(timezone.utc) + timedelta(days=1),
            }
            resp.status = falcon.HTTP_201


class File:
    """/api/uploads/file"""

    def __init__(self, private: Storage) -> None:
        self.private = private

    @operation(
        "getUploadedFile",
        "A private image, at a signed address",
        roles=PUBLIC,
        query=schemas.SIGNED,
        responses={200: None},
        problems=("not_found",),
        produces=("image/webp",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return an image whose address another call has given, within ten minutes."""
        query = req.context.query
        if not signed_files.is_good(req.context.config, query):
            raise _gone()
        try:
            with self.private.open(workflow.key_of(query["upload"], query["size"])) as file:
                resp.data = file.read()
        except FileNotFoundError:
            raise _gone() from None
        resp.content_type = "image/webp"
        resp.set_header("Cache-Control", "private, max-age=600")


def _gone() -> Problem:
    return Problem("not_found", "This address is not good any more.")
