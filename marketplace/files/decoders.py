"""A stranger's bytes -> pixels, by the one decoder that is meant, within bounds that are checked
first.

The plugin classes are called directly rather than through `Image.open`: nothing but the named
decoder ever sees the bytes, none of Pillow's process-wide limits has to change, and a configured
limit may be above them.
"""

import re
import struct
import warnings
import zlib
from io import BytesIO
from typing import BinaryIO, NamedTuple

from PIL import (
    AvifImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from marketplace.text.messages import Text, say

PIECE = 64 * 1024
#: The passes of an interlaced PNG: first column, first row, columns and rows from one to the next.
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
MAX_SCANS = 64  # a progressive photo has about ten; each costs a pass over all pixels
MAX_READS = (
    200_000  # a photo needs some hundreds; a file of nothing but tiny parts would take seconds
)

READERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
}
HEIF_BRANDS = {
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"hevm",
    b"hevs",
    b"mif1",
    b"msf1",
}
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
QUARTER_TURNS = {TURNS[value] for value in (5, 6, 7, 8)}  # these swap width and height

# Said once, at import: a stranger's broken metadata is no news for the log; a bomb is never only a
# warning.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.simplefilter("error", Image.DecompressionBombWarning)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the other cores are serving listings


class PictureRefused(Exception):
    """The file cannot become a picture: `code` for programs, `message` for the seller."""

    def __init__(self, code: str, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message if isinstance(message, Text) else say(message)


class Decoded(NamedTuple):
    """Pixels as they were stored, possibly at reduced size, and what is needed to show them
    right.
    """

    image: Image.Image
    size: tuple[int, int]
    turn: Image.Transpose | None
    profile: bytes | None


class _Bounded(BytesIO):
    """Bytes that end a decoder's patience when it picks them up one by one."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise _too_complex()
        return super().read(size)


def kind_of(file: BinaryIO, max_bytes: int) -> str:
    """Which format the first bytes are of; refuses what is empty, too large or of no known kind."""
    file.seek(0, 2)
    size = file.tell()
    if size == 0:
        raise PictureRefused("picture_empty", "The file is empty.")
    if size > max_bytes:
        raise PictureRefused(
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
    raise PictureRefused(
        "picture_type_not_supported", "This is not a JPEG, PNG, WebP, GIF, AVIF or HEIC picture."
    )


def decode(data: bytes, kind: str, max_pixels: int, enough: int) -> Decoded:
    """The pixels of a file of this kind. Its header is judged before anything is decoded.

    A JPEG is decoded at a half, quarter or eighth of its size where its longer side stays at least
    `enough`. Decoders meet bytes made to break them, and fail in every way there is: each failure
    is the file's.
    """
    try:
        if kind == "WEBP":
            max_pixels //= 2  # its decoder needs 16 bytes a pixel where others need 4 to 9
            _check_pixels(_webp_size(data), max_pixels)
        elif kind == "GIF":
            _check_pixels(_gif_size(data), max_pixels)
        image = _open(kind, data)
        _check_pixels(image.size, max_pixels)
        size = image.size
        if kind == "JPEG":
            _check_scans(data)
            image.draft(None, fit(size, enough))
        if kind == "PNG":
            _check_rows(data)
        _mend_transparency(image)
        turn = _turn(image, kind)
        image.load()
        if kind == "HEIF":
            size = image.size  # the header may have promised another one
            _check_pixels(size, max_pixels)
        return Decoded(image, size, turn, image.info.get("icc_profile"))
    except (PictureRefused, MemoryError, ImportError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(max_pixels) from error
    except Exception as error:
        raise PictureRefused("picture_damaged", "The picture is damaged or incomplete.") from error


def _open(kind: str, data: bytes) -> ImageFile.ImageFile:
    """The picture with its header read. HEIF is rare and its library large: imported on first
    use.
    """
    if kind != "HEIF":
        return READERS[kind](_Bounded(data))
    from pi_heif import options
    from pi_heif.as_plugin import HeifImageFile

    options.DECODE_THREADS = 1
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    image: ImageFile.ImageFile = HeifImageFile(_Bounded(data))
    return image


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from a WebP header: its decoder takes memory for the canvas when it is
    made.
    """
    chunk, bits = data[12:16], int.from_bytes(data[21:25], "little")
    if chunk == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L":
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(
        data[28:30], "little"
    ) & 0x3FFF


def _gif_size(data: bytes) -> tuple[int, int]:
    """Width and height that the first frame needs: it may be larger than the screen the header
    tells of.
    """
    at = 13 + (6 << (data[10] & 7) if data[10] & 128 else 0)
    inside = False  # an extension is a chain of blocks, ended by an empty one
    for _ in range(MAX_READS):
        if inside:
            inside = data[at] > 0
            at += data[at] + 1
        elif data[at] == ord(","):
            break
        else:
            inside = data[at] == ord("!")
            at += 2 if inside else 1
    else:
        raise _too_complex()
    left, top, width, height = struct.unpack_from("<4H", data, at + 1)
    screen = struct.unpack_from("<2H", data, 6)
    return max(screen[0], left + width), max(screen[1], top + height)


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise _too_many_pixels(max_pixels)


def _too_many_pixels(max_pixels: int) -> PictureRefused:
    return PictureRefused(
        "picture_too_many_pixels",
        say("The picture has more than {size} megapixels.", size=f"{max_pixels / 1e6:g}"),
    )


def _too_complex() -> PictureRefused:
    return PictureRefused(
        "picture_too_complex",
        "The picture is stored in too many pieces; save it again and send that.",
    )


def _check_scans(data: bytes) -> None:
    """Refuse a JPEG that repaints itself: 75 bytes for one more pass made half a megabyte cost
    13 seconds.
    """
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return  # no need to look closely: each pass begins with these two bytes
    marker = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
    at, scans = 2, 0
    while scans <= MAX_SCANS:
        found = marker.search(data, at)
        if found is None or found[1] == b"\xd9":
            return
        scans += found[1] == b"\xda"
        at = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")
    raise _too_complex()


def _check_rows(data: bytes) -> None:
    """Refuse a PNG whose compressed data end before its last row: Pillow would show what is missing
    as black.

    (PNG specification, sections 8.1 and 11.2.1.) They are unpacked a second time for it, and not
    kept.
    """
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    missing = 0
    for left, top, right, down in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // right), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            missing += rows * (1 + -(-columns * bits // 8))
    unpacking = zlib.decompressobj()
    at = 8
    while missing > 0:
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IDAT":
            for start in range(at + 8, at + 8 + length, PIECE):
                piece = data[start : min(start + PIECE, at + 8 + length)]
                while piece and missing > 0:
                    missing -= len(unpacking.decompress(piece, 16 * PIECE))
                    piece = unpacking.unconsumed_tail
        at += 12 + length


def _mend_transparency(image: ImageFile.ImageFile) -> None:
    """Bring a PNG's transparent colour to the 8 bits its pixels are given in."""
    key = image.info.get("transparency")
    raw = image.tile[0][3] if image.tile else None
    if isinstance(key, int) and raw in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if raw == "L;2" else 17)
    elif isinstance(key, tuple) and raw == "RGB;16B":
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _turn(image: ImageFile.ImageFile, kind: str) -> Image.Transpose | None:
    """How to turn the pixels upright. HEIF comes upright; AVIF tells by its boxes, its XMP is
    not asked.
    """
    if kind == "HEIF":
        return None
    if kind == "AVIF":
        image.info.pop("xmp", None)
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return None  # broken EXIF is no reason to refuse the picture


def fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size whose longer side is `longest`, in the same proportions; never larger than the
    original.
    """
    if max(size) <= longest:
        return size
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
