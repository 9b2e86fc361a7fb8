"""A stranger's bytes -> pixels, by the one decoder that is meant, within bounds that are checked
first.

The plugin classes are called directly rather than through `Image.open`: no other decoder ever sees
the bytes, none of Pillow's process-wide limits has to change, and a configured limit may be above
them.
"""

import hashlib
import struct
import warnings
import zlib
from io import BytesIO
from itertools import islice
from typing import NamedTuple

from PIL import (
    AvifImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,  # noqa: F401 - Pillow reads EXIF by it, when a child can open no file any more
    WebPImagePlugin,
)

from marketplace.files import jpeg_ends
from marketplace.files.image_rules import (
    ImageRefused,
    damaged,
    most_pixels,
    too_many_pieces,
    too_many_pixels,
)

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

# Set once, at import: a stranger's broken metadata is no news for the log; a bomb is never only a
# warning.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.simplefilter("error", Image.DecompressionBombWarning)
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the other cores are serving listings


class Decoded(NamedTuple):
    """Pixels as stored, possibly at reduced size, and what is needed to show them correctly."""

    image: Image.Image
    size: tuple[int, int]
    turn: Image.Transpose | None
    profile: bytes | None


class _Bounded(BytesIO):
    """Bytes that would keep a decoder busy for long, as it reads them one by one."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MAX_READS:
            raise too_many_pieces()
        return super().read(size)


def decode(data: bytes, kind: str, max_pixels: int, enough: int) -> Decoded:
    """Return the pixels of a file of this kind. Its header is judged before anything is decoded.

    A JPEG is decoded at a half, quarter or eighth of its size if its longer side stays at least
    `enough`. Hostile bytes make decoders fail in every way there is: each failure is the file's.
    """
    max_pixels = most_pixels(kind, max_pixels)
    try:
        if kind == "WEBP":
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
        pixels = _loaded(image, kind, data, fit(size, enough))
        if kind == "HEIF":
            size = image.size  # the header may have promised another one
            _check_pixels(size, max_pixels)
        return Decoded(pixels, size, turn, image.info.get("icc_profile"))
    except (ImageRefused, MemoryError, ImportError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise too_many_pixels(max_pixels) from error
    except Exception as error:
        raise damaged() from error


def _loaded(
    image: ImageFile.ImageFile, kind: str, data: bytes, enough: tuple[int, int]
) -> ImageFile.ImageFile:
    """Return the image with its pixels."""
    try:
        image.load()
    except OSError:
        if kind != "JPEG":
            raise
        return _ended(data, enough)
    return image


def load(kind: str) -> None:
    """Load the library that reads this format, if it is not yet: HEIF is rare and its library
    large.
    """
    if kind == "HEIF" and kind not in READERS:
        from pi_heif import options
        from pi_heif.as_plugin import HeifImageFile

        options.DECODE_THREADS = 1
        options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
        READERS[kind] = HeifImageFile


def _open(kind: str, data: bytes) -> ImageFile.ImageFile:
    """Return the image with its header read."""
    load(kind)
    return READERS[kind](_Bounded(data))


def _webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height from a WebP header: its decoder allocates the canvas
    when it is made.
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
    """Return width and height that the first frame needs: it may be larger than the screen in the
    header.
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
        raise too_many_pieces()
    left, top, width, height = struct.unpack_from("<4H", data, at + 1)
    screen = struct.unpack_from("<2H", data, 6)
    return max(screen[0], left + width), max(screen[1], top + height)


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise too_many_pixels(max_pixels)


def _check_scans(data: bytes) -> None:
    """Refuse a JPEG that repaints itself: 75 bytes for one more pass made half a megabyte cost 13
    seconds.
    """
    if data.count(b"\xff\xda") <= MAX_SCANS:
        return  # no need to look closely: each pass begins with these two bytes
    scans = (each for each in jpeg_ends.segments(data) if each.marker == jpeg_ends.START_OF_SCAN)
    if next(islice(scans, MAX_SCANS, None), None):
        raise too_many_pieces()


def _ended(data: bytes, enough: tuple[int, int]) -> ImageFile.ImageFile:
    """Return the pixels of a JPEG that lacks nothing but the mark of its end."""
    if not jpeg_ends.lacks_only_its_end(data):
        raise damaged()
    seen = set()
    for ended in jpeg_ends.endings(data):
        image = _open("JPEG", ended)
        image.draft(None, enough)
        image.load()
        seen.add(hashlib.sha256(image.tobytes()).digest())
    if len(seen) > 1:
        raise damaged()
    return image


def _check_rows(data: bytes) -> None:
    """Refuse a PNG whose compressed data end before its last row: Pillow would show the missing
    rows as black.

    (PNG specification, sections 8.1 and 11.2.1.) The data are decompressed a second time for it,
    and not kept.
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
    """Return how to turn the pixels upright. HEIF comes upright; AVIF has it in its boxes, and its
    XMP is ignored.
    """
    if kind == "HEIF":
        return None
    if kind == "AVIF":
        image.info.pop("xmp", None)
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return None  # broken EXIF is no reason to refuse the image


def fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return the size whose longer side is `longest`, in the same proportions; never larger than
    the original.
    """
    if max(size) <= longest:
        return size
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
