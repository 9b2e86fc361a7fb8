"""The options of variants: what a product's kinds differ by, such as a colour and a size."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from marketplace.catalogue_csv.cells import read_whole
from marketplace.catalogue_csv.model import OPTION_LENGTH, OPTIONS, OPTIONS_BYTES, BadCell
from marketplace.text.messages import say

#: The value of an option that one variant lacks and others of its product have.
ANY = "-"
#: Around a value in the text of an array: quotes and a comma.
_AROUND = 3
Pairs = tuple[tuple[str, str], ...]


def read_options(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Return names and values of options as variants have them: of more than three, the last are
    one.
    """
    return _merged(tuple((_read(name), _read(value)) for name, value in pairs))


@lru_cache(maxsize=4096)
def _read(cell: str) -> str:
    return read_whole(cell, OPTION_LENGTH)


def _merged(pairs: Pairs) -> Pairs:
    if len(pairs) > OPTIONS:
        rest = pairs[OPTIONS - 1 :]
        last = tuple(" / ".join(parts) for parts in zip(*rest, strict=True))
        pairs = (*pairs[: OPTIONS - 1], (last[0], last[1]))
    for side in (0, 1):
        _require_room([pair[side] for pair in pairs])
    return pairs


def _require_room(texts: Sequence[str]) -> None:
    """Raise BadCell if an index has no room for them."""
    size = sum(len(text.encode()) + text.count("\\") + text.count('"') + _AROUND for text in texts)
    if size > OPTIONS_BYTES or any(len(text) > OPTION_LENGTH * 3 for text in texts):
        words = say(
            "the options are too long; make them shorter than {most} characters each", most=100
        )
        raise BadCell("too_long", words)
