"""Orders of a victim, as store and as buyer, and what an intruder reads of them."""

from collections.abc import Iterator
from typing import NamedTuple

from conftest import Api, User

from support.orders import Desk


class Traded(NamedTuple):
    """Orders: of the victim's store, one that they placed elsewhere, and one of the intruder's store."""

    store: int
    sold: int
    bought: int
    number: str
    product: int
    parcel: int
    refund: int
    theirs: int
    arrived: int
    asked: int


def traded(api: Api, victim: User, intruder: User, mark: str) -> Traded:
    """The victim's orders carry the mark; something is asked about them, and they are late."""
    desk = Desk(api, victim)
    product = desk.product(name="Teh")
    sold = desk.order((product, 2))
    parcel = desk.ship(sold, (desk.lines(sold)[0], 1))
    desk.do(None, "SELECT promise_refund(%s, 5000, 'goodwill', NULL, NULL, 'store', NULL)", sold)
    refund = desk.one("SELECT id FROM refunds WHERE order_id = %s", sold)
    bought = Desk(api).order(buyer=victim)
    for order in (sold, bought):
        desk.change("UPDATE order_lines SET name = %s WHERE order_id = %s", mark, order)
        desk.change(
            "UPDATE orders SET note = %s, ship_by = now() - interval '1 day', open_request = 'cancel',"
            " cancel_by = now() + interval '1 day' WHERE id = %s", mark, order,
        )  # fmt: skip
        desk.change(
            "UPDATE checkouts SET address = address || jsonb_build_object('recipient', %s::text)"
            " WHERE id = (SELECT checkout_id FROM orders WHERE id = %s)", mark, order,
        )  # fmt: skip
        desk.change(
            "INSERT INTO invoices (store_id, year, kind, number, buyer_id, order_id, document)"
            " SELECT store_id, 2026, 'invoice', 1, buyer_id, id, jsonb_build_object('name', %s::text)"
            " FROM orders WHERE id = %s", mark, order,
        )  # fmt: skip
    number = desk.one("SELECT number FROM orders WHERE id = %s", sold)
    assert victim.store_id is not None
    theirs = Desk(api, intruder).order()
    arrived, asked = _asked(desk, product, mark)
    there = (victim.store_id, sold, bought, number, product, parcel, refund, theirs)
    return Traded(*there, arrived, asked)


def _asked(desk: Desk, product: int, mark: str) -> tuple[int, int]:
    """A return of an order of the victim's store; the order and the return."""
    arrived = desk.order((product, 1))
    parcel = desk.ship(arrived)
    desk.do(desk.seller, "SELECT deliver_shipment(%s, %s)", arrived, parcel)
    (line,) = desk.lines(arrived)
    opening = "SELECT open_return(%s, 'damaged', %s, '{}', ARRAY[%s::bigint], ARRAY[1], false)"
    return arrived, desk.do(desk.buyer, opening, arrived, mark, line)


def reads(at: Traded) -> Iterator[tuple[str, str]]:
    """Lists and pages of orders: (path, the victim's thing that it names, or nothing)."""
    listed = ("stage=new,to_ship&facets=stage", f"number={at.number}", "per_page=100")
    for query in listed:
        yield f"/api/orders?{query}", ""
    more = ("sort_by=ship_by", "late=true", "open_request=cancel", f"product_id={at.product}")
    for query in (*listed, *more):
        yield f"/api/stores/mine/orders?{query}", ""
    yield f"/api/stores/mine/orders?store_id={at.store}", "store"
    yield f"/api/stores/mine/balance?store_id={at.store}", "store"
    for path in ("/api/stores/mine/balance", "/api/users/badges", "/api/refunds", "/api/returns"):
        yield path, ""
    yield f"/api/returns?store_id={at.store}", "store"
    yield "/api/returns?state=open", ""
    yield f"/api/orders/{at.sold}/refunds", "order"
    yield f"/api/orders/{at.arrived}", "order"
    yield f"/api/orders/{at.arrived}/returns/{at.asked}", "return"
    yield f"/api/orders/{at.theirs}", ""
    yield "/api/stores/mine/orders/export", ""
    yield f"/api/stores/mine/orders/export?store_id={at.store}", "store"
    for order in (at.sold, at.bought):
        yield f"/api/orders/{order}", "order"
        yield f"/api/orders/{order}/invoice", "order"
        yield f"/api/orders/{order}/packing-slip", "order"
        yield f"/api/stores/mine/packing-slips?ids={order}", "order"


def writes(at: Traded) -> Iterator[tuple[str, str, dict | None]]:
    """Verbs of orders, parcels and refunds: (method, path, document)."""
    for order, parcel in ((at.sold, at.parcel), (at.bought, at.parcel)):
        path = f"/api/orders/{order}"
        yield "POST", f"{path}/accept", None
        yield "POST", f"{path}/refuse-cancel", None
        yield "POST", f"{path}/confirm", None
        yield "POST", f"{path}/cancel", {"reason": "Mine now"}
        yield "PATCH", f"{path}/shipments/{parcel}", {"courier": "Mine now"}
        yield "POST", f"{path}/shipments/{parcel}/delivered", None
        yield "POST", f"{path}/shipments/{parcel}/returned", {"outcome": "lost"}
    bank = {"bank": "BCA", "number": "1234567", "holder": "Mine now"}
    yield "PUT", f"/api/refunds/{at.refund}/bank", bank
    yield "POST", f"/api/refunds/{at.refund}/done", {}
    path = f"/api/orders/{at.arrived}/returns"
    for body in ({"state": "withdrawn"}, {"state": "rejected"}, {"disputed": True}):
        yield "PATCH", f"{path}/{at.asked}", {**body, "message": "Mine now"}


def own_changes(at: Traded) -> Iterator[tuple[str, str, dict]]:
    """Calls for many, which leave out what is not the intruder's; and a refund of the intruder's."""
    yield "POST", "/api/stores/mine/orders/accept", {"ids": [at.sold, at.bought]}
    yield "POST", "/api/stores/mine/orders/ship", {"orders": [{"id": at.sold}, {"id": at.bought}]}
    given = {"amount": "1000.00", "reason": "goodwill", "bearer": "store"}
    yield "POST", f"/api/orders/{at.theirs}/refunds", given
