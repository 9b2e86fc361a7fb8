"""Texts of one line, as people type and paste them: blanks at the ends, and signs that nobody
sees.
"""

import re
import unicodedata

#: Blanks, and what shows as nothing: at the ends of a text they mean nothing.
_ENDS = (
    " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]").search
_UNSEEN = frozenset("\u00ad\u034f\u115f\u1160\u3164\uffa0")


def stripped(text: str) -> str:
    """Return the text without blanks around it, those that nobody sees too."""
    return text.strip() if text.isascii() else text.strip(_ENDS)


def turns(text: str) -> bool:
    """Whether a sign of the text turns it around, so that it reads as another text."""
    return not text.isascii() and bool(_TURNING(text))


def has_invisible(text: str) -> bool:
    """Whether a sign of the text cannot be seen: two keys that differ by it look the same."""
    return not text.isascii() and any(_unseen(sign) for sign in text)


def is_seen(text: str) -> bool:
    """Whether anything of the text can be seen."""
    return not all(sign.isspace() or _unseen(sign) for sign in text)


def _unseen(sign: str) -> bool:
    return (
        sign in _UNSEEN
        or unicodedata.category(sign) in ("Cf", "Cc")
        or "\ufe00" <= sign <= "\ufe0f"
    )
