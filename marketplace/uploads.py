"""Pictures that come in a multipart body: read, made safe and sized, before any transaction begins."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import falcon

from marketplace import pictures, requests
from marketplace.config import Config
from marketplace.errors import FieldError, Problem
from marketplace.storage import picture_key

#: Stands for the address uploads are served from until the answer is sent; see app.URL_MARKER.
MARKER = "\x7f"


class Upload(NamedTuple):
    """One picture, ready to be stored."""

    part: str
    filename: str | None
    picture: pictures.Picture


def read(req: falcon.Request, *, files: Sequence[str], count: int) -> tuple[dict[str, str], list[Upload]]:
    """The text fields and the pictures of a multipart body.

    Every picture is judged, and all refusals are named together in one 422: nothing is stored unless all are good.
    """
    config: Config = req.context.config
    if requests.content_type(req) != "multipart/form-data":
        raise Problem("unsupported_media_type", "Send multipart/form-data.")
    texts: dict[str, str] = {}
    made: list[Upload] = []
    refused: list[FieldError] = []
    for part in requests.parts(req, file_limit=config.image_max_bytes, files=tuple(files), count=count):
        if not isinstance(part, requests.FilePart):
            name, value = part
            if name in texts or not name:
                raise Problem("validation_failed", errors=[FieldError(f"/{name}"[:200], "repeated", "must stand once")])
            texts[name] = value
            continue
        with part.file:
            try:
                made.append(Upload(part.name, part.filename, _make(part, config)))
            except pictures.PictureRefused as error:
                words = f"{part.filename or 'the picture'}: {error.message}"
                refused.append(FieldError(f"/{part.name}", error.code, words))
    if refused:
        raise Problem("picture_refused", refused[0].message, errors=refused)
    return texts, made


def _make(part: requests.FilePart, config: Config) -> pictures.Picture:
    try:
        return pictures.make(part.file, max_bytes=config.image_max_bytes, max_pixels=config.image_max_pixels)
    except pictures.PicturesBusy:
        raise Problem("too_many_requests", "Many pictures are coming in. Try again in a moment.") from None


def url(digest: str, variant: str) -> str:
    """Where a stored picture is served, with the marker."""
    return f"{MARKER}{picture_key(digest, variant)}"


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
