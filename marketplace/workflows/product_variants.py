"""Variants of a product: what a request wants of them, merged with what there is, and judged.

Nothing is written here: the caller writes what is returned, or nothing at all. Errors name the row
of the request, the product and, where there is one, the variant.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from marketplace.contract.errors import FieldError, Problem
from marketplace.postgres.pool import Row
from marketplace.text.messages import say

MOST = 100
#: What a seller writes of a variant but its options: the value of one that is new.
_FRESH: dict[str, Any] = {
    "sku": None,
    "barcode": None,
    "price": None,
    "price_before": None,
    "weight_grams": None,
    "image_id": None,
    "hidden": False,
    "stock": None,
}
#: The same words as those of the constraints.
_TAKEN = {
    "options": "another variant of the product has these options",
    "sku": "another product or variant of the store has this SKU",
}
#: What makes a variant another one; its stock has a tag of its own.
_COMPARED = ("position", "options", *(name for name in _FRESH if name != "stock"))


class Wanted(NamedTuple):
    """What is to be written: the names of the options, variants as products.write_variants takes
    them, whether they are all that is sold, and whether that changes more than stock.
    """

    names: list[str]
    rows: list[dict[str, Any]]
    whole: bool
    changed: bool

    def lowest(self) -> Any:
        """Return the lowest price of the visible ones; None if all are hidden."""
        return min((row["price"] for row in self.rows if not row["hidden"]), default=None)

    def stock(self) -> int:
        """Return what can be sold of the visible ones, as far as the request says."""
        return sum(row["stock"] or 0 for row in self.rows if not row["hidden"])


class Present(NamedTuple):
    """What a product has: its id if there is one already, names of options, variants, images."""

    product_id: int | None
    names: list[str]
    variants: Sequence[Row]
    image_ids: set[int]


def whole_set(present: Present, body: Mapping[str, Any]) -> Wanted | None:
    """Return what `options` and `variants` of a product's document want; None: nothing.

    Raises 409 and 422, with every wrong row named.
    """
    named = "options" in body
    names: list[str] = list(body["options"]) if named else list(present.names)
    sent: Sequence[Mapping[str, Any]] | None = body.get("variants")
    if not present.names and not names and not sent:
        return None
    if not names:
        if present.names:
            words = say("a product that has variants keeps them; hide those that are not sold")
            raise _problem("has_variants", [FieldError("/options", "has_variants", words)])
        raise _wrong("/options", "required", "is required")
    if len(set(names)) < len(names):
        raise _wrong("/options", "repeated", say("must be different names"))
    if sent is None and names == present.names:
        return None
    if sent is not None and not sent:
        raise _wrong("/variants", "too_short", say("must be at least {limit} long", limit=1))
    if sent is None and not present.variants:
        raise _wrong("/variants", "required", "is required")
    if sent is None:
        rows = [{**row, "stock": None} for row in present.variants]
        _require_values(rows, names, "/options")
        return Wanted(names, rows, False, True)
    judged = _Judged(present, names, [f"/variants/{place}" for place in range(len(sent))])
    met = judged.matched(sent)
    rows = [
        _merged(row, old, {"position": place, "hidden": False})
        for place, (row, old) in enumerate(zip(sent, met, strict=True), 1)
    ]
    others = judged.others(met)
    _require_values(others, names, "/options")
    judged.require_sound(sent, rows, others)
    changed = names != present.names or any(not row["hidden"] for row in others)
    return Wanted(names, rows, True, changed or _differ(rows, met))


def one(present: Present, variant: Row | None, body: Mapping[str, Any]) -> Wanted:
    """Return what a request for one variant wants: a new one, or changed fields of one that is
    there. Raises 409 and 422.
    """
    last = max((row["position"] for row in present.variants), default=0)
    judged = _Judged(present, present.names, [""])
    rows = [_merged(body, variant, {} if variant else {"position": last + 1})]
    judged.require_sound([body], rows, judged.others([variant]))
    return Wanted(present.names, rows, False, _differ(rows, [variant]))


class _Judged:
    """The rows of a request, where each stands in it, and what is wrong with them."""

    def __init__(self, present: Present, names: Sequence[str], places: Sequence[str]) -> None:
        self.present = present
        self.names = names
        self.places = places
        self.wrong: list[FieldError] = []

    def matched(self, sent: Sequence[Mapping[str, Any]]) -> list[Row | None]:
        """Return the variant that each row means, by its id, else by its options."""
        by_id = {row["id"]: row for row in self.present.variants}
        by_options = {tuple(row["options"]): row for row in self.present.variants}
        named = {row["id"] for row in sent if "id" in row}
        met: list[Row | None] = []
        for place, row in enumerate(sent):
            old = by_id.get(row["id"]) if "id" in row else None
            if "id" in row and old is None:
                words = say("the product has no such variant")
                self._add(place, "/id", "not_found", words, row["id"])
            elif old is not None and old in met:
                self._add(place, "/id", "repeated", "must be sent once", row["id"])
            elif old is None and tuple(row.get("options", ())) in by_options:
                old = by_options[tuple(row["options"])]
                if old["id"] in named or old in met:  # which the request renames, or has already
                    old = None
            met.append(old)
        return met

    def others(self, met: Iterable[Row | None]) -> list[Row]:
        """Return the variants that the request does not mean."""
        ids = {row["id"] for row in met if row is not None}
        return [row for row in self.present.variants if row["id"] not in ids]

    def require_sound(
        self,
        sent: Sequence[Mapping[str, Any]],
        rows: Sequence[Mapping[str, Any]],
        others: Sequence[Row],
    ) -> None:
        """Raise what is wrong with the rows: first their fields, then their prices, then keys that
        are taken.
        """
        if len(rows) + len(others) > MOST:
            full = say("a product has at most {most} variants, hidden ones too", most=MOST)
            error = FieldError(self.places[-1], "too_many_variants", full, self._about(None))
            raise _problem("too_many_variants", [error])
        lost = {error.pointer for error in self.wrong}
        for place, row in enumerate(rows):
            if f"{self.places[place]}/id" not in lost:
                self._judge(place, sent[place], row)
        self._raise("validation_failed")
        for place, row in enumerate(rows):
            if row["price_before"] is not None and row["price_before"] <= row["price"]:
                words = "the old price is above the price"
                self._add(place, "/price_before", "price_before_too_low", words, row["id"])
        self._raise("price_before_too_low")
        for name, code in (("options", "duplicate_options"), ("sku", "sku_taken")):
            self._require_once(rows, others, name, code)
            self._raise(code)

    def _judge(self, place: int, sent: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        if row["options"] is None:
            self._add(place, "/options", "required", "is required", row["id"])
        elif len(row["options"]) != len(self.names):
            words = say("must have a value for each of: {names}", names=", ".join(self.names))
            self._add(place, "/options", "invalid", words, row["id"])
        if row["price"] is None:
            self._add(place, "/price", "required", "is required", row["id"])
        if sent.get("image_id") is not None and row["image_id"] not in self.present.image_ids:
            self._add(place, "/image_id", "not_found", "the product has no such image", row["id"])

    def _require_once(
        self, rows: Sequence[Mapping[str, Any]], others: Sequence[Row], name: str, code: str
    ) -> None:
        taken: dict[Any, int | None] = {_key(row[name]): row["id"] for row in others if row[name]}
        for place, row in enumerate(rows):
            key = _key(row[name])
            if key and key in taken:
                self._add(place, f"/{name}", code, _TAKEN[name], row["id"] or taken[key])
            elif key:
                taken[key] = row["id"]

    def _add(self, place: int, field: str, code: str, message: str, variant_id: int | None) -> None:
        pointer = f"{self.places[place]}{field}"
        self.wrong.append(FieldError(pointer, code, message, self._about(variant_id)))

    def _about(self, variant_id: int | None) -> dict[str, Any]:
        return {
            **({"product_id": self.present.product_id} if self.present.product_id else {}),
            **({"variant_id": variant_id} if variant_id else {}),
        }

    def _raise(self, code: str) -> None:
        if self.wrong:
            raise _problem(code, self.wrong)


def _merged(sent: Mapping[str, Any], old: Row | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a variant with all of its fields: as sent, else `given`, else as it is."""
    kept = {**old, "stock": None} if old else {"id": None, "options": None, **_FRESH}
    fields = {name: sent[name] for name in ("options", *_FRESH) if name in sent}
    return {**kept, **given, **fields}


def _differ(rows: Sequence[Mapping[str, Any]], met: Sequence[Row | None]) -> bool:
    return any(
        old is None or any(row[name] != old[name] for name in _COMPARED)
        for row, old in zip(rows, met, strict=True)
    )


def _require_values(rows: Sequence[Mapping[str, Any]], names: Sequence[str], place: str) -> None:
    """Refuse options that some variants, which the request does not change, have no values for."""
    if any(len(row["options"]) != len(names) for row in rows):
        words = say("every variant needs a value for each option, hidden ones too")
        raise _wrong(place, "invalid", words)


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _wrong(pointer: str, code: str, words: str) -> Problem:
    return _problem("validation_failed", [FieldError(pointer, code, words)])


def _problem(code: str, errors: Sequence[FieldError]) -> Problem:
    return Problem(code, errors=errors)
