"""The encoding of bytes that are no UTF-8, found by the letters of languages: one byte a letter.

Windows-1252 (western languages) and Windows-1254 (Turkish) give most bytes the same letters. Any
byte has some letter in any such encoding, so a wrong one silently reads nonsense. So one is used
only if the result looks like words: the letters of a few languages that are written in it, and no
signs amid words. Chinese, Russian, Polish, Czech and others in their old encodings pass neither
test.
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
#: Bytes that are ğ ı ş and their capitals in Turkish, and only letters of Icelandic otherwise.
_EITHER = re.compile(b"[\xd0\xdd\xde\xf0\xfd\xfe]")
#: Signs that appear within words of western languages: quotes, dashes, the Catalan dot, a soft
#: hyphen.
_WITHIN_WORDS = frozenset("\u2018\u2019\u2013\u2014\u00b7\u00ad\u00a0\u00aa\u00ba\u2026\u20ac")
_SIGN_IN_WORD = re.compile(r"(?<=[A-Za-z])[^A-Za-z\x00-\x7f](?=[a-z])")
_RUN = re.compile(rb"[\x80-\xff]{3,}")
#: The part of the letters that may be of other languages: names of foreign brands.
_STRANGE = 0.1


def encoding_of(sample: bytes) -> str | None:
    """Return the encoding that makes words of the sample, or None if none does."""
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
    """Return whether the letters are nearly all of one of the alphabets, and the signs are between
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
