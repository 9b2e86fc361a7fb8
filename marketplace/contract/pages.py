"""Both ways through a list: pages with totals, and cursors that cost the same at any depth.

A cursor is opaque: the sort keys of the last row, bound by a signature to the filters and the order
it came from. A changed cursor, or one sent with other filters, is refused with 400.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from marketplace.contract.errors import FieldError, Problem
from marketplace.contract.validation import Named, Schema
from marketplace.text.messages import say

PER_PAGE = 20
PER_PAGE_MAX = 100
EXACT_TOTAL = 1000
#: A count goes so far, to know whether there are more.
CAP = EXACT_TOTAL + 1
#: With count=exact.
COUNTED = 250_000
DEPTH = 10_000
SHALLOW_DEPTH = 500
#: The largest id: where a list that goes down begins.
FURTHEST = 2**63 - 1
Item = TypeVar("Item")

#: The query parameters of every list.
QUERY: Schema = {
    "page": {
        "coerce": "int64",
        "min": 1,
        "excludes": "cursor",
        "meta": {
            "description": f"From 1, down to page * per_page = {DEPTH} ({SHALLOW_DEPTH} in a "
            "search, or where no index "
            "has the filters in that order); then the cursor.",
            "maximum": DEPTH,
            "format": "int32",
        },
    },
    "per_page": {
        "coerce": "int64",
        "min": 1,
        "max": PER_PAGE_MAX,
        "default": PER_PAGE,
        "meta": {"description": "Rows a page."},
    },
    "cursor": {
        "coerce": "line",
        "maxlength": 2000,
        "meta": {
            "description": "`next_cursor` of the previous response, with the same filters and sort."
        },
    },
}

#: The query parameters of lists that are read by cursor alone.
BY_CURSOR: Schema = {name: QUERY[name] for name in ("per_page", "cursor")}

#: The query parameters of lists that can be very long.
COUNT: Schema = {
    "count": {
        "coerce": "line",
        "allowed": ["exact", "none"],
        "meta": {
            "description": f"In page mode: `exact` counts up to {COUNTED}, not {EXACT_TOTAL}; "
            "`none` returns no total.",
        },
    },
}


class Window(NamedTuple):
    """The requested part of a list, and the number up to which it is counted (None: not at all)."""

    page: int | None
    per_page: int
    after: list[Any] | None
    exact_to: int | None = EXACT_TOTAL

    @property
    def offset(self) -> int:
        """The number of rows to skip before the first."""
        return (self.page - 1) * self.per_page if self.page else 0

    @property
    def limit(self) -> int:
        """One more than is shown, to know whether there is a next page."""
        return self.per_page + 1


class Part(NamedTuple):
    """The requested part of a list: how many, and the sort keys of the last row before it."""

    limit: int
    after: Sequence[Any] | None = None

    def newer(self) -> dict[str, Any]:
        """Return the bounds of a list that goes down."""
        at, row_id = self.after or ("infinity", FURTHEST)
        return {"limit": self.limit, "before_at": at, "before_id": row_id}

    def older(self) -> dict[str, Any]:
        """Return the bounds of a list that goes up."""
        at, row_id = self.after or ("-infinity", 0)
        return {"limit": self.limit, "after_at": at, "after_id": row_id}


class Total(NamedTuple):
    """The number of rows that match; an estimate past EXACT_TOTAL."""

    items: int
    exact: bool


def capped(window: Window, count: Callable[[int], int]) -> Total | None:
    """Return the total of a list whose rows can only be counted: exact up to EXACT_TOTAL, at least
    that past it.
    """
    if window.page is None:
        return None
    counted = count(CAP)
    return Total(min(counted, EXACT_TOTAL), counted <= EXACT_TOTAL)


def batches(
    read: Callable[[Any], list[Item]], place: Callable[[Item], Any], *, size: int
) -> Iterator[list[Item]]:
    """Yield all rows of a list, `size` at a time, for a streamed response.

    `read` returns the rows behind a place (None at the start) in a transaction of its own: none
    waits for a slow phone. It raises if the caller may not read any more; at the end it is called
    once more, since a caller who loses the right in the middle of a batch sees a short one, not an
    error.
    """
    after = None
    while rows := read(after):
        yield rows
        after = place(rows[-1])
        if len(rows) < size:
            break
    read(after)


def listed_by_cursor(noun: str, schema: Named, **more: Any) -> Named:
    """Return the schema of a response of a list that is read by cursor alone."""
    whole: dict[str, Any] = {"type": "integer", "min": 0, "meta": {"format": "int32"}}
    return Named(
        f"{schema.name.removeprefix('Listed')}Page",
        {
            noun: {"type": "list", "schema": {"type": "dict", "schema": schema}},
            "per_page": whole,
            "has_next": {"type": "boolean"},
            "next_cursor": {"type": "string", "nullable": True},
            **more,
        },
    )


def listed(noun: str, schema: Named, **more: Any) -> Named:
    """Return the schema of a list's response; `more` are the fields beside the list."""
    whole: dict[str, Any] = {"type": "integer", "min": 0, "meta": {"format": "int32"}}
    total = {
        **whole,
        "meta": {
            "format": "int64",
            "description": "In page mode, without count=none.",
            "optional": True,
        },
    }
    page = {**whole, "meta": {"format": "int32", "description": "In page mode.", "optional": True}}
    return Named(
        f"{schema.name.removeprefix('Listed')}Page",
        {
            noun: {"type": "list", "schema": {"type": "dict", "schema": schema}},
            "total_items": total,
            "total_pages": total,
            "current_page": page,
            "per_page": whole,
            "has_next": {"type": "boolean"},
            "has_prev": {
                "type": "boolean",
                "meta": {"description": "In page mode.", "optional": True},
            },
            "total_exact": {
                "type": "boolean",
                "meta": {
                    "description": "In page mode; false when total_items is an estimate.",
                    "optional": True,
                },
            },
            "next_cursor": {"type": "string", "nullable": True},
            **more,
        },
    )


def not_offered(names: Sequence[str], message: str) -> Problem:
    """Return the refusal of filters that a list does not offer, by name."""
    errors = [FieldError(f"/{name}", "filter_not_offered", message) for name in names]
    return Problem("filter_not_offered", message, errors=errors)


def unindexed(names: Sequence[str]) -> Problem:
    """Return the refusal of filters that no index serves together."""
    return not_offered(
        names, say("No index serves this here: {filters}.", filters=", ".join(names))
    )
