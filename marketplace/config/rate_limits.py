"""Rate limits as a setting, by class of call."""

import math
from typing import NamedTuple

#: Uses a minute, and at once. Many people may share one address, so limits by address are generous.
DEFAULTS: dict[str, tuple[float, int]] = {
    "read": (60_000, 6_000),
    "search": (30_000, 3_000),
    "quote": (60, 60),
    "write": (1_200, 2_400),
    "upload": (300, 600),
    "import": (30, 300),
    "export": (60, 300),
    "sign-in": (120, 600),
    "register": (60, 300),
    "refresh": (1_200, 2_400),
    "callback": (600, 600),
}


class Limit(NamedTuple):
    """`burst` uses at once, and one more `every` so many seconds."""

    name: str
    every: float
    burst: int

    @property
    def policy(self) -> str:
        """The limit in the form of RateLimit-Policy."""
        return f'"{self.name}";q={self.burst};w={math.ceil(self.burst * self.every)}'


def parsed(text: str) -> dict[str, Limit]:
    """Return the limits of a setting: `off`, or `write=1200/2400,upload=300/600`: uses a minute,
    and at once.

    Classes that are not named keep their default. Raises ValueError.
    """
    if text.strip().lower() == "off":
        return {}
    chosen: dict[str, tuple[float, int]] = dict(DEFAULTS)
    for piece in text.replace(",", " ").split():
        name, _, numbers = piece.partition("=")
        minute, _, burst = numbers.partition("/")
        if (
            name not in DEFAULTS
            or not (minute.isdigit() and (burst or minute).isdigit())
            or int(minute) < 1
        ):
            raise ValueError(piece)
        chosen[name] = (int(minute), max(1, int(burst or minute)))
    return {name: Limit(name, 60 / minute, burst) for name, (minute, burst) in chosen.items()}
