"""Batches of a seller's rows: what a row has to say, and what became of all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.contract.errors import FieldError, Problem
from marketplace.contract.naming import named
from marketplace.postgres.pool import Row

#: What does not count as a failure.
WELL = ("done", "unchanged")


def require_named(rows: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Return an error for each row that names no product, or two ways at once."""
    found: list[FieldError] = []
    for place, row in enumerate(rows):
        if row.get("product_id") is None and row.get("sku") is None:
            found.append(FieldError(f"/rows/{place}/product_id", "required", "is required"))
        elif row.get("sku") is not None and (
            row.get("product_id") is not None or row.get("variant_id") is not None
        ):
            found.append(_both(f"/rows/{place}/sku"))
    return found


def require_one_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[FieldError]:
    """Return an error for each row that has none of these fields, or two of them."""
    found: list[FieldError] = []
    for place, row in enumerate(rows):
        given = [name for name in names if row.get(name) is not None]
        if not given:
            found.append(FieldError(f"/rows/{place}/{names[0]}", "required", "is required"))
        elif len(given) > 1:
            found.append(_both(f"/rows/{place}/{given[1]}"))
    return found


def refuse(body: Mapping[str, Any], found: Sequence[FieldError]) -> None:
    """Raise a 422 with these errors, if there are any; each names the product of its row."""
    if found:
        raise Problem("validation_failed", errors=[named(error, body) for error in found])


def answered(rows: Sequence[Row], *, all_or_none: bool, dry_run: bool) -> dict[str, Any]:
    """Return what became of a batch. Raises 409 if none of it was done for the sake of one row."""
    sums = counted(rows)
    if sums["failed"] and all_or_none and not dry_run:
        raise Problem(
            "batch_refused",
            "At least one row failed, so none was done. Rows that say done would have been.",
            more={"rows": rows},
        )
    return {"dry_run": dry_run, **sums, "rows": rows}


def counted(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many rows were done, were so already, and failed."""
    done = sum(row["outcome"] == "done" for row in rows)
    unchanged = sum(row["outcome"] == "unchanged" for row in rows)
    return {"done": done, "unchanged": unchanged, "failed": len(rows) - done - unchanged}


def _both(pointer: str) -> FieldError:
    return FieldError(pointer, "excluded", "cannot be combined with the other one")
