"""Words that mean the same to a search, as an admin replaces them."""

from collections.abc import Sequence

from marketplace.contract.errors import FieldError, Problem
from marketplace.postgres.pool import Conn
from marketplace.queries import search_synonyms


def replace(conn: Conn, groups: Sequence[Sequence[str]]) -> None:
    """Write the whole list of groups, unless it is the same. Raises validation_failed."""
    places = [(group, word) for group, words in enumerate(groups) for word in range(len(words))]
    folded = search_synonyms.fold(conn, [word for words in groups for word in words])
    wrong: list[FieldError] = []
    known: set[str] = set()
    for (group, place), word in zip(places, folded, strict=True):
        pointer = f"/synonyms/{group}/words/{place}"
        if not word or " " in word:
            wrong.append(FieldError(pointer, "invalid", "must be a single word"))
        elif word in known:
            wrong.append(FieldError(pointer, "repeated", "stands in the list already"))
        known.add(word)
    if wrong:
        raise Problem("validation_failed", errors=wrong)
    rest = iter(folded)
    if [[next(rest) for _ in words] for words in groups] == search_synonyms.groups(conn):
        return
    search_synonyms.replace(
        conn, folded, [group + 1 for group, _ in places], [place + 1 for _, place in places]
    )
