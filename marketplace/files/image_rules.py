"""The checks of an image before a decoder sees it, and the words in which one is refused.

Nothing here needs an image library: the API and the decoder process both read it.
"""

from typing import BinaryIO

from marketplace.text.messages import Text, say

#: Longest side in pixels of each size that is kept, largest first.
SIZES = {"large": 1280, "small": 640, "thumb": 240}
HEIF_BRANDS = {
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1",
}  # fmt: skip


class ImageRefused(Exception):
    """The file cannot become an image: `code` for programs, `message` for the seller."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message if isinstance(message, Text) else say(message)


def damaged() -> ImageRefused:
    """Return the refusal of a file that no decoder can read to its end."""
    return ImageRefused("picture_damaged", "The image is damaged or incomplete.")


def too_many_pixels(max_pixels: int) -> ImageRefused:
    """Return the refusal of an image that is larger than the setting allows."""
    return ImageRefused(
        "picture_too_many_pixels",
        say("The image has more than {size} megapixels.", size=f"{max_pixels / 1e6:g}"),
    )


def too_many_pieces() -> ImageRefused:
    """Return the refusal of a file made of so many parts that reading them takes seconds."""
    return ImageRefused(
        "picture_too_complex",
        "The image is stored in too many pieces; save it again and send that.",
    )


def too_costly() -> ImageRefused:
    """Return the refusal of an image whose decoder reached its limit of time or memory."""
    return ImageRefused(
        "picture_too_complex",
        "The image takes too much time or memory to decode; save it again and send that.",
    )


def most_pixels(kind: str, max_pixels: int) -> int:
    """Return how many pixels this format may have: WebP's decoder needs 16 bytes each, others 4 to
    9.
    """
    return max_pixels // 2 if kind == "WEBP" else max_pixels


def kind_of(file: BinaryIO, max_bytes: int) -> str:
    """Return the format of the first bytes; refuse a file that is empty, too large or of no known
    kind.
    """
    file.seek(0, 2)
    size = file.tell()
    if size == 0:
        raise ImageRefused("picture_empty", "The file is empty.")
    if size > max_bytes:
        raise ImageRefused(
            "picture_too_large",
            say("The file is larger than {size} MB.", size=f"{max_bytes / 1048576:g}"),
        )
    file.seek(0)
    head = file.read(256)
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        box = head[: int.from_bytes(head[:4], "big")]
        brands = {box[8:12], *(box[at : at + 4] for at in range(16, len(box), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        if brands & HEIF_BRANDS:
            return "HEIF"
    raise ImageRefused(
        "picture_type_not_supported", "This is not a JPEG, PNG, WebP, GIF, AVIF or HEIC image."
    )
