"""The things of the demo shop, each as flat shapes on a square of SIZE units; `number` varies
the details.
"""

from collections.abc import Callable, Sequence

from marketplace.demo.shapes import Palette, Pen, Point, arc, bean, colour, disc, leaf, steam


def shirt(pen: Pen, p: Palette, number: int) -> None:
    """A batik shirt with one of three patterns."""
    body = [
        (430, 250),
        (560, 220),
        (640, 262),
        (720, 220),
        (850, 250),
        (1090, 430),
        (985, 600),
        (890, 535),
        (890, 1090),
        (390, 1090),
        (390, 535),
        (295, 600),
        (190, 430),
    ]
    pen.polygon(body, fill=p.main)
    for row in range(6):
        for column in range(4):
            x, y = 455 + column * 124, 400 + row * 118
            if number % 3 == 0:
                disc(pen, x, y, 44, p.light)
                disc(pen, x, y, 26, p.dark)
                disc(pen, x, y, 10, p.cream)
            elif number % 3 == 1:
                pen.polygon([(x, y - 52), (x + 46, y), (x, y + 52), (x - 46, y)], fill=p.warm)
                pen.polygon([(x, y - 26), (x + 22, y), (x, y + 26), (x - 22, y)], fill=p.deep)
            else:
                for angle in (45, 135, 225, 315):
                    leaf(pen, (x, y), angle, 62, p.pale, p.dark)
    pen.polygon([(190, 430), (295, 600), (322, 585), (222, 408)], fill=p.dark)
    pen.polygon([(1090, 430), (985, 600), (958, 585), (1058, 408)], fill=p.dark)
    pen.polygon(
        [(560, 220), (640, 262), (720, 220), (690, 330), (640, 275), (590, 330)], fill=p.deep
    )
    pen.line([(640, 275), (640, 1090)], fill=p.deep, width=12)
    for y in range(380, 1080, 130):
        disc(pen, 640, y, 13, p.cream)


def shoe(pen: Pen, p: Palette, number: int) -> None:
    """A shoe from the side."""
    toe = arc((900, 790), (190, 150), -75, 0)
    upper = [(230, 430), (420, 410), (470, 520), (640, 600), *toe, (1090, 850), (210, 850)]
    pen.polygon(upper, fill=p.main)
    pen.polygon([(230, 430), (300, 422), (330, 850), (210, 850)], fill=p.dark)
    pen.polygon([*arc((900, 800), (190, 150), -60, 0), (1090, 850), (850, 850)], fill=p.light)
    pen.rounded_rectangle((190, 835, 1110, 930), 46, fill=p.cream)
    pen.rounded_rectangle((190, 890, 1110, 935), 22, fill=p.deep)
    for step in range(4):
        x, y = 500 + step * 70, 520 + step * 38
        pen.line([(x - 30, y + 50), (x + 44, y - 12)], fill=p.cream, width=22)
    if number % 2:
        pen.line([(370, 770), (520, 690), (700, 790)], fill=p.accent, width=34, joint="curve")
    else:
        disc(pen, 470, 730, 60, p.accent)


def bag(pen: Pen, p: Palette, number: int) -> None:
    """A bag with handles: woven, or plain with a pocket."""
    pen.arc((430, 170, 850, 730), 180, 360, fill=p.dark, width=44)
    pen.polygon([(270, 450), (1010, 450), (1080, 1090), (200, 1090)], fill=p.main)
    if number % 2:
        for row in range(5):
            for column in range(5):
                spread = 1 + row * 0.045
                x, y = 640 + (column - 2) * 150 * spread, 530 + row * 125
                if (row + column) % 2:
                    pen.rectangle((x - 72 * spread, y - 60, x + 72 * spread, y + 60), fill=p.light)
    else:
        pen.rounded_rectangle((420, 640, 860, 980), 50, fill=p.light)
        pen.rounded_rectangle((420, 640, 860, 750), 50, fill=p.dark)
        disc(pen, 640, 745, 34, p.warm)
    pen.polygon([(270, 450), (1010, 450), (1022, 510), (258, 510)], fill=p.deep)


def pouch(pen: Pen, p: Palette, number: int) -> None:
    """A standing pouch of coffee."""
    pen.polygon([(360, 230), (920, 230), (950, 1080), (330, 1080)], fill=p.main)
    pen.polygon([(820, 230), (920, 230), (950, 1080), (850, 1080)], fill=p.dark)
    pen.rectangle((350, 190, 930, 290), fill=p.deep)
    for x in range(380, 920, 60):
        pen.line([(x, 205), (x, 275)], fill=p.dark, width=10)
    pen.rounded_rectangle((430, 430, 800, 890), 40, fill=p.cream)
    brown, crease = colour(24, 0.30, 0.55), colour(24, 0.16, 0.5)
    if number % 2:
        bean(pen, 615, 610, 105, brown, crease)
    else:
        bean(pen, 560, 600, 84, brown, crease)
        bean(pen, 680, 650, 84, brown, crease)
    pen.rounded_rectangle((490, 780, 740, 806), 13, fill=p.main)
    pen.rounded_rectangle((530, 826, 700, 846), 10, fill=p.light)


def cup(pen: Pen, p: Palette, number: int) -> None:
    """A cup of tea on its saucer."""
    steam(pen, 600, 420, p.cream)
    disc(pen, 600, 1010, 430, p.light, 0.17)
    disc(pen, 600, 1000, 330, p.pale, 0.13)
    pen.ellipse((800, 560, 1080, 850), outline=p.dark, width=54)
    pen.polygon([(280, 500), *arc((600, 700), (300, 310), 150, 30), (920, 500)], fill=p.main)
    pen.polygon([(800, 500), *arc((600, 700), (300, 310), 30, 62), (720, 500)], fill=p.dark)
    disc(pen, 600, 500, 320, p.pale, 0.2)
    disc(pen, 600, 508, 280, colour(28, 0.42, 0.7), 0.17)
    if number % 2:
        pen.line([(460, 505), (430, 760)], fill=p.cream, width=8)
        pen.polygon([(380, 760), (480, 760), (480, 860), (380, 860)], fill=p.cream)
        leaf(pen, (430, 850), 0, 80, colour(110, 0.4, 0.5), p.cream)
    else:
        leaf(pen, (540, 900), -30, 210, colour(110, 0.45, 0.5), p.cream)
        leaf(pen, (560, 900), 30, 210, colour(110, 0.35, 0.5), p.cream)


def jar(pen: Pen, p: Palette, number: int) -> None:
    """A glass jar of something to nibble."""
    pen.rounded_rectangle((330, 330, 950, 1090), 120, fill=p.pale)
    pen.rounded_rectangle((370, 470, 910, 1050), 90, fill=p.light)
    food, crust = colour(34, 0.58, 0.72), colour(28, 0.44, 0.65)
    for row in range(5):
        for column in range(5):
            x, y = 432 + column * 104 + (row % 2) * 26 - 13, 560 + row * 104
            if number % 3 == 0:
                disc(pen, x, y, 54, food)
                disc(pen, x + 12, y - 10, 10, crust)
                disc(pen, x - 16, y + 14, 9, crust)
            elif number % 3 == 1:
                crisp = arc((x, y), (58, 40), 20 + 40 * column, 250 + 40 * column)
                pen.polygon(crisp, fill=(food, crust)[row % 2])
            else:
                pen.rounded_rectangle(
                    (x - 16, y - 52, x + 16, y + 52), 16, fill=(food, crust)[column % 2]
                )
    pen.rounded_rectangle((440, 690, 840, 900), 30, fill=p.cream)
    pen.rounded_rectangle((500, 750, 780, 780), 15, fill=p.main)
    pen.rounded_rectangle((550, 810, 730, 834), 12, fill=p.light)
    pen.rounded_rectangle((360, 210, 920, 370), 40, fill=p.dark)
    pen.rectangle((360, 300, 920, 330), fill=p.main)


def bottle(pen: Pen, p: Palette, number: int) -> None:
    """A bottle of sambal or syrup."""
    right, left = arc((720, 560), (150, 140), -60, 0), arc((560, 560), (150, 140), 180, 240)
    pen.polygon(
        [(560, 240), (720, 240), (730, 420), *right, (870, 1090), (410, 1090), *left, (550, 420)],
        fill=p.main,
    )
    pen.rectangle((800, 560, 870, 1090), fill=p.dark)
    pen.rounded_rectangle((540, 170, 740, 290), 26, fill=p.ink)
    pen.rectangle((410, 640, 870, 940), fill=p.cream)
    if number % 2:
        belly, back = arc((640, 700), (150, 150), 160, 30), arc((640, 690), (110, 90), 30, 160)
        pen.polygon([(500, 720), *belly, (790, 700), *back], fill=colour(4, 0.5, 0.7))
        pen.line([(790, 705), (820, 670)], fill=colour(110, 0.35, 0.5), width=22)
    else:
        disc(pen, 640, 790, 100, p.light)
        leaf(pen, (640, 880), 0, 190, colour(110, 0.38, 0.5), p.cream)


def plate(pen: Pen, p: Palette, number: int) -> None:
    """A plate from above, with a rim of dots or petals."""
    disc(pen, 640, 640, 450, p.dark)
    disc(pen, 640, 630, 445, p.cream)
    for step in range(24):
        x, y = arc((640, 630), (380, 380), step * 15, step * 15, 1)[0]
        if number % 2:
            disc(pen, x, y, 24 if step % 2 else 14, p.main)
        else:
            leaf(
                pen,
                (640 + (x - 640) * 0.86, 630 + (y - 630) * 0.86),
                step * 15 + 90,
                100,
                p.main,
                p.pale,
            )
    disc(pen, 640, 630, 300, p.light)
    disc(pen, 640, 630, 280, p.pale)
    disc(pen, 640, 630, 70, p.accent)


def mug(pen: Pen, p: Palette, number: int) -> None:
    """A mug with stripes or dots."""
    pen.ellipse((780, 470, 1090, 880), outline=p.dark, width=64)
    pen.rounded_rectangle((290, 330, 870, 1070), 90, fill=p.main)
    if number % 2:
        for y in (520, 660, 800):
            pen.rectangle((290, y, 870, y + 60), fill=p.light)
    else:
        for row in range(4):
            for column in range(4):
                disc(pen, 390 + column * 130 + (row % 2) * 40, 520 + row * 125, 30, p.cream)
    pen.polygon([(790, 380), (870, 380), (870, 980), (790, 1060)], fill=p.dark)
    disc(pen, 580, 345, 290, p.pale, 0.18)
    disc(pen, 580, 352, 250, p.deep, 0.14)


def plant(pen: Pen, p: Palette, number: int) -> None:
    """A plant in its pot."""
    greens = (colour(110, 0.36, 0.5), colour(130, 0.30, 0.5), colour(95, 0.44, 0.5))
    count = 7 + number % 3 * 2
    for step in range(count):
        angle = -66 + 132 * step / (count - 1)
        leaf(
            pen, (640, 790), angle, 540 - abs(angle) * 1.6, greens[step % 3], colour(100, 0.62, 0.5)
        )
    pen.polygon([(370, 760), (910, 760), (840, 1100), (440, 1100)], fill=p.main)
    pen.polygon([(800, 760), (910, 760), (840, 1100), (760, 1100)], fill=p.dark)
    pen.rounded_rectangle((340, 700, 940, 810), 30, fill=p.light)
    if number % 2:
        zigzag = [(420, 930), (505, 990), (590, 930), (675, 990), (760, 930), (850, 990)]
        pen.line(zigzag, fill=p.cream, width=24)


def cushion(pen: Pen, p: Palette, number: int) -> None:
    """A cushion with a woven pattern."""
    top, right = arc((640, 330), (400, 60), 200, 340), arc((970, 640), (60, 400), -70, 70)
    bottom, left = arc((640, 970), (400, 60), 20, 160), arc((310, 640), (60, 400), 110, 250)
    pen.polygon(
        [(230, 250), *top, (1050, 250), *right, (1050, 1050), *bottom, (230, 1050), *left],
        fill=p.main,
    )
    for row in range(-2, 3):
        for column in range(-2, 3):
            x, y, size = 640 + column * 140, 645 + row * 140, 62
            fill = (p.light, p.warm, p.pale)[(row * row + column * column + number) % 3]
            pen.polygon([(x, y - size), (x + size, y), (x, y + size), (x - size, y)], fill=fill)
            disc(pen, x, y, 20, p.deep)


def headphones(pen: Pen, p: Palette, number: int) -> None:
    """Headphones."""
    pen.arc((250, 200, 1030, 1080), 180, 360, fill=p.ink, width=70)
    pen.arc((275, 225, 1005, 1055), 195, 345, fill=p.light, width=20)
    for left in (190, 870):
        pen.rounded_rectangle((left, 610, left + 220, 1010), 100, fill=p.main)
        inner = left + 110 if left < 640 else left
        pen.rounded_rectangle((inner, 640, inner + 110, 980), 55, fill=p.dark)
        disc(pen, left + (60 if left < 640 else 160), 810, 34, (p.warm, p.cream)[number % 2])


def speaker(pen: Pen, p: Palette, number: int) -> None:
    """A small loudspeaker with a handle."""
    pen.arc((440, 170, 840, 570), 180, 360, fill=p.ink, width=40)
    pen.rounded_rectangle((330, 350, 950, 1090), 110, fill=p.main)
    pen.rounded_rectangle((390, 410, 890, 1030), 80, fill=p.deep)
    for y, radius in ((560, 100), (830, 165)):
        disc(pen, 640, y, radius, p.light)
        disc(pen, 640, y, radius * 0.74, p.ink)
        disc(pen, 640, y, radius * 0.3, (p.warm, p.light)[number % 2])


def lamp(pen: Pen, p: Palette, number: int) -> None:
    """A table lamp that is on."""
    pen.rectangle((615, 620, 665, 1000), fill=p.ink)
    if number % 2:
        disc(pen, 640, 860, 130, p.main)
        disc(pen, 600, 820, 40, p.light)
    pen.rounded_rectangle((430, 1000, 850, 1080), 36, fill=p.deep)
    disc(pen, 640, 640, 240, (255, 236, 170), 0.2)
    pen.polygon([(470, 230), (810, 230), (970, 650), (310, 650)], fill=p.main)
    for step in range(1, 6):
        pen.line([(470 + step * 57, 230), (310 + step * 110, 650)], fill=p.light, width=16)
    pen.polygon([(322, 615), (958, 615), (970, 650), (310, 650)], fill=p.warm)


def soap(pen: Pen, p: Palette, number: int) -> None:
    """A bar of soap, or a candle in a glass."""
    if number % 2:
        pen.polygon([(640, 210), *arc((640, 330), (58, 80), -40, 220)], fill=p.warm)
        pen.line([(640, 370), (640, 460)], fill=p.ink, width=14)
        pen.rounded_rectangle((390, 430, 890, 1090), 70, fill=p.pale)
        pen.rounded_rectangle((430, 520, 850, 1050), 50, fill=p.main)
        pen.rounded_rectangle((480, 680, 800, 900), 20, fill=p.cream)
        leaf(pen, (640, 880), 0, 180, p.light, p.dark)
        return
    pen.rounded_rectangle((220, 560, 1060, 1020), 150, fill=p.dark)
    pen.rounded_rectangle((220, 520, 1060, 950), 150, fill=p.main)
    pen.rounded_rectangle((300, 590, 980, 880), 100, fill=p.light)
    for angle in (-50, 0, 50):
        leaf(pen, (640, 830), angle, 200, p.pale, p.dark)
    for x, y, radius in (
        (330, 430, 60),
        (450, 350, 40),
        (880, 400, 75),
        (990, 300, 36),
        (760, 320, 28),
    ):
        disc(pen, x, y, radius, p.cream)
        disc(pen, x - radius * 0.3, y - radius * 0.3, radius * 0.28, (255, 255, 255))


def notebook(pen: Pen, p: Palette, number: int) -> None:
    """A notebook with a ribbon and a pencil."""
    pen.rounded_rectangle((350, 240, 920, 1090), 40, fill=p.cream)
    pen.rounded_rectangle((330, 220, 890, 1070), 40, fill=p.main)
    pen.rectangle((330, 240, 420, 1050), fill=p.dark)
    if number % 2:
        for row in range(6):
            pen.arc((480, 330 + row * 100, 680, 530 + row * 100), 0, 180, fill=p.light, width=18)
            pen.arc((660, 330 + row * 100, 860, 530 + row * 100), 0, 180, fill=p.pale, width=18)
    else:
        pen.rounded_rectangle((500, 380, 810, 560), 24, fill=p.cream)
        pen.rounded_rectangle((540, 440, 770, 464), 12, fill=p.light)
        leaf(pen, (650, 980), -20, 300, p.light, p.dark)
        leaf(pen, (660, 980), 25, 260, p.pale, p.dark)
    pen.polygon([(760, 220), (820, 220), (820, 420), (790, 385), (760, 420)], fill=p.accent)
    shaft: Sequence[Point] = [(955, 300), (1025, 300), (1025, 900), (955, 900)]
    pen.polygon(shaft, fill=p.warm)
    pen.polygon([(955, 900), (1025, 900), (990, 1010)], fill=p.cream)
    pen.polygon([(978, 972), (1002, 972), (990, 1010)], fill=p.ink)
    pen.rounded_rectangle((955, 240, 1025, 310), 16, fill=p.accent)


#: The things that the demo can draw, by their word in the list of products.
THINGS: dict[str, Callable[[Pen, Palette, int], None]] = {
    thing.__name__: thing
    for thing in (
        shirt,
        shoe,
        bag,
        pouch,
        cup,
        jar,
        bottle,
        plate,
        mug,
        plant,
        cushion,
        headphones,
        speaker,
        lamp,
        soap,
        notebook,
    )
}
