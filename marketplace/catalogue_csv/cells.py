"""Cells to texts, links, and paths of categories. Each function raises BadCell for
an invalid cell.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from marketplace.catalogue_csv.encoding import NUL, UNDECODABLE
from marketplace.catalogue_csv.model import CATEGORY_DEPTH, CATEGORY_LENGTH, LINK_LENGTH, BadCell
from marketplace.text.lines import folded, has_invisible, stripped, turns
from marketplace.text.messages import say
from marketplace.text.nfc import TooManyMarks, nfc

_BREAKS = re.compile(r"[\t\r\n]+")
_LONE_CR = re.compile(r"\r(?!\n)")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINK = re.compile(r"https?://[A-Za-z0-9.-]*[A-Za-z0-9](?::[0-9]{1,5})?(?:[/?#][!-~]*)?\Z").match
_PATH_LENGTH = 4000
_YES = {"yes", "y", "true", "t", "1", "ya"}
_NO = {"no", "n", "false", "f", "0", "tidak"}
#: How a spreadsheet shows a long number, its own errors, and a column that is too narrow.
_SHORTENED = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{2,3}\Z").match
#: Of a text, this has lost no digit: a spreadsheet shows up to eleven of them as they are.
_WRITTEN = re.compile(r"[+-]?[0-9][Ee]\+(?:0[0-9]|10)\Z").match
_BROKEN = re.compile(
    r"#(?:REF!|N/A|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|CALC!|ERROR!|#+)\Z"
).match
_STEP = re.compile(r"(?:\\.|[^>])+", re.DOTALL)
_ESCAPE = re.compile(r"\\([\\>])")


def read_line(cell: str, limit: int) -> str:
    """Return a text of one line, NFC, without blanks around; line breaks and tabs in it become
    single blanks.
    """
    text = cell.strip()
    if not (text.isprintable() and text.isascii()):
        text = _BREAKS.sub(" ", stripped(_clean(text, limit)))
        if turns(text):
            raise BadCell("control_character", "must not have signs that turn the text around")
    if len(text) > limit:
        raise _too_long(len(text), limit)
    return text


def read_prose(cell: str, limit: int) -> str:
    """Return a text that may have line breaks and tabs, NFC, without blanks around."""
    text = cell.strip()
    if not (text.isprintable() and text.isascii()):
        text = _LONE_CR.sub("\n", _clean(text, limit))
    if len(text) > limit:
        raise _too_long(len(text), limit)
    return text


def read_whole(cell: str, limit: int) -> str:
    """Return a text of one line that no spreadsheet has broken."""
    text = read_line(cell, limit)
    if not _WRITTEN(text):
        refuse_broken(text)
    return text


def read_key(cell: str, limit: int) -> str | None:
    """Return a key text: all of its characters are visible."""
    key = read_whole(cell, limit)
    if has_invisible(key):
        raise BadCell("invisible_character", "has invisible signs; type it again")
    return key or None


def refuse_broken(text: str) -> None:
    """Refuse a cell that a spreadsheet wrote in place of its content."""
    if text[:1] == "#" and _BROKEN(text):
        raise BadCell(
            "spreadsheet_value",
            "is an error of the spreadsheet; correct it there and save the file again",
        )
    if "+" in text[-4:] and _SHORTENED(text):
        words = (
            "was shortened by a spreadsheet, digits are lost; format the column as text and "
            "save the file again"
        )
        raise BadCell("spreadsheet_value", words)


def read_link(cell: str) -> str:
    """Return an absolute http(s) link, unchanged."""
    link = read_line(cell, LINK_LENGTH)
    if _LINK(link):
        return link
    try:
        parts = urlsplit(link)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise BadCell("invalid_url", "must be a link that begins with http:// or https://")
    if re.search(r"\s", link):
        raise BadCell("invalid_url", "must not have blanks; write %20 for them")
    return link


def read_path(cell: str) -> tuple[str, ...]:
    """Return the names of a path such as `Home > Kitchen > Pans` (`->` works too), from the top
    down.

    A name with `>` or a backslash in it has a backslash before that, as `write_path` writes it.
    """
    if len(cell) > _PATH_LENGTH:
        raise _too_long(len(cell), _PATH_LENGTH)
    return _read_path(cell)


@lru_cache(maxsize=1024)
def _read_path(cell: str) -> tuple[str, ...]:
    *upper, last = _STEP.findall(cell) or [""]
    steps = [*(step.removesuffix("-") for step in upper), last]
    names = [folded(read_whole(_ESCAPE.sub(r"\1", step), CATEGORY_LENGTH)) for step in steps]
    path = tuple(name for name in names if name)
    if len(path) > CATEGORY_DEPTH:
        words = say(
            "is a path of {count} categories; {most} are possible",
            count=len(path),
            most=CATEGORY_DEPTH,
        )
        raise BadCell("category_too_deep", words)
    return path


def write_path(names: Iterable[str]) -> str:
    """Return a path of categories as a cell that `read_path` reads back."""
    return " > ".join(re.sub(r"([\\>])", r"\\\1", name) for name in names)


def read_hidden(cell: str) -> bool | None:
    """Return whether the product is to be hidden: yes or no in the words of spreadsheets; None for
    an empty cell.
    """
    word = cell.strip().lower()
    if not word:
        return None
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise BadCell("invalid_hidden", "must be yes or no")


def read_id(cell: str) -> int | None:
    """Return the number of a product, 1 to 18 digits; None for an empty cell."""
    digits = cell.strip()
    if not digits:
        return None
    if len(digits) > 18 or not (digits.isascii() and digits.isdigit()):
        raise BadCell("invalid_id", "must be the number of a product, as the export wrote it")
    return int(digits)


def _clean(text: str, limit: int) -> str:
    """Return the text in NFC, if all of it is text. A text that is far too long is refused before
    that work.
    """
    if NUL in text or _CONTROL.search(text):
        raise BadCell("control_character", "must not have control characters, such as NUL")
    if UNDECODABLE.search(text):
        raise BadCell("invalid_encoding", "has bytes that are no text; save the file as CSV UTF-8")
    if len(text) > 4 * limit:
        raise _too_long(len(text), limit)
    try:
        return nfc(text)
    except TooManyMarks:
        raise BadCell("too_many_marks", "has more than 200 accents on one letter") from None


def _too_long(length: int, limit: int) -> BadCell:
    words = say(
        "must be at most {most} characters long, and has {length}",
        most=f"{limit:,}",
        length=f"{length:,}",
    )
    return BadCell("too_long", words)
