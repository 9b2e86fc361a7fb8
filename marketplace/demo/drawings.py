"""Images for the demo shop, drawn by the program: a soft background, a shadow, a thing in flat
colours.

Only `draw` is used elsewhere; `things.py` has the things.
"""

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageOps

from marketplace.demo.shapes import SIZE, Colour, Palette
from marketplace.demo.things import THINGS

# Pixels of the finished image. Things are drawn larger, so that their edges are smooth.
SIDE = 640
SCALE = SIZE // SIDE
Box = tuple[float, float, float, float]


def draw(kind: str, hue: float, number: int, view: int) -> bytes:
    """Return a PNG of a thing: `hue` is its colour in degrees, `number` varies details, view 1
    shows a pair.
    """
    palette = Palette(hue % 360)
    sketch = Image.new("RGBA", (SIZE, SIZE))
    THINGS[kind](ImageDraw.Draw(sketch), palette, number)
    thing = sketch.reduce(SCALE)
    picture = _background(palette, number + view)
    if view == 0:
        _place(picture, thing, (0.5, 0.5))
    else:
        _place(picture, _turned(thing, 0.62, 7), (0.33, 0.46))
        _place(picture, _turned(thing, 0.70, -6), (0.66, 0.56))
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def _background(palette: Palette, number: int) -> Image.Image:
    """Return a gradient with a large disc in it, in colours that stay behind the thing."""
    top, bottom, disc = palette.scenes[number % len(palette.scenes)]
    picture = ImageOps.colorize(_slope(), top, bottom)
    shift = (number * 37) % 5 * 40 - 80
    _shade(picture, disc, (170 + shift, 130 - shift / 2, 1110 + shift, 1070 - shift / 2), 255)
    return picture


@lru_cache(maxsize=1)
def _slope() -> Image.Image:
    """From black to white, slanting."""
    wide = (
        Image.linear_gradient("L")
        .resize((SIDE * 2, SIDE * 2))
        .rotate(20, Image.Resampling.BILINEAR)
    )
    return ImageOps.autocontrast(wide.crop((SIDE // 2, SIDE // 2, SIDE * 3 // 2, SIDE * 3 // 2)))


def _shade(picture: Image.Image, fill: Colour, box: Box, strength: int) -> None:
    """Return an ellipse with soft edges, in units of SIZE; `strength` is how much it covers, to
    255.
    """
    mask = Image.new("L", (SIDE // 2, SIDE // 2))
    left, top, right, bottom = (edge * SIDE / 2 / SIZE for edge in box)
    ImageDraw.Draw(mask).ellipse((left, top, right, bottom), fill=strength)
    picture.paste(fill, (0, 0), mask.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _turned(thing: Image.Image, scale: float, angle: int) -> Image.Image:
    side = int(SIDE * scale)
    return thing.resize((side, side), Image.Resampling.BILINEAR).rotate(
        angle, Image.Resampling.BILINEAR
    )


def _place(picture: Image.Image, thing: Image.Image, centre: tuple[float, float]) -> None:
    """Put a thing and its shadow into the image; `centre` is from 0 to 1."""
    left, top = int(SIDE * centre[0] - thing.width / 2), int(SIDE * centre[1] - thing.height / 2)
    box = thing.getbbox()
    if box is not None:
        width, foot = box[2] - box[0], top + box[3]
        west, east = left + box[0] - width / 12, left + box[2] + width / 12
        north, south = foot - width / 16, foot + width / 14
        _shade(
            picture, (20, 24, 40), (west * SCALE, north * SCALE, east * SCALE, south * SCALE), 46
        )
    picture.paste(thing, (left, top), thing)
