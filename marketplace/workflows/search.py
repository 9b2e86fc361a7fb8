"""Finding products by words: what was typed is understood, and where little is found, corrected.

How words are folded, stemmed and ranked is in sql/migrations/V0008__search.sql and
sql/queries/search.sql.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from marketplace.postgres.pool import Conn, Row
from marketplace.queries import search
from marketplace.queries.products import Listing
from marketplace.queries.search import Question

#: Candidates that are ranked; matches past that are not counted.
CANDIDATES = 1000
#: With fewer whole matches, relevance goes on with products that have only some of the words.
FEW = 20
#: With fewer whole matches, words that hardly any product has are taken for misspelt.
LITTLE = 5
RARE = 2
SHORTEST_CORRECTED = 4
#: How many products the rarest words may find together, when any word will do.
ANY_WORD = 900
#: A word that more products have is looked for in the newest ones only.
COMMON = 25_000
#: Products to a place of the catalogue (#n), as search_filters has it.
PLACE = 8192
_FILTERS = {"category_id": "#c", "brand_id": "#b", "store_id": "#s"}


class Found(NamedTuple):
    """A page of what was found; `matches` is at most CANDIDATES, and only `exact` when that is
    all there is; the `ids` of all of them, where they were asked for.
    """

    rows: list[Any]
    matches: int
    exact: bool
    ids: list[int]


def find(conn: Conn, listing: Listing, *, with_ids: bool = False) -> Found:
    """The products that the words of `listing.filters["search"]` find."""
    rows, words = _search(conn, listing, with_ids=with_ids)
    matches = rows[0].matches if rows else 0
    exact = matches < CANDIDATES and _rarest(words) <= COMMON
    ids = (rows[0].ids or []) if rows else []
    return Found([row for row in rows if row.document is not None], matches, exact, ids)


def candidates(conn: Conn, listing: Listing) -> list[int]:
    """Ids of all that they find, at most CANDIDATES."""
    return find(conn, listing._replace(limit=0, offset=0), with_ids=True).ids


def _search(conn: Conn, listing: Listing, *, with_ids: bool = False) -> tuple[list[Any], list[Row]]:
    """Rows of search.find, and the words they are found by."""
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
    """What they find; empty, without asking the index again, where none of them finds anything."""
    typed = [word for word in words if word["role"] == "typed" and word["found"]]
    if not typed:
        return []
    return search.find(conn, listing.values(), _question(words, listing.sort), with_ids=with_ids)


def _asked(listing: Listing) -> dict[str, Any]:
    """What is typed, and the filters that the index knows."""
    filters = listing.filters
    typed, left_out = _split(filters["search"])
    return {
        "typed": typed,
        "left_out": left_out,
        "filters": [f"{mark}{filters[name]}" for name, mark in _FILTERS.items() if name in filters],
        "prices": (filters.get("min_price"), filters.get("max_price")),
    }


def _split(text: str) -> tuple[str, str]:
    """What is looked for, and what is left out: the words behind a minus sign."""
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
    """The queries that find what was typed, which is one word at least."""
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
    """The newest places of the catalogue, where all of these words are common."""
    if _rarest(words) <= COMMON:
        return []
    newest = words[0]["newest_id"] // PLACE
    return ["(" + " | ".join(f"'#n{newest - step}'" for step in range(-(-COMMON // PLACE))) + ")"]


def _rare(words: Sequence[Row]) -> list[Row]:
    """The rarest words that are found at all, as many as find ANY_WORD products together, and
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
