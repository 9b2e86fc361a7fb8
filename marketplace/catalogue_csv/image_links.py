"""Links to images. A row is never lost for an image that nobody can fetch: that image is left out
and counted.
"""

import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

from marketplace.catalogue_csv.cells import read_link
from marketplace.catalogue_csv.model import IMAGES, BadCell
from marketplace.text.messages import say

NOTE = "pictures_left_out"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:").match
#: Several links in a cell of another system; a comma within one link stays.
_BETWEEN = re.compile(r"\||[\s,;]+(?=https?://)", re.IGNORECASE)
#: Text that is no link whatever comes before it; the rest of such a cell may have any sign.
_WITHIN_FILE = re.compile(r"\s*data:", re.IGNORECASE).match
#: Most cells have one link, without any sign that may separate two.
_ONE_LINK = re.compile(
    r"https?://[A-Za-z0-9.-]*[A-Za-z0-9](?::[0-9]{1,5})?(?:[/?#][!-+\--:<-{}~]{0,1900})?\Z"
).match
_PLAIN_SIGNS = "/%?=&#:@!$'()*+,;~"


def link_of(picture: str, base: str) -> str | None:
    """Return the link of an image; file names are below `base`, if there is one. None if it has no
    link.

    Raises BadCell for a cell that is no text.
    """
    text = picture.strip()
    if text.startswith("//"):
        text = f"https:{text}"
    elif base and text and not _SCHEME(text):
        text = f"{base.rstrip('/')}/{quote(text.removeprefix('./').lstrip('/'), safe=_PLAIN_SIGNS)}"
    try:
        return read_link(text.replace(" ", "%20").replace("|", "%7C"))
    except BadCell as error:
        if error.code == "invalid_url":
            return None
        raise


def read_links(cell: str, base: str, notes: Counter[str], *, ours: bool = False) -> tuple[str, ...]:
    """Return the links of a cell, each once, in their order. `ours`: our export wrote it, with only
    `|` between links.
    """
    if _ONE_LINK(cell):
        return (cell,)
    if not cell:
        return ()
    return _kept(cell.split("|") if ours else _pieces(cell), base, notes)


def joined(pictures: Iterable[str], base: str, notes: Counter[str]) -> str:
    """Return the links among the images that a dialect has found, as one cell that `read_links`
    reads.
    """
    pieces = [piece for picture in pictures for piece in _pieces(picture)]
    return "|".join(_kept(pieces, base, notes))


def _pieces(cell: str) -> list[str]:
    return [cell] if _WITHIN_FILE(cell) else _BETWEEN.split(cell)


def _kept(pieces: Iterable[str], base: str, notes: Counter[str]) -> tuple[str, ...]:
    links: dict[str, None] = {}
    for piece in pieces:
        if not piece or piece.isspace():
            continue
        link = link_of(piece, base)
        if link is None:
            notes[NOTE] += 1
        else:
            links[link] = None
    if len(links) > IMAGES:
        words = say("has {count} links; {most} are possible", count=f"{len(links):,}", most=IMAGES)
        raise BadCell("too_many_images", words)
    return tuple(links)
