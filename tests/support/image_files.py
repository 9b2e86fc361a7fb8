"""Image files of every kind, sound and broken, and what the sizes made of them show."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from marketplace.files import images
from marketplace.files.decoders import TURNS
from marketplace.files.images import ImageRefused, SizedImage

RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 190, 30), (30, 30, 220), (230, 220, 40)

SECRET = b"GPS-6.2,106.8"


def make(source, max_bytes=15 << 20, max_pixels=50_000_000, wait=60.0, places=None) -> SizedImage:
    return images.make(source, max_bytes=max_bytes, max_pixels=max_pixels, wait=wait, places=places)


def saved(image, kind="PNG", **options) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def refusal(data, **limits) -> str:
    with pytest.raises(ImageRefused) as caught:
        make(data, **limits)
    assert caught.value.message.endswith(".")
    return caught.value.code


def shown(picture, name="large") -> Image.Image:
    variant = next(variant for variant in picture.variants if variant.name == name)
    image = Image.open(BytesIO(variant.data), formats=["WEBP"])
    image.load()
    assert image.size == (variant.width, variant.height)
    return image


def near(colour, wanted, within=14) -> bool:
    return all(abs(a - b) <= within for a, b in zip(colour, wanted, strict=True))


def quarters(width=96, height=64) -> Image.Image:
    """Red and green above, blue and yellow below."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def seen_as(image, *colours, at=(0.25, 0.75), within=14) -> bool:
    """Whether these colours are seen above left, above right, below left and below right."""
    points = [(int(image.width * x), int(image.height * y)) for y in at for x in at]
    return all(
        near(image.getpixel(point)[:3], colour, within)
        for point, colour in zip(points, colours, strict=True)
    )


def stored_turned(image, orientation) -> Image.Image:
    back = {6: 8, 8: 6}.get(orientation, orientation)
    return image.transpose(TURNS[back]) if orientation > 1 else image


def exif(orientation) -> Image.Exif:
    values = Image.Exif()
    values[0x0112] = orientation
    values[0x010E] = SECRET.decode()
    values.get_ifd(0x8825)[1] = "S"
    values.get_ifd(0x8825)[2] = (6.0, 12.0, 0.0)
    return values


def chunk(kind, data) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows=b"", before=b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = (
        chunk(b"IHDR", header)
        + before
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )
    return b"\x89PNG\r\n\x1a\n" + body


def profile_with_red_and_green_swapped() -> bytes:
    def xyz(*values):
        return b"XYZ \0\0\0\0" + b"".join(
            struct.pack(">i", round(value * 65536)) for value in values
        )

    curve = b"curv\0\0\0\0" + struct.pack(">IHxx", 1, round(2.2 * 256))
    tags = {
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"gXYZ": xyz(0.4360, 0.2225, 0.0139),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s", at + len(body), b"lcms", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    header = header.ljust(36, b"\0") + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + table + body


def riff_chunks(data) -> list[bytes]:
    """The names of a WebP's chunks; fails where bytes stand outside of them."""
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WEBP"
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    names, at = [], 12
    while at < len(data):
        names.append(data[at : at + 4])
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if names[-1] == b"VP8X":
            assert data[at + 8] & 0b00101110 == 0, "announces ICC, EXIF, XMP or animation"
        at += 8 + size + size % 2
    assert at == len(data)
    return names


def assert_clean(picture) -> None:
    for variant in picture.variants:
        assert set(riff_chunks(variant.data)) <= {b"VP8 ", b"VP8L", b"VP8X", b"ALPH"}
        assert SECRET not in variant.data


def code_or_none(data) -> str | None:
    """The refusal's code, or None where the bytes made a clean picture."""
    try:
        assert_clean(make(data))
    except ImageRefused as refused:
        return refused.code
    return None


def difference(one, other) -> float:
    """Mean difference of two pictures seen small on grey, of 255."""
    grey, small = Image.new("RGBA", (24, 24), "grey"), []
    for image in (one, other):
        tiny = image.convert("RGBA").resize((24, 24), Image.Resampling.BOX)
        small.append(Image.alpha_composite(grey, tiny).convert("RGB").tobytes())
    return sum(abs(a - b) for a, b in zip(*small, strict=True)) / len(small[0])
