"""Decoded pixels -> an image in all sizes, upright, in sRGB, without metadata. Runs in the decoder
process.
"""

import base64
from functools import lru_cache
from io import BytesIO

import thumbhash
from PIL import Image, ImageCms

from marketplace.files.decoder_messages import Sized
from marketplace.files.decoders import QUARTER_TURNS, Decoded, fit
from marketplace.files.image_rules import SIZES

QUALITY = 80
MAX_PROFILE_BYTES = 4 * 1024 * 1024
PLAIN_MODES = ("L", "RGB", "CMYK", "La", "RGBa")


def prepare() -> None:
    """Load and make what the first image needs beyond this module; no stranger's byte is read."""
    Image.preinit()
    _srgb_profile()


def sized(decoded: Decoded) -> Sized:
    """Return all sizes, each made from the one before."""
    width, height = decoded.size
    image = _upright(decoded)
    if decoded.turn in QUARTER_TURNS:
        width, height = height, width
    variants: dict[str, tuple[int, int, bytes]] = {}
    data = b""
    for name, longest in SIZES.items():
        size = fit((width, height), longest)
        if not data or size != image.size:
            image = _resized(image, size)
            data = _webp(image)
        variants[name] = (*size, data)
    return Sized(width, height, _placeholder(image), variants)


def _upright(decoded: Decoded) -> Image.Image:
    """Return the largest size: upright, sRGB, mode RGB or RGBA, no metadata. Larger copies are
    freed on the way.
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
    """Return the image in a plain mode, averaged down to at most four times the largest size.

    It goes band by band, so that no second copy of a large image is ever in memory.
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
    """Return the same pixels in a mode that can be averaged; alpha, if there is any, is multiplied
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
    """Return the nearest 8-bit value for each 16-bit one."""
    return [(value + 128) // 257 for value in range(65536)]


def _srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image in sRGB, as RGB, or RGBA if it has transparency."""
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
    """Return the image converted from its ICC profile to sRGB; unchanged if the profile misfits."""
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


def _webp(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "WEBP", quality=QUALITY)
    return out.getvalue()


def _placeholder(image: Image.Image) -> str:
    """Return the thumbhash of an image in base64; transparency is shown on white,
    as apps show it.
    """
    tiny = _resized(image, fit(image.size, 32)).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", tiny.size, "white"), tiny)
    values = thumbhash.rgba_to_thumb_hash(*flat.size, list(flat.tobytes()))
    return base64.b64encode(bytes(values)).decode()
