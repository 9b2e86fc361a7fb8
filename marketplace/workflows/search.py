"""Finding products by words: the typed text is parsed, then looked for as typed, with related words
(synonyms), and corrected if it finds little.

sql/migrations/V0008__search.sql, V0174__typed_words.sql and sql/queries/search.sql explain how
words are folded, stemmed, corrected and ranked.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from marketplace.postgres.pool import Conn, Row
from marketplace.queries import search
from marketplace.queries.products import Listing
from marketplace.queries.search import Question

#: Matches that are ranked; further ones are counted only if names have all words, to a thousand.
CANDIDATES = 300
#: With fewer whole matches, relevance goes on with products that have only some of the words.
FEW = 20
#: With fewer products found as typed, words that hardly any product has count as misspelt.
LITTLE = 5
#: How much two typed neighbours count that are neighbours in the name, to the words themselves.
NEIGHBOURS = 0.1
#: From how many words on all but one will do, and up to how many any one may be missing.
MANY = 3
FEW_WORDS = 6
#: How many products the rarest words may find together, when any word will do.
ANY_WORD = 100
#: How many products partial matches have to find: no more ways to match are taken behind that.
ENOUGH = 1000
#: A word that more products have is searched in the newest ones only.
COMMON = 25_000
#: With fewer products that have a word or filter, these are read, and the others checked in them.
DRIVEN = 1000
#: How many products of a common word a page of the index has, and how many products can be read in
#: the time of a page.
PRODUCTS_A_PAGE = 5000
READ = 4
#: Products to a place of the catalogue (#n), as in search_filters.
PLACE = 8192
KINDS = ("related", "corrected")
_FILTERS = {"category_id": "#c", "brand_id": "#b", "store_id": "#s"}


class Found(NamedTuple):
    """A page of matches. `matches` is at most 1,000, and `exact` only below CANDIDATES; `ids` of
    all of them, if they were requested.
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
    """Return rows of search.find, and the words they are found by; no rows, without a second lookup
    in the index, if no word finds anything.
    """
    words = search.understand(conn, **_asked(listing))
    typed = [word for word in words if word["role"] == "typed"]
    if not any(word["found"] or word["related"] or word["corrected"] for word in typed):
        return [], words
    question = _question(words, listing.sort)
    values = listing.values()
    if listing.limit == 0:
        values["sort"] = "newest"  # no page: nothing has to be ranked
    return search.find(conn, values, question, with_ids=with_ids), words


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


def _rarest(words: Sequence[Row]) -> int:
    return min((int(word["found"]) for word in words if word["role"] != "left out"), default=0)


def _finds(word: Row, *kinds: str) -> int:
    """Return about how many products a word finds, with those of its `related` and `corrected`."""
    return max(int(word[name] or 0) for name in ("found", *(f"{kind}_found" for kind in kinds)))


def _forms(word: Row, *kinds: str) -> str:
    """Return a word as a query, with those of its `related` and `corrected` words."""
    return " | ".join(filter(None, [word["forms"], *(word[kind] for kind in kinds)]))


def _question(words: Sequence[Row], sort: str) -> Question:
    """Return the queries for the typed text, which is one word at least."""
    typed = [word for word in words if word["role"] == "typed"]
    required = [word for word in typed if word["required"]] or typed
    filters = [word for word in words if word["role"] == "filter"]
    limits = [f"({word['forms']})" for word in filters]
    limits += [f"!({word['forms']})" for word in words if word["role"] == "left out"]
    by_relevance = sort == "relevance"
    ways = _ways(required)
    return Question(
        all_words=_all(required, filters, limits),
        related=_wider(required, filters, limits, "related"),
        corrected=_wider(required, filters, limits, *KINDS),
        any_word=_some(ways, filters, limits),
        driver=_driver(required, ways, filters),
        partial_driver=_partial_driver(required, ways, filters, limits),
        forms=[_forms(word, "related", "corrected") for word in required],
        rarities=[word["rarity"] for word in required],
        neighbours=[f"{_literal(one)} <-> {_literal(next_)}" for one, next_ in pairwise(typed)],
        bonuses=[NEIGHBOURS * (one["rarity"] + next_["rarity"]) for one, next_ in pairwise(typed)],
        little=LITTLE if by_relevance else 1,
        few=FEW if by_relevance else 1,
    )


def _literal(word: Row) -> str:
    """Return a word as it stands in a name. Folded words have letters, digits and points alone."""
    return f"'{word['word']}':A"


def _all(words: Sequence[Row], filters: Sequence[Row], limits: Sequence[str], *kinds: str) -> str:
    """Return the query for all words; the newest places of the catalogue if all are common."""
    ways = [f"({_forms(word, *kinds)})" for word in words]
    return " & ".join([*ways, *limits, *_newest([*words, *filters], *kinds)])


def _wider(
    words: Sequence[Row], filters: Sequence[Row], limits: Sequence[str], *kinds: str
) -> str | None:
    """Return the query for all words with what they may stand for; None if that is no more."""
    others = [word[kind] for word in words for kind in kinds if word[kind]]
    if not others:
        return None
    # One of the others is there, or all are as typed, which was looked for before: the index finds
    # it sooner by what is rare.
    return _all(words, filters, [f"({' | '.join(others)})", *limits], *kinds)


def _ways(words: Sequence[Row]) -> list[list[Row]]:
    """Return what partial matches have: the rarest words, or all of some words but one."""
    rare = _rare(words)
    ways = [[word] for word in rare]
    if len(rare) == 1 and len(words) >= MANY:
        if _found_in_any_sense(rare[0]) > ANY_WORD and len(words) <= FEW_WORDS:
            return _all_but_one(words)
        ways.append([word for word in words if word is not rare[0]])
    return ways


def _some(ways: Sequence[Sequence[Row]], filters: Sequence[Row], limits: Sequence[str]) -> str:
    """Return the query for all words of one of the ways; what all ways have stands in front."""
    shared = [word for word in ways[0] if all(word in way for way in ways)] if len(ways) > 1 else []
    if any(len(way) == len(shared) for way in ways):
        shared = []
    front = [f"({_forms(word, *KINDS)})" for word in shared]
    each = [
        " & ".join(f"({_forms(word, *KINDS)})" for word in way if word not in shared)
        for way in ways
    ]
    newest = [_newest([*way, *filters], *KINDS) for way in ways]
    if all(newest):
        front += newest[0]
    else:
        each = [" & ".join([way, *places]) for way, places in zip(each, newest, strict=True)]
    return " & ".join([*front, _any_of(each), *limits])


def _driver(
    words: Sequence[Row], ways: Sequence[Sequence[Row]], filters: Sequence[Row]
) -> str | None:
    """Return the query for the filter that fewest products match, or for the rarest words of all
    ways; None if these are many, or if the index finds sooner which of them have the others.
    """
    rarest = {
        (word["word"], word["forms"]): word
        for word in (min(way, key=_found_in_any_sense) for way in (words, *ways))
    }.values()
    reads = sum(map(_found_in_any_sense, rarest))
    query = " | ".join(_forms(word, *KINDS) for word in rarest)
    narrow = min(filters, key=_finds, default=None)
    if narrow is not None and _finds(narrow) < reads:
        reads, query = _finds(narrow), narrow["forms"]
    if reads >= DRIVEN or READ * (1 + len(ways)) * _pages(words, reads) < reads:
        return None
    return f"({query})"


def _partial_driver(
    words: Sequence[Row],
    ways: Sequence[Sequence[Row]],
    filters: Sequence[Row],
    limits: Sequence[str],
) -> str | None:
    """Return the query for three of the four rarest words, which all have that have all words but
    one; None if that may be many, or if the newest places of the catalogue are searched alone.
    """
    if len(words) <= MANY + 1 or len(ways) == 1:
        return None
    if any(len(way) != len(words) - 1 or _newest([*way, *filters], *KINDS) for way in ways):
        return None
    rarest = sorted(words, key=_found_in_any_sense)[: MANY + 1]
    threes = [[word for word in rarest if word is not left_out] for left_out in rarest]
    if sum(_expected([*three, *filters]) for three in threes) >= DRIVEN:
        return None
    each = (" & ".join(f"({_forms(word, *KINDS)})" for word in three) for three in threes)
    return " & ".join([_any_of(each), *limits])


def _any_of(queries: Iterable[str]) -> str:
    """Return the query for what one of these finds."""
    return "(" + " | ".join(f"({query})" for query in queries) + ")"


def _pages(words: Sequence[Row], most: int) -> int:
    """Return about how many pages of the index it reads to find which of `most` products have these
    words.
    """
    return sum(
        (1 + _forms(word, *KINDS).count("|"))
        * min(most, 1 + _found_in_any_sense(word) // PRODUCTS_A_PAGE)
        for word in words
    )


def _found_in_any_sense(word: Row) -> int:
    return _finds(word, *KINDS)


def _all_but_one(words: Sequence[Row]) -> list[list[Row]]:
    """Return the words without one of them, for as many of them as find enough together: without
    the most common first, so that what is rare is found, and very common words alone are not read.
    """
    ways: list[list[Row]] = []
    enough = 0.0
    for left_out in sorted(words, key=_found_in_any_sense, reverse=True):
        way = [word for word in words if word is not left_out]
        ways.append(way)
        enough += _expected(way)
        if enough > ENOUGH:
            break
    return ways


def _expected(words: Sequence[Row]) -> float:
    """Return about how many products have all words, if they do not go together."""
    there = max(int(words[0]["newest_id"] or 0), 1)
    return there * math.prod(min(_found_in_any_sense(word) / there, 1) for word in words)


def _newest(words: Sequence[Row], *kinds: str) -> list[str]:
    """Return the newest places of the catalogue, if all of these words are common."""
    if min(_finds(word, *kinds) for word in words) <= COMMON:
        return []
    newest = words[0]["newest_id"] // PLACE
    return ["(" + " | ".join(f"'#n{newest - step}'" for step in range(-(-COMMON // PLACE))) + ")"]


def _rare(words: Sequence[Row]) -> list[Row]:
    """Return the rarest words that find anything, until they find ANY_WORD products together, and
    one at least.
    """
    chosen: list[Row] = []
    found = 0
    for word in sorted(words, key=_found_in_any_sense):
        if found and found + _found_in_any_sense(word) > ANY_WORD:
            break
        chosen.append(word)
        found += _found_in_any_sense(word)
    return chosen
