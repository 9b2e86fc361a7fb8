"""Bytes that are no UTF-8 to an encoding of one byte a letter, told by the letters of languages.

Windows-1252 (western languages) and Windows-1254 (Turkish) give most bytes the same letters. Any
byte has some letter in any such encoding, so that a wrong one reads nonsense without a word. So one
is taken only where it makes what people write: the letters of a few languages that are written in
it, and no signs amid words. Chinese, Russian, Polish, Czech and others in their old encodings make
neither.
"""

import re
from collections import Counter
from itertools import combinations

WESTERN = "cp1252"
TURKISH = "cp1254"

_LANGUAGES = [
    frozenset(letters + letters.upper().replace("SS", "ß"))
    for letters in (
        "àâæçéèêëîïôœùûüÿ",  # French
        "äöüß",  # German
        "áéíóúüñ",  # Spanish
        "ãáâàçéêíóôõúü",  # Portuguese
        "àèéìíîòóùú",  # Italian
        "éëïöüèáóê",  # Dutch
        "åäöæøéü",  # Danish, Norwegian, Swedish, Finnish
        "àçèéíïòóúü",  # Catalan
    )
]
_SHOPS = [frozenset().union(*some) for some in combinations(_LANGUAGES, 3)]
_ICELANDIC = frozenset("áéíóúýþæöðÁÉÍÓÚÝÞÆÖÐ")
_TURKISH = frozenset("çğıöşüâîûÇĞİÖŞÜÂÎÛ")
#: Bytes that are ğ ı ş and their capitals for Turks, and letters of Icelandic alone for others.
_EITHER = re.compile(b"[\xd0\xdd\xde\xf0\xfd\xfe]")
#: Signs that stand within words of western languages: quotes, dashes, the Catalan dot, a soft
#: hyphen.
_WITHIN_WORDS = frozenset("\u2018\u2019\u2013\u2014\u00b7\u00ad\u00a0\u00aa\u00ba\u2026\u20ac")
_SIGN_IN_WORD = re.compile(r"(?<=[A-Za-z])[^A-Za-z\x00-\x7f](?=[a-z])")
_RUN = re.compile(rb"[\x80-\xff]{3,}")
#: Which part of the letters may be of other languages: names of foreign brands.
_STRANGE = 0.1


def encoding_of(sample: bytes) -> str | None:
    """The encoding that makes words of the sample, or None where none does."""
    high = sum(byte >= 0x80 for byte in sample)
    if sum(map(len, _RUN.findall(sample))) * 2 > high:
        return None
    if _EITHER.search(sample):
        for encoding, alphabet in ((TURKISH, _TURKISH), (WESTERN, _ICELANDIC)):
            if _makes_words(sample, encoding, [alphabet]):
                return encoding
        return None
    return WESTERN if _makes_words(sample, WESTERN, _SHOPS) else None


def _makes_words(sample: bytes, encoding: str, alphabets: list[frozenset[str]]) -> bool:
    """Whether the letters are nearly all of one of the alphabets, and the signs stand between
    words.
    """
    text = sample.decode(encoding, "replace")
    strange = sum(
        not sign[0].isalpha() and sign[0] not in _WITHIN_WORDS
        for sign in _SIGN_IN_WORD.findall(text)
    )
    letters = Counter(
        sign for sign in text if sign > "\x7f" and sign.isalpha() and sign not in "ªº"
    )
    total = sum(letters.values())
    if strange > _STRANGE * (total + strange) or (
        letters["õ"] and letters["û"]
    ):  # ő and ű of Hungarian
        return False
    outside = min(
        sum(count for sign, count in letters.items() if sign not in alphabet)
        for alphabet in alphabets
    )
    return outside <= _STRANGE * total
