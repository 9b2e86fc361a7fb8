"""The number of products for each choice that a buyer could make next.

A facet ignores its own filter: with brand_id=3 brands are counted without it, so that another one
can be chosen. Some thousand products of each set of filters are counted.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.postgres.pool import Conn, Row
from marketplace.queries import facets
from marketplace.queries.products import Listing, crossing
from marketplace.workflows import search
from marketplace.workflows.listings import Known, Page

#: Products that are counted for one response; each costs the database some four microseconds.
MOST = 4_000
_OWN = {"brand": ("brand_id",), "price": ("min_price", "max_price"), "in_stock": ("in_stock",)}


def count(conn: Conn, listing: Listing, wanted: Sequence[str], page: Page) -> dict[str, Any]:
    """Return the facets of a list by name, and whether all of them are `exact`; its `page` may know
    the products that words find, or facts of those that filters leave.
    """
    groups = _groups(listing, wanted)
    most = MOST // len(groups)
    searched = "search" in listing.filters
    wider: Sequence[int] | None = (
        None  # what the words find without any filter that a facet ignores
    )
    answer: dict[str, Any] = {"exact": True}
    for names, filters in groups.items():
        if _kept(names[0], filters):
            answer["category"] = _choices(
                facets.categories(conn, filters.get("category_id")), "category"
            )
            continue
        part = listing._replace(filters=filters, after=None)
        read = _read(page, listing, filters)
        known: Sequence[int] | None = page.found
        if filters != dict(listing.filters):
            if searched and wider is None:
                wider = search.candidates(
                    conn, listing._replace(filters=_common(groups), after=None)
                )
            known = wider
        rows = facets.count(
            conn,
            part.values(),
            facets=names,
            crossing=crossing(part),
            found=known,
            facts=read.facts if read else None,
            most=most,
        )
        enough = read.complete if read else len(known or ()) < search.CANDIDATES
        answer["exact"] &= rows[0]["complete"] and enough
        answer.update({name: _facet(name, rows) for name in names})
    return answer


def _kept(name: str, filters: Mapping[str, Any]) -> bool:
    """Return whether the worker maintains these numbers: those of whole categories."""
    return name == "category" and set(filters) <= {"category_id"}


def _read(page: Page, listing: Listing, filters: Mapping[str, Any]) -> Known | None:
    """Return what has been read for the page, if it has all that these filters leave."""
    left_out = set(listing.filters) - set(filters)
    if page.known is None:
        return None
    any_of = {"in_stock", *(_OWN["price"] if page.known.of_all_prices else ())}
    return page.known if left_out <= any_of else None


def _groups(listing: Listing, wanted: Sequence[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    """Facets that are counted under the same filters, with these."""
    groups: dict[tuple[str, ...], dict[str, Any]] = {}
    alike: list[str] = []
    for name in wanted:
        own = _OWN.get(name, ())
        filters = {key: value for key, value in listing.filters.items() if key not in own}
        if _kept(name, filters) or filters != dict(listing.filters):
            groups[name,] = filters
        else:
            alike.append(name)
    if alike:
        groups[tuple(alike)] = dict(listing.filters)
    return groups


def _common(groups: Mapping[Any, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the filters that all groups have."""
    first, *others = groups.values()
    return {
        name: value for name, value in first.items() if all(name in filters for filters in others)
    }


def _facet(name: str, rows: Sequence[Row]) -> Any:
    whole = rows[0]
    if name == "price":
        return {
            "min": _amount(whole["low"]),
            "max": _amount(whole["high"]),
            "ranges": [
                {"from": _amount(row["low"]), "to": _amount(row["high"]), "count": row["count"]}
                for row in rows
                if row["facet"] == "price"
            ],
        }
    if name == "in_stock":
        counts = {row["in_stock"]: row["count"] for row in rows if row["facet"] == "in_stock"}
        return {"available": counts.get(True, 0), "sold_out": counts.get(False, 0)}
    return _choices(rows, name)


def _choices(rows: Sequence[Row], name: str) -> list[dict[str, Any]]:
    return [
        {"id": row["id"], "name": row["name"], "count": row["count"]}
        for row in rows
        if row["facet"] == name
    ]


def _amount(value: Any) -> str | None:
    return None if value is None else f"{value:.2f}"
