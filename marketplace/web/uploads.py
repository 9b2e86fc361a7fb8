"""Images in a multipart body: read, made safe and sized, before any transaction begins."""

from typing import Any

import falcon

from marketplace.config.settings import Config
from marketplace.contract import validation
from marketplace.contract.errors import FieldError, Problem, too_many_requests
from marketplace.contract.operations import Parts
from marketplace.files import images
from marketplace.files.images import Upload
from marketplace.text.messages import say
from marketplace.web import bodies, multipart


def read(
    req: falcon.Request, declared: Parts, *, count: int
) -> tuple[dict[str, Any], list[Upload]]:
    """Return the checked fields and the images (at most `count`) of a multipart body, as the call
    declares them. A field that is a list comes as JSON.
    """
    texts, made = receive(req, declared, count=count)
    sent = {
        name: bodies.parse_json(value.encode("utf-8", "replace"))
        if declared.fields.get(name, {}).get("type") == "list"
        else value
        for name, value in texts.items()
    }
    return validation.check(sent, declared.fields, text=True), made


def receive(
    req: falcon.Request, declared: Parts, *, count: int
) -> tuple[dict[str, str], list[Upload]]:
    """Return the texts as they came, and the images.

    Every image is judged, and one 422 names all refusals: nothing is stored unless all are good.
    """
    config: Config = req.context.config
    if bodies.content_type(req) != "multipart/form-data":
        raise Problem("unsupported_media_type", "Send multipart/form-data.")
    texts: dict[str, str] = {}
    made: list[Upload] = []
    refused: list[FieldError] = []
    limit = getattr(config, declared.limit)
    for part in multipart.parts(req, declared, file_limit=limit, count=count):
        if not isinstance(part, multipart.FilePart):
            name, value = part
            texts[name] = value
            continue
        with part.file:
            try:
                made.append(Upload(part.name, part.filename, _make(part, config)))
            except images.ImageRefused as error:
                words = say(
                    "{file}: {reason}",
                    file=part.filename or say("the image"),
                    reason=error.message,
                )
                refused.append(FieldError(f"/{part.name}", error.code, words))
    if refused:
        raise Problem("picture_refused", refused[0].message, errors=refused)
    return texts, made


def _make(part: multipart.FilePart, config: Config) -> images.SizedImage:
    try:
        return images.make(
            part.file,
            max_bytes=config.image_max_bytes,
            max_pixels=config.image_max_pixels,
            within=images.limits(config),
            places=max(1, config.pool_size - 1),  # one thread is always left for listings
        )
    except images.ImagesBusy as busy:
        words = say("Many images are being uploaded. Try again in a moment.")
        raise too_many_requests(busy.retry_after, words) from None
