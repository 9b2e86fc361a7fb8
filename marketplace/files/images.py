"""Bytes from a stranger -> safe, sized, upright pictures.

`make` judges a file by its content alone, decodes it once, and answers three WebP pictures without
any metadata, or says in words why it will not. Nothing of the original is kept.
"""

import base64
import hashlib
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import BinaryIO

import thumbhash
from PIL import Image, ImageCms

from marketplace.files.decoders import QUARTER_TURNS, Decoded, PictureRefused, decode, fit, kind_of

__all__ = ["Picture", "PictureRefused", "PicturesBusy", "Variant", "make"]

SIZES = {"large": 1280, "small": 640, "thumb": 240}  # longest side in pixels, largest first
QUALITY = 80
WAIT_SECONDS = 10.0
MAX_PROFILE_BYTES = 4 * 1024 * 1024
PLAIN_MODES = ("L", "RGB", "CMYK", "La", "RGBa")

NICE = 10

_gate = threading.BoundedSemaphore(1)
_counting = threading.Lock()
_queue: set[object] = set()


class PicturesBusy(Exception):
    """Too many pictures are waiting in this process; `retry_after` is in seconds."""

    retry_after = 5


@dataclass(frozen=True)
class Variant:
    """One size of a picture, as WebP; width and height in pixels."""

    name: str
    width: int
    height: int
    data: bytes


@dataclass(frozen=True)
class Picture:
    """One picture in all sizes; width and height are those of the upright original.

    `digest` is the SHA-256 of what is stored, not of what was sent: a URL that may be cached for
    ever has to name the very bytes behind it, also after a newer encoder; and files that differ in
    metadata only are one. `placeholder` is a thumbhash in base64, to be painted until the picture
    has loaded.
    """

    digest: str
    width: int
    height: int
    placeholder: str
    variants: tuple[Variant, ...]


@dataclass(frozen=True)
class Upload:
    """An image as it was sent, made safe and ready to be stored."""

    part: str
    filename: str | None
    picture: Picture


def make(
    source: bytes | BinaryIO,
    *,
    max_bytes: int,
    max_pixels: int,
    wait: float = WAIT_SECONDS,
    places: int | None = None,
) -> Picture:
    """The picture in all sizes. Raises PictureRefused; PicturesBusy after `wait` seconds in the
    queue, or at once where `places` others are in it: each holds a thread that could answer
    listings.

    `source` may be a (spooled) file: it is read only when it is this picture's turn, so waiting
    ones cost no memory. One picture at a time is decoded in a process, in a thread that steps back
    for all others.
    """
    file = BytesIO(source) if isinstance(source, bytes) else source
    kind = kind_of(file, max_bytes)
    with _turn_in_queue(wait, places):
        file.seek(0)
        data = file.read()
        return _decoder.submit(
            lambda: _picture(decode(data, kind, max_pixels, SIZES["large"]))
        ).result()


@contextmanager
def _turn_in_queue(wait: float, places: int | None) -> Iterator[None]:
    with _counting:
        if places is not None and len(_queue) >= places:
            raise PicturesBusy
        place = object()
        _queue.add(place)
    try:
        if not _gate.acquire(timeout=wait):
            raise PicturesBusy
        try:
            yield
        finally:
            _gate.release()
    finally:
        with _counting:
            _queue.remove(place)


def _step_back() -> None:
    """Linux has a priority for each thread; what answers listings goes first."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _picture(decoded: Decoded) -> Picture:
    """All sizes, each made from the one before, and the name they are stored under."""
    width, height = decoded.size
    image = _upright(decoded)
    if decoded.turn in QUARTER_TURNS:
        width, height = height, width
    variants: list[Variant] = []
    data = b""
    for name, longest in SIZES.items():
        size = fit((width, height), longest)
        if not data or size != image.size:
            image = _resized(image, size)
            data = _webp(image)
        variants.append(Variant(name, *size, data))
    digest = hashlib.sha256()
    for variant in variants:
        digest.update(b"%s %d\n%s" % (variant.name.encode(), len(variant.data), variant.data))
    return Picture(digest.hexdigest(), width, height, _placeholder(image), tuple(variants))


def _upright(decoded: Decoded) -> Image.Image:
    """The largest size: upright, sRGB, mode RGB or RGBA, no metadata. Larger copies are let go
    on the way.
    """
    shrunk = _shrunk(decoded.image)
    image = _resized(shrunk, fit(decoded.size, SIZES["large"]))
    if image is not decoded.image:
        decoded.image.close()
    if decoded.turn is not None:
        image = image.transpose(decoded.turn)
    return _srgb(image, decoded.profile)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def _shrunk(image: Image.Image) -> Image.Image:
    """The picture in a plain mode, averaged down to at most four times the largest size.

    It goes band by band, so that no second copy of a large picture is ever in memory.
    """
    factor = max(1, max(image.size) // (SIZES["large"] * 2))
    if factor == 1 and image.mode in PLAIN_MODES and "transparency" not in image.info:
        return image
    width, height = image.size
    rows = factor * max(1, 1_000_000 // (width * factor))
    mode = _plain(image.crop((0, 0, 1, 1))).mode
    canvas = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, rows):
        band = _plain(image.crop((0, top, width, min(top + rows, height))))
        canvas.paste(band.reduce(factor), (0, top // factor))
    return canvas


def _plain(image: Image.Image) -> Image.Image:
    """The same pixels in a mode that can be averaged: alpha, where there is any, is multiplied
    in.
    """
    key = image.info.get("transparency")
    if image.mode.startswith("I"):
        wide = image.convert("I")
        grey = wide.point(_eight_bits(), "L")
        if key is None:
            return grey
        seen = wide.point([255 * (value != key) for value in range(65536)], "L")
        return Image.merge("LA", (grey, seen)).convert("La")
    if key is not None or image.mode in ("RGBA", "PA"):
        return image.convert("RGBA").convert("RGBa")
    if image.mode == "LA":
        return image.convert("La")
    if image.mode in PLAIN_MODES:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


@lru_cache(maxsize=1)
def _eight_bits() -> list[int]:
    """For each 16-bit value the nearest 8-bit one."""
    return [(value + 128) // 257 for value in range(65536)]


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB, as RGB, or RGBA where something can be seen through."""
    image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colours = image.convert({"LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode))
    if profile and len(profile) <= MAX_PROFILE_BYTES:
        colours = _converted(colours, profile)
    colours = colours.convert("RGB")
    if alpha is not None and alpha.getextrema() != (255, 255):
        colours.putalpha(alpha)
    colours.info.clear()
    return colours


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    """The picture converted from its ICC profile to sRGB; as it is where the profile does not
    fit.
    """
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if image.mode != {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(
            source.profile.xcolor_space.strip()
        ):
            return image
        return ImageCms.profileToProfile(image, source, _srgb_profile(), outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image


@lru_cache(maxsize=1)
def _srgb_profile() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


#: Its thread begins with the first picture: behind the fork.
_decoder = ThreadPoolExecutor(1, "pictures", _step_back)


def _webp(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()


def _placeholder(image: Image.Image) -> str:
    """The thumbhash of a picture in base64; what can be seen through is shown on white, as apps
    show it.
    """
    tiny = _resized(image, fit(image.size, 32)).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", tiny.size, "white"), tiny)
    values = thumbhash.rgba_to_thumb_hash(*flat.size, list(flat.tobytes()))
    return base64.b64encode(bytes(values)).decode()
