"""Finding products by words: the typed text is parsed, and corrected if it finds little.

sql/migrations/V0008__search.sql and sql/queries/search.sql explain how words are folded, stemmed
and ranked.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from marketplace.postgres.pool import Conn, Row
from marketplace.queries import search
from marketplace.queries.products import Listing
from marketplace.queries.search import Question

#: Candidates that are ranked; further matches are not counted.
CANDIDATES = 1000
#: With fewer whole matches, relevance goes on with products that have only some of the words.
FEW = 20
#: With fewer whole matches, words that hardly any product has count as misspelt.
LITTLE = 5
RARE = 2
SHORTEST_CORRECTED = 4
#: How many products the rarest words may find together, when any word will do.
ANY_WORD = 900
#: A word that more products have is searched in the newest ones only.
COMMON = 25_000
#: Products to a place of the catalogue (#n), as in search_filters.
PLACE = 8192
_FILTERS = {"category_id": "#c", "brand_id": "#b", "store_id": "#s"}


class Found(NamedTuple):
    """A page of matches. `matches` is at most CANDIDATES, and `exact` only if that is all there is;
    `ids` of all of them, if they were requested.
    """

    rows: list[Any]
    matches: int
    exact: bool
    ids: list[int]


def find(conn: Conn, listing: Listing, *, with_ids: bool = False) -> Found:
    """Return the products that the words of `listing.filters["search"]` find."""
    rows, words = _search(conn, listing, with_ids=with_ids)
    matches = rows[0].matches if rows else 0
    exact = matches < CANDIDATES and _rarest(words) <= COMMON
    ids = (rows[0].ids or []) if rows else []
    return Found([row for row in rows if row.item is not None], matches, exact, ids)


def candidates(conn: Conn, listing: Listing) -> list[int]:
    """Return the ids of all that they find, at most CANDIDATES."""
    return find(conn, listing._replace(limit=0, offset=0), with_ids=True).ids


def _search(conn: Conn, listing: Listing, *, with_ids: bool = False) -> tuple[list[Any], list[Row]]:
    """Return rows of search.find, and the words they are found by."""
    asked = _asked(listing)
    words = search.understand(conn, **asked)
    doubtful = [word for word in words if _doubtful(word)]
    rows = None
    if all(word["found"] for word in doubtful):
        rows = _find(conn, listing, words, with_ids)
    if doubtful and (not rows or rows[0].whole < LITTLE):
        meant = search.correct(conn, [word["word"] for word in doubtful])
        if meant:
            words = search.understand(conn, **asked, meant=meant)
            rows = None
    if rows is None:
        rows = _find(conn, listing, words, with_ids)
    return rows, words


def _find(conn: Conn, listing: Listing, words: Sequence[Row], with_ids: bool) -> list[Any]:
    """Return what they find; empty, without a second lookup in the index, if none of them finds
    anything.
    """
    typed = [word for word in words if word["role"] == "typed" and word["found"]]
    if not typed:
        return []
    return search.find(conn, listing.values(), _question(words, listing.sort), with_ids=with_ids)


def _asked(listing: Listing) -> dict[str, Any]:
    """Return the typed words, and the filters that the index knows."""
    filters = listing.filters
    typed, left_out = _split(filters["search"])
    return {
        "typed": typed,
        "left_out": left_out,
        "filters": [f"{mark}{filters[name]}" for name, mark in _FILTERS.items() if name in filters],
        "prices": (filters.get("min_price"), filters.get("max_price")),
    }


def _split(text: str) -> tuple[str, str]:
    """Return the included words, and the excluded ones: those behind a minus sign."""
    words = text.split()
    left_out = [word for word in words if word.startswith("-") and word.strip("-")]
    return " ".join(word for word in words if word not in left_out), " ".join(left_out)


def _doubtful(word: Row) -> bool:
    text = word["word"]
    return (
        word["role"] == "typed"
        and word["named"] <= RARE
        and len(text) >= SHORTEST_CORRECTED
        and text.isalpha()
    )


def _rarest(words: Sequence[Row]) -> int:
    return min((int(word["found"]) for word in words if word["role"] != "left out"), default=0)


def _question(words: Sequence[Row], sort: str) -> Question:
    """Return the queries for the typed text, which is one word at least."""
    typed = [word for word in words if word["role"] == "typed"]
    required = [word for word in typed if word["required"]] or typed
    filters = [word for word in words if word["role"] == "filter"]
    limits = [f"({word['forms']})" for word in filters]
    limits += [f"!({word['forms']})" for word in words if word["role"] == "left out"]
    rare = _rare(required)
    return Question(
        all_words=" & ".join(
            [*(f"({word['forms']})" for word in required), *limits, *_newest(required + filters)]
        ),
        any_word=" & ".join(
            [
                "(" + " | ".join(f"({word['forms']})" for word in rare) + ")",
                *limits,
                *_newest(rare[-1:] + filters),
            ]
        ),
        forms=[word["forms"] for word in required],
        rarities=[word["rarity"] for word in required],
        few=FEW if sort == "relevance" else 1,
    )


def _newest(words: Sequence[Row]) -> list[str]:
    """Return the newest places of the catalogue, if all of these words are common."""
    if _rarest(words) <= COMMON:
        return []
    newest = words[0]["newest_id"] // PLACE
    return ["(" + " | ".join(f"'#n{newest - step}'" for step in range(-(-COMMON // PLACE))) + ")"]


def _rare(words: Sequence[Row]) -> list[Row]:
    """Return the rarest words that find anything, as many as find ANY_WORD products together, and
    one at least.
    """
    chosen: list[Row] = []
    found = 0
    for word in sorted(words, key=lambda word: word["found"]):
        if found and found + word["found"] > ANY_WORD:
            break
        chosen.append(word)
        found += word["found"]
    return chosen
