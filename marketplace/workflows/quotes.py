"""What a checkout would cost: everything read live, and priced by pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from marketplace.config.settings import Config
from marketplace.contract.errors import FieldError, Problem, invalid
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import addresses, carts, checkouts
from marketplace.queries.carts import Wanted
from marketplace.workflows import payment_methods, pricing
from marketplace.workflows.pricing import ZERO, Line, Order, Priced, Voucher

LINES = 100
STORES = 20
#: The heaviest parcel that the type of its weight has room for.
HEAVIEST = 2**31 - 1


@dataclass(frozen=True)
class Part:
    """One store's part of a checkout: its lines, the ways to send them, and the one chosen."""

    store_id: int
    rows: list[Row]
    options: list[Row]
    chosen: Row | None
    note: str | None

    @property
    def grams(self) -> int:
        """What the parcel weighs."""
        grams: int = sum(row["weight_grams"] * row["quantity"] for row in self.rows)
        return min(grams, HEAVIEST)


@dataclass(frozen=True)
class Quote:
    """A checkout that is priced and not placed."""

    config: Config
    user_id: int
    address: Row | None
    rows: list[Row]
    parts: list[Part]
    priced: Priced
    #: Voucher id -> row, of those that are on offer or whose code was sent.
    vouchers: Mapping[int, Row]
    #: Codes as they were sent, each once.
    codes: Sequence[str]
    #: Those of them that cannot be used, with the reason.
    unfit: Mapping[str, str]
    #: Lines that the cart does not have, or fewer of.
    not_in_cart: Sequence[Wanted]
    bought: Mapping[int, int]
    refused_parcels: int
    #: Payment providers that do not respond at the moment.
    silent: frozenset[str] = frozenset()

    @cached_property
    def by_store(self) -> Mapping[int, Order]:
        """The sums of each store."""
        return {order.store_id: order for order in self.priced.orders}

    @property
    def offer(self) -> payment_methods.Offer:
        """What the ways to pay are offered for."""
        return payment_methods.Offer(
            total=self.priced.total,
            order_totals=[order.total for order in self.priced.orders],
            takes_cod=all(part.chosen is not None and part.chosen["cod"] for part in self.parts),
            accounts=all(row["takes_transfer"] for row in self.rows),
            refused_parcels=self.refused_parcels,
            silent=self.silent,
        )


def make(
    conn: Conn, config: Config, user_id: int, body: Mapping[str, Any], paid_by: str | None = None
) -> Quote:
    """Read and price what is wanted. Raises 422 for what no screen can show: a product that does
    not exist, a code that is none, an address of somebody else, amounts above the type.

    Where it is known how it is `paid_by`, what only a screen shows is not read: vouchers that are
    on offer, and whether other ways to pay are.
    """
    asked = _asked(conn, config, user_id, body, paid_by)
    wanted, not_in_cart = _wanted(asked.in_cart, body)
    address = _address(asked.addresses, body.get("address_id"))
    country = address["country"] if address else config.country
    rows = carts.priced(conn, wanted, country) if wanted else []
    _require_known(rows, body)
    typed = [code.upper() for code in body["vouchers"]]
    parts, found, bought = _more(conn, rows, body, typed, user_id, address, paid_by)
    vouchers, codes = _vouchers(found, typed, [part.store_id for part in parts])
    priced, unfit = _priced(config, rows, parts, vouchers, codes)
    return Quote(
        config=config,
        user_id=user_id,
        address=address,
        rows=rows,
        parts=parts,
        priced=priced,
        vouchers=vouchers,
        codes=codes,
        unfit=unfit,
        not_in_cart=not_in_cart,
        bought=bought,
        refused_parcels=asked.refused_parcels if parts else 0,
        silent=asked.silent,
    )


class _Asked(NamedTuple):
    """What is known before the prices."""

    in_cart: list[Wanted]
    addresses: list[Row]
    refused_parcels: int
    silent: frozenset[str]


def _asked(
    conn: Conn, config: Config, user_id: int, body: Mapping[str, Any], paid_by: str | None
) -> _Asked:
    """Read it in one round trip: the cart, the address that is named, else all, and what the buyer
    may pay by.
    """
    alone = body["buy_now"] and body.get("lines") is not None
    takes_cod = "cod" in config.payment_methods and paid_by in (None, "cod")
    with conn.pipeline():
        cart = None if alone else carts.wanted(conn, user_id)
        kept = addresses.send_find(conn, body.get("address_id"), user_id=user_id)
        parcels = checkouts.refused_parcels(conn, user_id) if takes_cod else None
        silent = payment_methods.send_silent(conn, config)
    return _Asked(
        [Wanted(*row.values()) for row in cart or ()],
        kept.fetchall(),
        sum(row["parcels"] for row in parcels or ()),
        frozenset(row["provider"] for row in silent or ()),
    )


def _more(
    conn: Conn,
    rows: Sequence[Row],
    body: Mapping[str, Any],
    codes: Sequence[str],
    user_id: int,
    address: Row | None,
    paid_by: str | None,
) -> tuple[list[Part], list[Row], dict[int, int]]:
    """Return each store's part with the ways to send it to the address, none without one; vouchers;
    and what the buyer has bought of things of which one buyer gets only so many.
    """
    parts = _parts(rows)
    limited = [row["product_id"] for row in rows if row["max_per_buyer"] is not None]
    with conn.pipeline():
        ways = None
        if address and parts:
            parcels = [(part.store_id, part.grams, _items(part.rows)) for part in parts]
            place = {"country": address["country"], "area": address["area_code"]}
            ways = checkouts.deliveries(conn, parcels, **place)
        found = None
        if codes or not paid_by:
            found = checkouts.vouchers(conn, codes, [part.store_id for part in parts])
        bought = carts.bought(conn, limited, user_id=user_id) if limited else None
    return (
        _sent(parts, ways or (), body),
        [*(found or ())],
        {row["product_id"]: row["pieces"] for row in bought or ()},
    )


def _wanted(in_cart: list[Wanted], body: Mapping[str, Any]) -> tuple[list[Wanted], list[Wanted]]:
    """Return what is to be bought, each thing once, and what of it the cart does not have."""
    named = body.get("lines")
    if named is None:
        if len(in_cart) > LINES:
            raise invalid("/lines", "too_long", "at most 100 lines are bought at once; name some")
        return in_cart, []
    pieces: dict[tuple[int, int], int] = {}
    for line in named:
        thing = (line["product_id"], line["variant_id"] or 0)
        pieces[thing] = pieces.get(thing, 0) + line["quantity"]
    if any(quantity > 1000 for quantity in pieces.values()):
        raise invalid("/lines", "too_large", "at most 1,000 pieces of a thing are bought at once")
    wanted = [Wanted(*thing, quantity) for thing, quantity in pieces.items()]
    there = {line[:2]: line.quantity for line in in_cart}
    if body["buy_now"]:
        return wanted, []
    return wanted, [line for line in wanted if there.get(line[:2], 0) < line.quantity]


def _address(kept: list[Row], address_id: int | None) -> Row | None:
    """Return the address that is named, else the default one."""
    if address_id is not None:
        if not kept:
            error = FieldError("/address_id", "address_required", "choose one of your addresses")
            raise Problem("address_required", errors=[error])
        return kept[0]
    return kept[0] if kept and kept[0]["is_default"] else None


def _require_known(rows: Sequence[Row], body: Mapping[str, Any]) -> None:
    """Refuse lines of products that do not exist, and orders of stores that are not in them."""
    unknown = [
        FieldError(
            "/lines", "invalid", "there is no such product", {"product_id": row["product_id"]}
        )
        for row in rows
        if row["store_id"] is None
    ]
    stores = {row["store_id"] for row in rows}
    named = [order["store_id"] for order in body["orders"]]
    wrong = [*unknown, *(_wrong_stores(named, stores) if rows else [])]
    if wrong:
        raise Problem("validation_failed", errors=wrong)
    if len(stores) > STORES:
        raise invalid("/lines", "too_long", "at most 20 stores are bought from at once")


def _wrong_stores(named: Sequence[int], stores: set[int]) -> list[FieldError]:
    """Return what is wrong with the stores that were named: nothing is bought of one, or it stands
    there twice.
    """
    errors = []
    for place, store in enumerate(named):
        pointer, about = f"/orders/{place}/store_id", {"store_id": store}
        if store not in stores:
            words = "nothing of this store is bought"
            errors.append(FieldError(pointer, "invalid", words, about))
        elif store in named[:place]:
            errors.append(FieldError(pointer, "repeated", "must be sent once", about))
    return errors


def _parts(rows: Sequence[Row]) -> list[Part]:
    """Return each store's part, without ways to send it."""
    stores: dict[int, list[Row]] = {}
    for row in rows:
        stores.setdefault(row["store_id"], []).append(row)
    return [Part(store, own, [], None, None) for store, own in stores.items()]


def _sent(parts: Sequence[Part], ways: Iterable[Row], body: Mapping[str, Any]) -> list[Part]:
    """Return the parts with the ways to send them."""
    said = {order["store_id"]: order for order in body["orders"]}
    options: dict[int, list[Row]] = {part.store_id: [] for part in parts}
    for way in ways:
        options[way["store_id"]].append(way)
    return [
        _chosen(replace(part, options=options[part.store_id]), said.get(part.store_id, {}))
        for part in parts
    ]


def _chosen(part: Part, said: Mapping[str, Any]) -> Part:
    """Return the part with the way to send that was said, else the first."""
    key = said.get("delivery")
    found = [option for option in part.options if key in (None, str(option["id"]))]
    return replace(part, chosen=found[0] if found else None, note=said.get("note"))


def _items(rows: Iterable[Row]) -> Decimal:
    total = sum((row["price"] * row["quantity"] for row in rows), ZERO)
    if total >= pricing.TOO_LARGE:
        raise pricing.too_large()
    return total


def _vouchers(
    rows: Sequence[Row], typed: Sequence[str], store_ids: Sequence[int]
) -> tuple[dict[int, Row], list[str]]:
    """Return vouchers by id, and the codes that were sent, each once."""
    codes = list(dict.fromkeys(typed))
    good = {
        row["id"]: row for row in rows if row["store_id"] is None or row["store_id"] in store_ids
    }
    known = {row["code"] for row in good.values()}
    wrong = [
        FieldError(f"/vouchers/{place}", "voucher_invalid", "no such voucher is good here")
        for place, code in enumerate(typed)
        if code not in known
    ]
    if wrong:
        raise Problem("voucher_invalid", errors=wrong)
    return good, codes


def _priced(
    config: Config,
    rows: Sequence[Row],
    parts: Sequence[Part],
    vouchers: Mapping[int, Row],
    codes: Sequence[str],
) -> tuple[Priced, dict[str, str]]:
    """Price it with the vouchers whose codes were sent; and say which of them do not fit."""
    lines = [line_of(row) for row in rows]
    delivery = {part.store_id: part.chosen["price"] if part.chosen else ZERO for part in parts}
    included = {part.store_id: _tax_included(part.rows) for part in parts}
    by_code = {row["code"]: row for row in vouchers.values()}
    unfit = {code: reason for code in codes if (reason := used(by_code[code])) is not None}
    taken = [voucher_of(by_code[code]) for code in codes if code not in unfit]
    step = pricing.step_of(config.currency)
    priced = pricing.price(lines, delivery, included, taken, step)
    for one in priced.vouchers:
        if one.reason is not None:
            unfit[vouchers[one.voucher.id]["code"]] = one.reason
    return priced, unfit


def line_of(row: Row) -> Line:
    """Return a line in the form that prices are counted with."""
    return Line(
        product_id=row["product_id"],
        variant_id=row["variant_id"],
        store_id=row["store_id"],
        price=row["price"],
        quantity=row["quantity"],
        categories=tuple(row["category_path"] or ()),
        tax_rate=row["tax_rate"] or ZERO,
    )


def _tax_included(rows: Iterable[Row]) -> bool:
    """Return whether taxes are in the prices: rates of a country are all so, or all on top."""
    return all(row["tax_included"] is not False for row in rows)


def voucher_of(row: Row) -> Voucher:
    """Return a voucher in the form that prices are counted with."""
    return Voucher(
        id=row["id"],
        store_id=row["store_id"],
        gives=row["gives"],
        value=row["value"],
        max_discount=row["max_discount"],
        min_total=row["min_total"],
        product_ids=frozenset(row["product_ids"]) if row["product_ids"] is not None else None,
        category_ids=frozenset(row["category_ids"]) if row["category_ids"] is not None else None,
    )


def used(row: Row) -> str | None:
    """Return why a voucher cannot be used any more, or None."""
    if row["uses_left"] is not None and row["uses_left"] <= 0:
        return "used_up"
    return "used" if row["mine_left"] <= 0 else None
