"""A page of products: by a statement of its own, along an order, or from what many filters leave.

Every way gives the same rows in the same order, and no way reads more than some thousand products:
the choice is a matter of cost alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marketplace.contract import pages
from marketplace.contract.errors import Problem
from marketplace.contract.pages import Total, Window
from marketplace.postgres.pool import Conn
from marketplace.queries import products
from marketplace.queries.facets import Facts
from marketplace.queries.products import BETWEEN, HotPage, Listing
from marketplace.workflows import search

#: Products to read along an order for a page, before what the filters leave is collected and
#: sorted.
WALK = 3000
#: For a page further down: as many for each of its rows and those before.
DENSE = 25
#: Up to this many products that the filters leave are sorted.
NARROW = 6000
#: As many at least for facets, which are counted of the same rows.
FACTS = 4000
#: What a list of products is refused for.
PROBLEMS = ("invalid_cursor", "page_too_deep", "sort_not_offered")


class Known(NamedTuple):
    """Facts of the products that filters of several tables leave, at any stock: whether of all, and
    at any price.
    """

    facts: Facts
    complete: bool
    of_all_prices: bool


class Page(NamedTuple):
    """The JSON of the products with commas between, the place (key, id) of the last if others
    follow, a total if wanted; if facets are wanted, the ids of all matches of a search, or what is
    known of products.
    """

    items: str
    last: tuple[str, int] | None
    total: Total | None
    found: list[int] | None = None
    known: Known | None = None


def asked(query: Mapping[str, Any], *, store_id: int | None = None) -> Listing:
    """Return the list that a checked query asks for: of what is on sale, or of a store with what is
    hidden. Raises 400 for an order that no index gives.
    """
    filters = {name: query[name] for name in products.FILTERS if name in query}
    if store_id is not None:
        filters["store_id"] = store_id
    words = "search" in filters
    sort = query.get("sort_by") or ("relevance" if words else "newest")
    sort = "newest" if sort == "created_at" else sort
    descending = query.get("sort_order", "asc" if sort in ("price", "name") else "desc") == "desc"
    if sort == "relevance" and not words:
        raise Problem("sort_not_offered", "relevance is the order of a search; add `search`.")
    if sort == "stock":
        raise Problem("sort_not_offered", "Each sale changes the stock; no list is ordered by it.")
    listing = Listing(filters, sort, descending, None, 0, 0, show_hidden=store_id is not None)
    if unindexed(listing):
        raise Problem(
            "sort_not_offered",
            "in_stock=false goes with one of category_id, brand_id, store_id; with prices in the "
            "order of price.",
        )
    return listing


def depth(listing: Listing) -> int:
    """Return down to which product its pages go; the cursor goes on."""
    return pages.SHALLOW_DEPTH if shallow(listing) else pages.DEPTH


def within(listing: Listing, window: Window) -> Listing:
    """Return the list with the part of it that is requested."""
    after = (window.after[0], window.after[1]) if window.after else None
    return listing._replace(after=after, limit=window.limit, offset=window.offset)


def page(conn: Conn, listing: Listing, exact_to: int | None, *, with_ids: bool = False) -> Page:
    """Return the requested products of a list, and their number: exact up to `exact_to`, estimated
    past it; None: no total.
    """
    if "search" in listing.filters:
        found = search.find(conn, listing, with_ids=with_ids)
        total = None if exact_to is None else Total(found.matches, found.exact)
        return _page(listing, found.rows, total)._replace(found=found.ids)
    if mixed(listing):
        return _mixed(conn, listing, exact_to, with_ids)
    hot = products.hot(conn, listing, 0 if exact_to is None else exact_to + 1)
    if hot is not None:
        return _hot(conn, listing, hot, exact_to)
    rows = products.search(conn, listing)
    return _page(
        listing, rows, None if exact_to is None else _total(conn, listing, len(rows), exact_to)
    )


def mixed(listing: Listing) -> bool:
    """Return whether no index has these filters together in this order."""
    filters = listing.filters
    if "search" in filters or "ids" in filters:
        return False
    if products.crossing(listing) or (listing.sort != "price" and _priced(listing)):
        return True
    if filters.get("in_stock"):
        return listing.sort == "name" or "brand_id" in filters or "store_id" in filters
    return "in_stock" in filters and listing.sort != "price"


def unindexed(listing: Listing) -> bool:
    """Return whether no plan finds these filters together: sold-out products are known by one
    owner, and by price.

    A store's own list, which is not long, has no such bounds.
    """
    if listing.filters.get("in_stock") is not False or listing.show_hidden or not mixed(listing):
        return False
    return products.crossing(listing) or (_priced(listing) and listing.sort != "price")


def shallow(listing: Listing) -> bool:
    """Return whether its pages end early, where the cursor still goes on."""
    return "search" in listing.filters or mixed(listing)


def _priced(listing: Listing) -> bool:
    return "min_price" in listing.filters or "max_price" in listing.filters


def _mixed(conn: Conn, listing: Listing, exact_to: int | None, with_facts: bool) -> Page:
    """Return a page that is read along the order, or out of what the filters leave."""
    walk = max(WALK, DENSE * (listing.offset + listing.limit))
    crossing = products.crossing(listing)
    # Of two owners together the planner knows nothing.
    about = None if crossing else products.estimate(conn, listing)
    rows: list[Any] = []
    if about is None or about > min(walk // 2, 2 * NARROW // 3):
        rows = products.search(conn, listing, walk)
    counted: Any = None
    if len(rows) < listing.limit:
        narrow = products.narrow(conn, listing, NARROW + 1, with_facts=with_facts)
        counted = narrow[0]
        rows = [row for row in narrow if row.item is not None]
        if not counted.complete:
            rows = products.search(conn, listing)
    elif crossing and exact_to is not None:
        counted = _collected(conn, listing, exact_to, with_facts)
    total: Total | None = None
    if exact_to is not None and counted is None:
        total = _counted_along(conn, listing, about or 0, exact_to)
    elif exact_to is not None and counted.complete:
        total = Total(counted.matches, True)
    elif exact_to is not None:
        total = Total(max(about or products.estimate(conn, listing), counted.matches), False)
    page = _page(listing, rows, total)
    if counted is None or counted.facts is None:
        return page
    read = Known(Facts(*counted.facts), counted.complete, counted.of_all_prices)
    return page._replace(known=read)


def _counted_along(conn: Conn, listing: Listing, about: int, exact_to: int) -> Total:
    """Return how many the filters leave, which an index knows together: exact up to twice
    `exact_to`.
    """
    most = min(2 * exact_to, NARROW)
    matches = products.count(conn, listing, most + 1)
    return Total(matches, True) if matches <= most else Total(max(about, matches), False)


def _collected(conn: Conn, listing: Listing, exact_to: int, with_facts: bool) -> Any:
    """Return what filters of several tables leave, counted until it is known to be more than
    `exact_to`.
    """
    # Of two owners with a price, most will not match: a first step would be in vain.
    sparse = _priced(listing) or listing.filters.get("in_stock") is False
    first = max(2 * exact_to, FACTS if with_facts else 0)
    steps = [NARROW] if sparse or first >= NARROW else [first, NARROW]
    whole = listing._replace(limit=0, offset=0)
    for most in steps:
        counted = products.narrow(conn, whole, most + 1, with_facts=with_facts)[0]
        if counted.complete or counted.matches > exact_to:
            break
    return counted


def _whole(listing: Listing, read: int) -> Total | None:
    """Return the total from the rows `read` for the page, if it is the last one."""
    if listing.after is None and read < listing.limit and (read or not listing.offset):
        return Total(listing.offset + read, True)
    return None


def _total(conn: Conn, listing: Listing, read: int, exact_to: int) -> Total:
    return _whole(listing, read) or _counted(
        conn, listing, products.count(conn, listing, exact_to + 1), None, exact_to
    )


def _counted(conn: Conn, listing: Listing, counted: int, about: int | None, exact_to: int) -> Total:
    if counted <= exact_to:
        return Total(counted, True)
    return Total(max(about or products.estimate(conn, listing), exact_to + 1), False)


def _page(listing: Listing, rows: Sequence[Any], total: Total | None) -> Page:
    """Return a page of rows (item, id, key); the last was read only to know that there are more."""
    shown = rows[: listing.limit - 1]
    last = (shown[-1].key, shown[-1].id) if len(rows) == listing.limit else None
    return Page(BETWEEN.join(row.item for row in shown), last, total)


def _hot(conn: Conn, listing: Listing, hot: HotPage, exact_to: int | None) -> Page:
    total = None
    if exact_to is not None:
        total = _whole(listing, hot.found)
        if total is None and hot.counted is None:
            total = Total(hot.about or 0, False)
        elif total is None:
            total = _counted(conn, listing, hot.counted or 0, hot.about, exact_to)
    if hot.items is None or hot.key is None or hot.id is None or hot.found < listing.limit:
        return Page(hot.items or "", None, total)
    return Page(hot.items.rpartition(BETWEEN)[0], (hot.key, hot.id), total)
