"""Colours and small shapes that the things of the demo shop are drawn with.

Lengths are in units of a square of SIZE; (0, 0) is its top left corner.
"""

import colorsys
import math

from PIL import ImageDraw

SIZE = 1280
Colour = tuple[int, int, int]
Pen = ImageDraw.ImageDraw
Point = tuple[float, float]


class Palette:
    """Colours that go with one hue (degrees)."""

    cream: Colour = (250, 243, 228)
    ink: Colour = (46, 42, 56)

    def __init__(self, hue: float) -> None:
        self.main = colour(hue, 0.50, 0.58)
        self.dark = colour(hue, 0.33, 0.55)
        self.deep = colour(hue, 0.22, 0.45)
        self.light = colour(hue, 0.72, 0.60)
        self.pale = colour(hue, 0.88, 0.55)
        self.accent = colour(hue + 165, 0.56, 0.62)
        self.warm = colour(38, 0.60, 0.80)
        #: Backgrounds: two ends of a gradient and the disc in it.
        self.scenes = [
            (
                colour(hue + 150, 0.93, 0.45),
                colour(hue + 185, 0.80, 0.45),
                colour(hue + 165, 0.90, 0.60),
            ),
            (colour(40, 0.95, 0.60), colour(22, 0.85, 0.60), colour(42, 0.91, 0.85)),
            (colour(hue + 20, 0.94, 0.45), colour(hue - 20, 0.84, 0.40), colour(hue, 0.92, 0.70)),
            (colour(210, 0.95, 0.30), colour(225, 0.85, 0.35), colour(200, 0.92, 0.50)),
        ]


def colour(hue: float, lightness: float, saturation: float) -> Colour:
    """Return the RGB of a hue in degrees, lightness and saturation from 0 to 1."""
    red, green, blue = colorsys.hls_to_rgb(hue % 360 / 360, lightness, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def arc(centre: Point, radius: Point, start: float, end: float, steps: int = 24) -> list[Point]:
    """Return points on an ellipse from one angle to another, in degrees, clockwise
    from the right.
    """
    (x, y), (wide, high) = centre, radius
    angles = (math.radians(start + (end - start) * step / steps) for step in range(steps + 1))
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


def disc(pen: Pen, x: float, y: float, radius: float, fill: Colour, flat: float = 1.0) -> None:
    """A filled circle, or with `flat` below 1 an ellipse lying down."""
    pen.ellipse((x - radius, y - radius * flat, x + radius, y + radius * flat), fill=fill)


def leaf(pen: Pen, foot: Point, angle: float, length: float, fill: Colour, vein: Colour) -> None:
    """A leaf that grows from `foot` in a direction, 0 being up."""
    turn = math.radians(angle)

    def at(along: float, across: float) -> Point:
        return (
            foot[0] + math.sin(turn) * along + math.cos(turn) * across,
            foot[1] - math.cos(turn) * along + math.sin(turn) * across,
        )

    steps = [step / 16 for step in range(17)]
    width = length * 0.2
    edge = [at(length * step, width * math.sin(math.pi * step**0.8)) for step in steps]
    edge += [at(length * step, -width * math.sin(math.pi * step**0.8)) for step in reversed(steps)]
    pen.polygon(edge, fill=fill)
    pen.line([at(0, 0), at(length * 0.85, 0)], fill=vein, width=8)


def bean(pen: Pen, x: float, y: float, size: float, fill: Colour, crease: Colour) -> None:
    """A coffee bean standing up."""
    pen.ellipse((x - size * 0.68, y - size, x + size * 0.68, y + size), fill=fill)
    steps = [step / 10 for step in range(-10, 11)]
    curve = [(x + math.sin(step * math.pi) * size * 0.2, y + step * size * 0.86) for step in steps]
    pen.line(curve, fill=crease, width=max(6, int(size / 6)), joint="curve")


def steam(pen: Pen, x: float, y: float, fill: Colour) -> None:
    """Three curls of steam that end at (x, y)."""
    for shift in (-70, 0, 70):
        height = 150 if shift == 0 else 110
        steps = [step / 10 for step in range(11)]
        curve = [
            (x + shift + math.sin(step * 2 * math.pi) * 22, y - step * height) for step in steps
        ]
        pen.line(curve, fill=fill, width=20, joint="curve")
