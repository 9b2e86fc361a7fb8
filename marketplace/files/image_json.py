"""An image as the API describes it: addresses and sizes."""

from typing import Any

from marketplace.files import images
from marketplace.files.storage import URL_MARKER, image_key


def url(digest: str, variant: str) -> str:
    """Return where a stored image is served, with the marker."""
    return f"{URL_MARKER}{image_key(digest, variant)}"


def as_json(picture: images.SizedImage) -> dict[str, Any]:
    """Return an image as the API describes it: the large size, and all sizes to choose from."""
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
