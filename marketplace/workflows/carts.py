"""A cart: its lines set together, and shown by store with what each costs and lacks now."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from marketplace.contract.errors import FieldError, Problem
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import carts
from marketplace.queries.carts import Wanted

MOST = 200


def put(conn: Conn, user_id: int, body: Mapping[str, Any]) -> None:
    """Set lines of a cart, 0 pieces remove one; merged with what a phone kept, nothing gets less.

    Raises 409 cart_full, and 422 for a product that does not exist; a merge leaves that one out.
    """
    merge = bool(body["merge"])
    wanted = _each_once((_wanted(line) for line in body["lines"]), merge=merge)
    carts.hold(conn, user_id)
    unknown = {wanted[place] for place in carts.strangers(conn, wanted)}
    if unknown and not merge:
        raise Problem("validation_failed", errors=_unknown(body["lines"], unknown))
    kept = [line for line in wanted if line.quantity and line not in unknown]
    changed = carts.put(conn, kept, user_id=user_id, merge=merge)
    if not merge:
        gone = [line for line in wanted if not line.quantity]
        changed += carts.take_out(conn, gone, user_id=user_id)
    if changed:
        if carts.count(conn, user_id) > MOST:
            raise Problem("cart_full", "A cart has at most 200 lines.")
        carts.touch(conn, user_id)


def clear(conn: Conn, user_id: int) -> None:
    """Empty a cart."""
    carts.hold(conn, user_id)
    if carts.clear(conn, user_id):
        carts.touch(conn, user_id)


def show(conn: Conn, user_id: int, currency: str) -> dict[str, Any]:
    """Return a cart as it is now."""
    with conn.pipeline():
        version, lines = carts.send_whole(conn, user_id)
    return shown(version.fetchone(), lines.fetchall(), currency)


def shown(used: Row | None, rows: Sequence[Row], currency: str) -> dict[str, Any]:
    """Return a cart as apps meet it, from what carts.send_whole() has found."""
    stores: dict[int, list[Row]] = {}
    for row in rows:
        stores.setdefault(row["store_id"], []).append(row)
    return {
        "version": used["version"] if used else 0,
        "currency": currency,
        "count": len(rows),
        "problems": sum(row["problem"] is not None for row in rows),
        "total": _sum(rows),
        "stores": [
            {"store": store_of(own[0]), "items_total": _sum(own), "lines": list(map(line_of, own))}
            for own in stores.values()
        ],
    }


def line_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line in the form that an app meets everywhere."""
    return {
        "product_id": row["product_id"],
        "variant_id": row["variant_id"] or None,
        "name": row["name"],
        "options": options_of(row),
        "thumb_url": _thumb(row["image_sizes"]),
        "placeholder": row["placeholder"],
        "quantity": row["quantity"],
        "price": row["price"],
        "price_before": row["price_before"],
        "total": row["price"] * row["quantity"],
        "weight_grams": row["weight_grams"],
        "min_quantity": row["min_quantity"],
        "stock": row["stock"],
        "problem": row["problem"],
    }


def store_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a store in the form that an app meets everywhere."""
    logo = row["store_logo"]
    return {
        "id": row["store_id"],
        "name": row["store_name"],
        "logo_url": (_thumb(logo.get("variants")) or logo.get("url")) if logo else None,
        "city": row["store_city"],
        "closed_until": row["closed_until"],
    }


def options_of(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the options of a variant with their names."""
    pairs = zip(row["option_names"], row["options"], strict=False)
    return [{"name": name, "value": value} for name, value in pairs]


def _thumb(sizes: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Return the address of the smallest size of an image."""
    return min(sizes, key=lambda size: size["width"])["url"] if sizes else None


def _sum(rows: Iterable[Row]) -> Decimal:
    return sum((row["price"] * row["quantity"] for row in rows), Decimal("0.00"))


def _wanted(line: Mapping[str, Any]) -> Wanted:
    return Wanted(line["product_id"], line["variant_id"] or 0, line["quantity"])


def _each_once(wanted: Iterable[Wanted], *, merge: bool) -> list[Wanted]:
    """Return lines of which each thing has one: the last said of it, or in a merge the largest."""
    once: dict[tuple[int, int], Wanted] = {}
    for line in wanted:
        before = once.get(line[:2])
        if before is None or not merge or line.quantity > before.quantity:
            once[line[:2]] = line
    return list(once.values())


def _unknown(lines: Sequence[Mapping[str, Any]], unknown: set[Wanted]) -> list[FieldError]:
    products = {line.product_id for line in unknown}
    return [
        FieldError(
            f"/lines/{place}/product_id",
            "invalid",
            "there is no such product",
            {"product_id": line["product_id"]},
        )
        for place, line in enumerate(lines)
        if line["product_id"] in products
    ]
