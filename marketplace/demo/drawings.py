"""Pictures for the demo shop, drawn by the program: a soft background, a shadow, and the thing in flat colours.

`draw` is all that is used elsewhere; what can be drawn is in `things.py`.
"""

import io
from functools import lru_cache

from PIL import Image, ImageDraw, ImageOps

from marketplace.demo.things import SIZE, THINGS, Palette

SIDE = 640  # pixels of the finished picture


def draw(kind: str, hue: float, number: int, view: int) -> bytes:
    """A PNG of a thing. `hue` is its colour in degrees, `number` varies details; view 1 shows a pair of them."""
    palette = Palette(hue % 360)
    thing = Image.new("RGBA", (SIZE, SIZE))
    THINGS[kind](ImageDraw.Draw(thing), palette, number)
    picture = _background(palette, number + view)
    if view == 0:
        _place(picture, thing, (SIZE // 2, SIZE // 2), 1.0, 0)
    else:
        _place(picture, thing, (SIZE * 33 // 100, SIZE * 46 // 100), 0.62, 7)
        _place(picture, thing, (SIZE * 66 // 100, SIZE * 56 // 100), 0.7, -6)
    out = io.BytesIO()
    picture.reduce(SIZE // SIDE).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _background(palette: Palette, number: int) -> Image.Image:
    """A gradient with a large disc in it, in colours that lie well behind the thing."""
    top, bottom, disc = palette.scenes[number % len(palette.scenes)]
    picture = ImageOps.colorize(_slope(), top, bottom)
    pen = ImageDraw.Draw(picture)
    shift = (number * 37) % 5 * 40 - 80
    pen.ellipse((170 + shift, 130 - shift // 2, 1110 + shift, 1070 - shift // 2), fill=disc)
    return picture


@lru_cache(maxsize=1)
def _slope() -> Image.Image:
    return Image.linear_gradient("L").resize((SIZE, SIZE)).rotate(20, Image.Resampling.BILINEAR, fillcolor=128)


def _place(picture: Image.Image, thing: Image.Image, centre: tuple[int, int], scale: float, angle: int) -> None:
    """Put the thing and its shadow into the picture."""
    if angle:
        thing = thing.rotate(angle, Image.Resampling.BICUBIC)
    side = int(SIZE * scale)
    thing = thing.resize((side, side), Image.Resampling.BILINEAR)
    left, top = centre[0] - side // 2, centre[1] - side // 2
    box = thing.getbbox()
    if box is not None:
        shadow = Image.new("L", (SIZE, SIZE))
        bottom, width = top + box[3], box[2] - box[0]
        edges = (left + box[0] - width // 12, bottom - width // 16, left + box[2] + width // 12, bottom + width // 14)
        ImageDraw.Draw(shadow).ellipse(edges, fill=46)
        picture.paste((20, 24, 40), (0, 0), shadow)
    picture.paste(thing, (left, top), thing)
