"""Unicode's normal form C, safe from texts made to be slow."""

import re
import unicodedata
from functools import lru_cache


class TooManyMarks(ValueError):
    """More than 200 combining marks on one letter: normalising sorts them in the square of their
    number.
    """

    def __init__(self) -> None:
        super().__init__("has more than 200 accents on one letter")


def nfc(text: str) -> str:
    """Return the text in NFC. Raises TooManyMarks."""
    if unicodedata.is_normalized("NFC", text):
        return text
    if _marks().search(text):
        raise TooManyMarks
    return unicodedata.normalize("NFC", text)


@lru_cache(maxsize=1)
def _marks() -> re.Pattern[str]:
    marks = [chr(code) for code in range(0x300, 0x20000) if unicodedata.combining(chr(code))]
    return re.compile(f"[{''.join(marks)}]{{201}}")
