"""Texts as they may come in: NFC, without control characters."""

import re
from typing import Any

from marketplace.text.nfc import TooManyMarks, nfc

#: Category Cc, with and without the line break, return and tab.
_CONTROLS_AND_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Wrong(ValueError):
    """A value that is refused: a stable code and words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")


def text(value: Any, *, multiline: bool) -> str:
    """Return the text in NFC; refuse control characters, except line breaks, returns and tabs in
    texts of several lines.
    """
    if not isinstance(value, str):
        raise Wrong("wrong_type", "must be a text")
    require_encodable(value)
    try:
        normal = nfc(value)
    except TooManyMarks:
        raise Wrong("too_many_marks", "has more than 200 accents on one letter") from None
    if (_CONTROLS if multiline else _CONTROLS_AND_BREAKS).search(normal):
        raise Wrong("control_character", "must not have control characters")
    return normal


def require_encodable(value: str) -> None:
    """Refuse half a surrogate pair, which UTF-8 has no form for."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Wrong("bad_format", "must not have half a surrogate pair") from None
