"""Pictures that come in a multipart body: read, made safe and sized, before any transaction begins."""

from typing import Any, NamedTuple

import falcon

from marketplace import pictures, requests, validation
from marketplace.config import Config
from marketplace.errors import FieldError, Problem
from marketplace.languages import say
from marketplace.operations import Parts
from marketplace.storage import URL_MARKER, picture_key


class Upload(NamedTuple):
    """One picture, ready to be stored."""

    part: str
    filename: str | None
    picture: pictures.Picture


def read(req: falcon.Request, declared: Parts, *, count: int) -> tuple[dict[str, Any], list[Upload]]:
    """The fields, checked, and the pictures (at most `count`) of a multipart body, as the call declares them."""
    texts, made = receive(req, declared, count=count)
    return validation.check(texts, declared.fields, text=True), made


def receive(req: falcon.Request, declared: Parts, *, count: int) -> tuple[dict[str, str], list[Upload]]:
    """The texts as they came, and the pictures.

    Every picture is judged, and all refusals are named together in one 422: nothing is stored unless all are good.
    """
    config: Config = req.context.config
    if requests.content_type(req) != "multipart/form-data":
        raise Problem("unsupported_media_type", "Send multipart/form-data.")
    texts: dict[str, str] = {}
    made: list[Upload] = []
    refused: list[FieldError] = []
    for part in requests.parts(req, file_limit=getattr(config, declared.limit), files=declared.files, count=count):
        if not isinstance(part, requests.FilePart):
            name, value = part
            texts[name] = value
            continue
        with part.file:
            try:
                made.append(Upload(part.name, part.filename, _make(part, config)))
            except pictures.PictureRefused as error:
                words = say("{file}: {reason}", file=part.filename or say("the picture"), reason=error.message)
                refused.append(FieldError(f"/{part.name}", error.code, words))
    if refused:
        raise Problem("picture_refused", refused[0].message, errors=refused)
    return texts, made


def _make(part: requests.FilePart, config: Config) -> pictures.Picture:
    try:
        return pictures.make(
            part.file,
            max_bytes=config.image_max_bytes,
            max_pixels=config.image_max_pixels,
            places=max(1, config.pool_size - 1),  # one thread is always left for listings
        )
    except pictures.PicturesBusy:
        raise Problem("too_many_requests", "Many pictures are coming in. Try again in a moment.") from None


def url(digest: str, variant: str) -> str:
    """Where a stored picture is served, with the marker."""
    return f"{URL_MARKER}{picture_key(digest, variant)}"


def as_json(picture: pictures.Picture) -> dict[str, Any]:
    """A picture as the API answers it: the large size, and all sizes to choose from."""
    large = next(size for size in picture.variants if size.name == "large")
    return {
        "url": url(picture.digest, "large"),
        "width": large.width,
        "height": large.height,
        "placeholder": picture.placeholder,
        "variants": [
            {
                "name": size.name,
                "url": url(picture.digest, size.name),
                "width": size.width,
                "height": size.height,
            }
            for size in picture.variants
        ],
    }
