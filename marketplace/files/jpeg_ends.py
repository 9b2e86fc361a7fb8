"""JPEG files that lack only the mark of their end, which every browser shows; and the marks inside
a JPEG.

A file that ends too early is whole if all scans are there, and if nothing after its last byte could
change any pixel (ITU-T T.81, annexes B and F).
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from marketplace.files.image_rules import too_many_pieces

START_OF_SCAN, END, RESTART_INTERVAL = 0xDA, 0xD9, 0xDD
SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1), 0xC2
COEFFICIENTS = range(64)
MAX_SEGMENTS = 20_000  # a photo has some dozens
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
#: Neither the first byte of a marker nor the second one of a stuffed byte.
_NOISE = bytes(1 + 89 * number % 254 for number in range(254))
_OTHER_NOISE = bytes(255 - byte for byte in _NOISE)
_END = bytes((0xFF, END))


class Segment(NamedTuple):
    """A marker, the content of its segment, and the bytes from there to the next marker."""

    marker: int
    content: bytes
    rest: slice


class _Frame(NamedTuple):
    """The image as its header describes it; sampling factors across and down by the component's
    number.
    """

    progressive: bool
    width: int
    height: int
    sampling: dict[int, tuple[int, int]]

    def units(self, components: list[int]) -> int:
        """Return how many units (MCUs) a scan of these components has; a restart interval counts
        them.
        """
        widest = max(across for across, _ in self.sampling.values())
        highest = max(down for _, down in self.sampling.values())
        if len(components) > 1:
            return _up(self.width, 8 * widest) * _up(self.height, 8 * highest)
        across, down = self.sampling[components[0]]
        return _up(_up(self.width * across, widest), 8) * _up(_up(self.height * down, highest), 8)


def segments(data: bytes) -> Iterator[Segment]:
    """Yield the segments after the start of the image, to the mark of the end if there is one."""
    found = _MARKER.search(data, 2)
    for _ in range(MAX_SEGMENTS):
        if found is None:
            return
        start = found.end()
        end = start + int.from_bytes(data[start : start + 2], "big")
        following = _MARKER.search(data, end)
        rest = slice(end, following.start() if following else len(data))
        yield Segment(found[1][0], data[start + 2 : end], rest)
        if found[1][0] == END:
            return
        found = following
    raise too_many_pieces()


def lacks_only_its_end(data: bytes) -> bool:
    """Return whether there is no mark of the end, and yet all scans of all components, down to
    their last bit plane, with all of their restart markers. Raises ValueError, KeyError,
    struct.error for a file that is no JPEG.
    """
    frame = _Frame(False, 0, 0, {})
    missing: dict[int, set[int]] = {}
    interval = 0
    for marker, content, rest in segments(data):
        if marker == END:
            return False
        if marker in SEQUENTIAL or marker == PROGRESSIVE:
            frame = _frame(marker, content)
            missing = {component: set(COEFFICIENTS) for component in frame.sampling}
        if marker == RESTART_INTERVAL:
            (interval,) = struct.unpack(">H", content)
        if marker == START_OF_SCAN:
            count = content[0]
            components = list(content[1 : 1 + 2 * count : 2])
            if interval:
                had_restarts = sum(1 for _ in _RESTART.finditer(data, rest.start, rest.stop))
                if had_restarts < _up(frame.units(components), interval) - 1:
                    return False
            first, last, planes = content[1 + 2 * count : 4 + 2 * count]
            had = range(first, last + 1) if frame.progressive else COEFFICIENTS
            if not frame.progressive or planes & 15 == 0:
                for component in components:
                    missing[component].difference_update(had)
    return bool(missing) and not any(missing.values())


def endings(data: bytes) -> Iterator[bytes]:
    """Yield the file with the mark of its end, in several ways: those of a whole file show the same
    pixels.
    """
    body = data.rstrip(b"\xff")
    for rest in (b"", _NOISE, _OTHER_NOISE):
        yield body + rest + _END


def _frame(marker: int, content: bytes) -> _Frame:
    _, height, width, _ = struct.unpack_from(">BHHB", content)
    sampling = {
        content[at]: (content[at + 1] >> 4, content[at + 1] & 15)
        for at in range(6, len(content), 3)
    }
    return _Frame(marker == PROGRESSIVE, width, height, sampling)


def _up(whole: int, part: int) -> int:
    return -(-whole // part)
