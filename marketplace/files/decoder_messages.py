"""The messages between API and decoder process: an order, and a result in one frame.

The file that it reads may have taken the decoder process over: `unpacked` trusts nothing it sends.
"""

import base64
import json
import struct
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from marketplace.files.image_rules import SIZES

MEBIBYTE = 1024 * 1024
#: Bytes of a decoder beyond those of its pixels: the file itself, tables, the sizes that are made.
BASE_BYTES = 64 * MEBIBYTE
#: The dearest decoder (AVIF) needs nine bytes for a pixel; WebP needs 16, and may have half as
#: many.
PIXEL_BYTES = 16
#: A WebP image of 1280 pixels has some 200 kB, and never as much as its pixels.
MAX_VARIANT_BYTES = SIZES["large"] ** 2 * 4
MAX_RESULT_BYTES = 8 * MEBIBYTE
MAX_SIDE = 1_000_000
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class Limits:
    """What one image may cost: bytes of memory, seconds of CPU, seconds by the clock.

    A decoder process that gets no image for `idle_seconds` ends.
    """

    memory_bytes: int
    cpu_seconds: int = 20
    seconds: float = 40.0
    idle_seconds: int = 300

    @classmethod
    def of_pixels(cls, max_pixels: int) -> "Limits":
        """Return the limits that suit images of so many pixels."""
        return cls(memory_bytes=BASE_BYTES + PIXEL_BYTES * max_pixels)


@dataclass(frozen=True)
class Order:
    """One image to decode: its size in bytes, its format and its limits."""

    size: int
    kind: str
    max_pixels: int
    limits: Limits

    def line(self) -> bytes:
        """Return the order as one line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> "Order":
        """Return the order of a line."""
        values = json.loads(line)
        return cls(**{**values, "limits": Limits(**values["limits"])})


class Sized(NamedTuple):
    """An image in all sizes: width and height of the upright original, the placeholder (a thumbhash
    in base64), and (width, height, WebP) by the names of SIZES.
    """

    width: int
    height: int
    placeholder: str
    variants: dict[str, tuple[int, int, bytes]]


class Refusal(NamedTuple):
    """Why there is no image: a code of image_rules, `memory`, or `failed` and an error in words."""

    code: str
    error: str = ""


def packed(result: Sized | Refusal) -> bytes:
    """Return a result as a frame: the length of a JSON object, the object, then the bytes it
    describes.
    """
    if isinstance(result, Refusal):
        return _frame({"refused": result.code, "error": result.error[:500]}, b"")
    variants: dict[str, list[int]] = {}
    pieces: list[bytes] = []
    for name, (width, height, data) in result.variants.items():
        again = (
            bool(pieces) and data is pieces[-1]
        )  # no smaller than the size before: the same bytes
        variants[name] = [width, height, 0 if again else len(data)]
        pieces += [] if again else [data]
    header = {
        "size": [result.width, result.height],
        "placeholder": result.placeholder,
        "variants": variants,
    }
    return _frame(header, b"".join(pieces))


def unpacked(frame: bytes) -> Sized | Refusal:
    """Return the result of a frame. Raises ValueError for a frame that `packed` would not have
    written.
    """
    try:
        start = _LENGTH.size + _LENGTH.unpack_from(frame)[0]
        header = json.loads(frame[_LENGTH.size : start])
        if "refused" in header:
            return Refusal(str(header["refused"])[:50], str(header["error"])[:500])
        width, height = (_whole(side, MAX_SIDE) for side in header["size"])
        variants: dict[str, tuple[int, int, bytes]] = {}
        data = b""
        for name, longest in SIZES.items():
            wide, high, length = header["variants"][name]
            if length != 0 or not data:
                data = _webp(frame[start : start + _whole(length, MAX_VARIANT_BYTES)], length)
                start += length
            variants[name] = (_whole(wide, longest), _whole(high, longest), data)
        if start != len(frame):
            raise ValueError("there is more than was said")
        return Sized(width, height, _placeholder(header["placeholder"]), variants)
    except (struct.error, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no result: {error}") from error


def _frame(header: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return _LENGTH.pack(len(text)) + text + data


def _whole(value: Any, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"not a number from 1 to {most}")
    return value


def _webp(data: bytes, length: int) -> bytes:
    """Return the data, proven to be one WebP file of the length in its header, of nothing but
    pixels.
    """
    riff = data[:4] + data[8:12] == b"RIFFWEBP" and len(data) == length
    if not riff or int.from_bytes(data[4:8], "little") + 8 != length:
        raise ValueError("not a WebP file")
    return data


def _placeholder(text: Any) -> str:
    if not isinstance(text, str) or not 1 <= len(base64.b64decode(text, validate=True)) <= 64:
        raise ValueError("not a placeholder")
    return text
