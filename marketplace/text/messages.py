"""Texts for people, in their language: English, or one that Accept-Language prefers and that has a
catalogue here.

A text is an English template. One with values is made by say(), which keeps them apart, so that it
can be translated where it is sent; without values the plain text is its own template. A catalogue
is a JSON object, `id.json` for Indonesian: English template -> template. A text that is not in it
stays English.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

ENGLISH = "en"
#: Languages of ours, the default first.
LANGUAGES = (ENGLISH, "id")
#: Instead of one, where it is not known which one is read: all of them.
EVERY = "all"
#: Language of Accept-Language -> ours. `in` is what Java called Indonesian, and older Android
#: phones still do.
_OURS = {"en": ENGLISH, "id": "id", "in": "id", "*": ENGLISH}
#: A language range and its weight. `in_ID` is no range, but Java's Locale.toString() gives it, and
#: apps send it.
_RANGE = re.compile(
    r"\s*([A-Za-z]{1,8}|\*)(?:[-_][A-Za-z0-9_-]{1,60})?\s*"
    r"(?:;\s*[qQ]\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*)?\Z"
)
_LONGEST = 1000


class Text(str):
    """A text in English that knows its template and values."""

    template: str
    values: Mapping[str, Any]

    def spoken(self, language: str) -> str:
        """Return the text in a language. Values that are texts of ours are translated too."""
        template = catalogue(language).get(self.template, self.template)
        if not self.values:
            return template
        return template.format_map(
            {
                name: value.spoken(language) if isinstance(value, Text) else value
                for name, value in self.values.items()
            }
        )


class Sentence(Text):
    """A text in the form of a sentence: with a capital and a full stop."""

    def spoken(self, language: str) -> str:
        """Return the sentence in a language."""
        words = super().spoken(language)
        return f"{words[:1].upper()}{words[1:]}."


def say(template: str, /, **values: Any) -> Text:
    """Return a text from an English template with named values in braces."""
    return _made(Text, template, values)


def sentence(words: str) -> Text:
    """Return the same words as a sentence."""
    return _made(Sentence, words, {})


def together(*texts: str) -> Text:
    """Return several texts, one after the other."""
    values = {f"part{number}": say(text) for number, text in enumerate(texts)}
    return _made(Text, " ".join(f"{{{name}}}" for name in values), values)


def spoken(text: str, language: str) -> str:
    """Return the text of a Problem or FieldError: a Text, or a plain text that is a template
    without values.
    """
    return text.spoken(language) if isinstance(text, Text) else catalogue(language).get(text, text)


def kept(text: str) -> dict[str, Any] | None:
    """Return the parts of a text, ready for JSON; None for one that is its own template.

    They are kept for somebody who will read the text later, in a language nobody knows yet.
    """
    if not isinstance(text, Text) or not text.values:
        return None
    values = {name: _kept(value) for name, value in text.values.items()}
    return {"template": text.template, "values": values}


def of_kept(text: str, said: Mapping[str, Any] | None, language: str) -> str:
    """Return a kept text in a language; one that cannot be made any more stays unchanged."""
    if said is None:
        return spoken(text, language)
    try:
        return _of_kept(said).spoken(language)
    except (KeyError, TypeError, ValueError):  # kept by another release
        return text


def _kept(value: Any) -> Any:
    if isinstance(value, Text):
        return {
            "template": value.template,
            "values": {k: _kept(v) for k, v in value.values.items()},
        }
    return value if isinstance(value, int) else str(value)


def _of_kept(said: Mapping[str, Any]) -> Text:
    values = {
        name: _of_kept(value) if isinstance(value, dict) else value
        for name, value in said["values"].items()
    }
    return say(said["template"], **values)


def negotiate(accept_language: str | None) -> str:
    """Return the language of ours that a client prefers (RFC 9110, 12.5.4); English if it names
    none of them.
    """
    best, quality = ENGLISH, 0.0
    for piece in (accept_language or "")[:_LONGEST].split(","):
        found = _RANGE.match(piece)
        ours = _OURS.get(found[1].lower()) if found else None
        liked = float(found[2] or 1) if found else 0.0
        if ours is not None and liked > quality:
            best, quality = ours, liked
    return best


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Return English template -> template of a language; empty for English."""
    if language == ENGLISH:
        return {}
    file = Path(__file__).with_name(f"{language}.json")
    entries: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return entries


def _made(kind: type[Text], template: str, values: Mapping[str, Any]) -> Text:
    bare = kind.__new__(kind)
    bare.template, bare.values = template, values
    text = str.__new__(kind, bare.spoken(ENGLISH))
    text.template, text.values = template, values
    return text
