"""Small HEIC files made box by box (ISO/IEC 14496-12 and 23008-12), right but for what a test wants wrong."""

import base64
import struct

EXIF = b"\0\0\0\6Exif\0\0" + b"II*\0\x08\0\0\0\0\0"
#: The decoder configuration of an HEVC stream whose parameter sets are elsewhere.
NO_PARAMETER_SETS = bytes(
    (1, 3, 0x70, *[0] * 9, 30, 0xF0, 0, 0xFC, 0xFD, 0xF8, 0xF8, 0, 0, 0x0F, 0)
)


#: Four colours, turned by the container (irot) as well as by EXIF: to be turned once.
TURNED = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaptZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA"
    "AAAAADRpbG9jAAAAAERAAAIAAQAAAAABzgABAAAAAAAAAIkAAgAAAAACVwABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVp"
    "bmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAAA6WlwcnAAAADKaXBjbwAAAHZo"
    "dmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAA"
    "AwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAAUaXNwZQAAAAAAAABAAAAAQAAAAChpcm90AwAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQcGl4aQAAAAADCAgIAAAAF2lwbWEAAAAAAAAAAQABBIECBIMAAAAa"
    "aXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAALVtZGF0AAAAhSgBrxOA5TH3/7f5P9+jP8kyZk6gxC/7oD7qxL+h9LEG46eJ85Q/"
    "w1D/J6Igo0C9rGmmPNWpMthrqTNvSgdH6SFcVLCKCfYTnQv40NiMsPqbW2ZKIAAOUPK9cM8diCRwcObuWdzDrSTv7Vd0cGlr"
    "UxTwEANndTklInkVmwfVrH03RX0M7/AAAAAGRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAA="
)
#: Types of a metadata item that are no text: libheif's binding cannot name them, and ends its
#: process.
NO_TEXT = [b"E\xeaif", b"\xff\xfe\x80x", b"\x80\x81\x82\x83"]


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def full_box(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def item(number: int, kind: bytes, *, hidden: bool = False) -> bytes:
    return full_box(b"infe", 2, int(hidden), struct.pack(">HH", number, 0), kind, b"\0")


def heic(
    metadata: bytes = b"Exif", *, size: tuple[int, int] = (64, 64), pixels: bytes = bytes(16)
) -> bytes:
    """An image item of this size, with these bytes as its pixels, and one metadata item of this four-letter type."""
    properties = (
        box(b"hvcC", NO_PARAMETER_SETS),
        full_box(b"ispe", 0, 0, struct.pack(">II", *size)),
        full_box(b"pixi", 0, 0, b"\3\x08\x08\x08"),
    )
    used = struct.pack(">IHB3B", 1, 1, 3, 0x81, 2, 3)

    def meta(start: int) -> bytes:
        extents = ((1, start, len(pixels)), (2, start + len(pixels), len(EXIF)))
        places = b"".join(
            struct.pack(">HHHII", number, 0, 1, at, length) for number, at, length in extents
        )
        return full_box(
            b"meta", 0, 0,
            full_box(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", 0, 0, struct.pack(">H", 1)),
            full_box(b"iloc", 0, 0, b"\x44\0", struct.pack(">H", len(extents)), places),
            full_box(b"iinf", 0, 0, struct.pack(">H", 2), item(1, b"hvc1"), item(2, metadata, hidden=True)),
            box(b"iprp", box(b"ipco", *properties), full_box(b"ipma", 0, 0, used)),
            full_box(b"iref", 0, 0, box(b"cdsc", struct.pack(">HHH", 2, 1, 1))),
        )  # fmt: skip

    head = box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", pixels, EXIF)
