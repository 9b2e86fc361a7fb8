"""Texts of one line, as people type and paste them: blanks at the ends, and invisible signs."""

import re
import unicodedata

#: Blanks, and invisible signs: at the ends of a text they mean nothing.
_ENDS = (
    " \t\r\n\v\f\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
_RUNS = re.compile(r"[\s\u00a0]+")
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]").search
_SHAPING = re.compile("(?<=[^\x00-\x7f])[\u200c\u200d\ufe0e\ufe0f]")
_UNSEEN = frozenset("\u2800\U0001d159\u00ad\u034f\u115f\u1160\u3164\uffa0")


def stripped(text: str) -> str:
    """Return the text without blanks around it, invisible ones included."""
    return text.strip() if text.isascii() else text.strip(_ENDS)


def folded(text: str) -> str:
    """Return the text without blanks around it, and with one for each run of blanks in it."""
    return " ".join(_RUNS.split(stripped(text)))


def turns(text: str) -> bool:
    """Return whether a sign of the text reverses it, so that it reads as another text."""
    return not text.isascii() and bool(_TURNING(text))


def has_invisible(text: str) -> bool:
    """Return whether a sign of the text is invisible: two keys that differ by it look the same."""
    return not text.isascii() and any(_unseen(sign) for sign in text)


def hides(name: str) -> bool:
    """Whether a name has a sign that cannot be seen; joiners and selectors count where they shape
    the letter or picture before them.
    """
    return has_invisible(_SHAPING.sub("", name))


def is_seen(text: str) -> bool:
    """Return whether any of the text is visible."""
    return not all(sign.isspace() or _unseen(sign) for sign in text)


def _unseen(sign: str) -> bool:
    return (
        sign in _UNSEEN
        or unicodedata.category(sign) in ("Cf", "Cc")
        or "\ufe00" <= sign <= "\ufe0f"
    )
