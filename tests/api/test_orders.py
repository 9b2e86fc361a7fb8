"""Lists of orders, their cards, and the page of one: for its buyer, its store and admins."""

import pytest
from conftest import Api, User
from support.orders import Desk
from support.responses import problem

MINE = "/api/stores/mine/orders"
ALL = "/api/orders"
NOBODY = 4611686018427387904


def ids(api: Api, path: str, user: User, **params) -> list[int]:
    """The ids of a list, all its pages, two a page."""
    found, query = [], {"per_page": 2, **params}
    while True:
        answer = api.get(path, user, params=query)
        assert answer.status_code == 200, answer.text
        found += [card["id"] for card in answer.json["orders"]]
        if answer.json["next_cursor"] is None:
            assert answer.json["has_next"] is False
            return found
        query["cursor"] = answer.json["next_cursor"]


def page(api: Api, order: int, user: User, language: str = "en") -> dict:
    answer = api.get(f"{ALL}/{order}", user, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    return answer.json


def in_each_stage(desk: Desk) -> dict[str, int]:
    """An order in each stage that the verbs of today reach, the first one the oldest."""
    made = {
        "unpaid": desk.order(method="unpaid"),
        "new": desk.order(),
        "to_ship": desk.order((desk.product(), 3)),
        "shipping": desk.order(),
        "cancelled": desk.order(),
    }
    desk.ship(made["to_ship"], (desk.lines(made["to_ship"])[0], 1))
    desk.ship(made["shipping"])
    desk.cancel(made["cancelled"], desk.buyer)
    for days, order in enumerate(reversed(made.values())):
        desk.age(order, days + 1)
    return made


# Lists --------------------------------------------------------------------------------------------


def test_a_buyer_and_a_store_list_the_same_orders_newest_first(api: Api, desk: Desk):
    made = list(in_each_stage(desk).values())
    assert ids(api, ALL, desk.buyer) == made[::-1]
    assert ids(api, MINE, desk.seller) == made[::-1]
    assert ids(api, ALL, desk.seller) == []
    assert ids(api, ALL, api.buyer()) == []
    assert ids(api, MINE, api.seller()) == []


def test_stages_are_tabs_one_or_several(api: Api, desk: Desk):
    made = in_each_stage(desk)
    for stage, order in made.items():
        assert ids(api, ALL, desk.buyer, stage=stage) == [order]
        assert ids(api, MINE, desk.seller, stage=stage) == [order]
    several = [made[stage] for stage in ("cancelled", "to_ship", "new")]
    assert ids(api, MINE, desk.seller, stage="new,to_ship,cancelled") == several
    assert ids(api, ALL, desk.buyer, stage="completed") == []
    problem(api.get(f"{ALL}?stage=lost", desk.buyer), 422, "validation_failed")


def test_tabs_have_counts(api: Api, desk: Desk):
    in_each_stage(desk)
    desk.order()
    for path, user in ((ALL, desk.buyer), (MINE, desk.seller)):
        answer = api.get(f"{path}?facets=stage&stage=new&per_page=1", user).json
        assert answer["facets"] == {
            "stage": {
                "unpaid": 1, "new": 2, "to_ship": 1, "shipping": 1, "delivered": 0, "completed": 0, "cancelled": 1
            }
        }  # fmt: skip
        assert "facets" not in api.get(path, user).json
    assert set(api.get(f"{ALL}?facets=stage", api.buyer()).json["facets"]["stage"].values()) == {0}


@pytest.mark.parametrize("written", ["{0}", "{1}", " {0} ", "{2}"])
def test_a_number_is_found_however_it_is_said(api: Api, desk: Desk, written: str):
    order = desk.order()
    desk.order()
    desk.change("UPDATE orders SET number = '10KF-2M91-1' WHERE id = %s", order)
    said = written.format("10KF-2M91-1", "10kf2m911", "lOkf-2mgI-i".replace("g", "9"))
    for path, user in ((ALL, desk.buyer), (MINE, desk.seller), (ALL, desk.admin)):
        assert ids(api, path, user, number=said) == [order]
    assert ids(api, ALL, desk.buyer, number="10KF-2M91-2") == []
    assert ids(api, ALL, api.buyer(), number=said) == []
    assert ids(api, MINE, api.seller(), number=said) == []
    assert ids(api, ALL, desk.seller, number=said) == [], "it is the store's, not the person's"


def test_what_is_to_be_sent_is_sorted_by_its_deadline(api: Api, desk: Desk):
    made = in_each_stage(desk)
    late, urgent = made["to_ship"], desk.order()
    desk.change("UPDATE orders SET ship_by = now() - interval '1 hour' WHERE id = %s", late)
    desk.change("UPDATE orders SET ship_by = now() + interval '1 hour' WHERE id = %s", urgent)
    whole = [late, urgent, made["new"]]
    assert ids(api, MINE, desk.seller, sort_by="ship_by") == whole
    assert ids(api, MINE, desk.seller, sort_by="ship_by", stage="to_ship,new") == whole
    assert ids(api, MINE, desk.seller, late="true") == [late]
    assert ids(api, MINE, desk.seller, late="true", sort_by="ship_by", stage="new,to_ship") == [
        late
    ]
    assert len(ids(api, MINE, desk.seller, late="false")) == 6


def test_what_is_asked_and_what_is_sold_find_their_orders(api: Api, desk: Desk):
    product = desk.product(30)
    first, second, third = (desk.order((product, 1), (desk.product(), 1)) for _ in range(3))
    desk.order()
    assert ids(api, MINE, desk.seller, product_id=product) == [third, second, first]
    assert ids(api, MINE, desk.seller, product_id=NOBODY) == []
    desk.change("UPDATE orders SET state = 'accepted', accept_at = NULL WHERE id = %s", second)
    assert desk.cancel(second, desk.buyer) == "asked"
    assert ids(api, MINE, desk.seller, open_request="cancel") == [second]
    assert ids(api, MINE, desk.seller, open_request="return") == []


def test_admins_list_everybodys_orders(api: Api, desk: Desk):
    other = desk.another()
    made = [desk.order(), other.order(), desk.order()]
    desk.age(made[0], 2)
    desk.age(made[1], 1)
    assert ids(api, ALL, desk.admin)[:3] == made[::-1]
    mine = {"store_id": desk.seller.store_id}
    assert ids(api, ALL, desk.admin, stage="new", **mine) == [made[2], made[0]]
    assert ids(api, MINE, desk.admin, **mine) == [made[2], made[0]]
    problem(api.get(MINE, desk.admin), 409, "store_required")
    problem(api.get(MINE, other.seller, params=mine), 404, "not_found")


def test_cash_that_is_overdue_is_an_admins_list(api: Api, desk: Desk):
    due, young, prepaid = desk.order(method="cod"), desk.order(method="cod"), desk.order()
    for order in (due, young, prepaid):
        desk.ship(order)
    for order in (due, prepaid):
        desk.change("UPDATE orders SET deliver_by = now() - interval '1 day' WHERE id = %s", order)
    assert ids(api, ALL, desk.admin, cod_overdue="true") == [due]


@pytest.mark.parametrize(
    ("who", "path", "query", "code", "named"),
    [
        ("buyer", ALL, "store_id=1", "filter_not_offered", ["/store_id"]),
        ("buyer", ALL, "cod_overdue=true", "filter_not_offered", ["/cod_overdue"]),
        ("buyer", ALL, "stage=new&number=1", "filter_not_offered", ["/number", "/stage"]),
        ("buyer", ALL, "sort_by=ship_by", "sort_not_offered", ["/sort_by"]),
        ("admin", ALL, "stage=new", "filter_not_offered", ["/stage"]),
        ("admin", ALL, "store_id=1", "filter_not_offered", ["/store_id"]),
        ("admin", ALL, "facets=stage", "filter_not_offered", ["/facets"]),
        ("admin", ALL, "sort_by=total", "sort_not_offered", ["/sort_by"]),
        ("seller", MINE, "late=true&stage=cancelled", "filter_not_offered", ["/stage"]),
        ("seller", MINE, "late=true&sort_by=newest", "sort_not_offered", ["/sort_by"]),
        ("seller", MINE, "sort_by=ship_by&stage=new", "sort_not_offered", ["/sort_by"]),
        ("seller", MINE, "sort_by=ship_by&product_id=1", "sort_not_offered", ["/sort_by"]),
        ("seller", MINE, "open_request=cancel&stage=new", "filter_not_offered", ["/open_request", "/stage"]),
        ("seller", MINE, "product_id=1&number=2", "filter_not_offered", ["/number", "/product_id"]),
    ],
)  # fmt: skip
def test_what_no_index_serves_is_refused_by_name(
    api: Api, desk: Desk, who: str, path: str, query: str, code: str, named: list[str]
):
    answer = problem(api.get(f"{path}?{query}", getattr(desk, who)), 400, code)
    assert [error["pointer"] for error in answer["errors"]] == named
    assert all(name[1:] in answer["detail"] for name in named if name != "/sort_by")


def test_a_cursor_is_of_its_list_alone(api: Api, desk: Desk):
    for _ in range(3):
        desk.order()
    cursor = api.get(f"{ALL}?per_page=1", desk.buyer).json["next_cursor"]
    for path, user in ((f"{ALL}?stage=new&", desk.buyer), (f"{MINE}?", desk.seller)):
        problem(api.get(f"{path}cursor={cursor}", user), 400, "invalid_cursor")
    problem(api.get(f"{ALL}?page=2", desk.buyer), 422, "validation_failed")
    # a cursor is a place, whoever sends it: they see their own
    assert api.get(ALL, api.buyer(), params={"cursor": cursor}).json["orders"] == []


# Cards and pages ----------------------------------------------------------------------------------


def test_a_card_says_what_a_list_shows(api: Api, desk: Desk):
    product = desk.product(name="Kopi Gayo 250 g")
    order = desk.order((product, 2), (desk.product(), 1))
    desk.ship(order)
    (card,) = api.get(ALL, desk.buyer).json["orders"]
    row = desk.row("SELECT * FROM orders WHERE id = %s", order)
    deliver_by = row["deliver_by"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert card == {
        "id": order, "number": row["number"], "checkout_id": row["checkout_id"], "stage": "shipping",
        "store": {"id": desk.seller.store_id, "name": card["store"]["name"], "logo_url": None, "city": None, "closed_until": None},
        "first_line": {
            "product_id": product, "variant_id": None, "name": "Kopi Gayo 250 g", "options": [], "thumb_url": None,
            "placeholder": None, "quantity": 2, "price": "85000.00", "total": "170000.00",
        },
        "more_lines": 1, "units": 3, "total": "264000.00", "currency": "IDR", "cod": False, "courier": "jne",
        "tracking_number": f"JX{order}", "open_request": None, "deadline": {"what": "deliver", "at": deliver_by},
        "can": ["confirm"], "placed_at": card["placed_at"], "version": row["version"],
    }  # fmt: skip
    (theirs,) = api.get(MINE, desk.seller).json["orders"]
    assert theirs == {**card, "buyer": {"name": "S***"}, "can": ["delivered", "returned", "refund"]}
    (admins,) = api.get(f"{ALL}?number={row['number']}", desk.admin).json["orders"]
    assert admins == {**theirs, "can": ["confirm", "delivered", "returned", "refund"]}


def test_a_page_says_all_of_an_order(api: Api, desk: Desk):
    product = desk.product(20, sku="K-1")
    order = desk.order((product, 2))
    parcel = desk.ship(order, (desk.lines(order)[0], 1))
    shown = page(api, order, desk.buyer)
    (line,) = shown["lines"]
    assert line == {
        "id": desk.lines(order)[0], "product_id": product, "variant_id": None, "name": "Kopi Gayo 250 g", "options": [],
        "sku": "K-1", "thumb_url": None, "placeholder": None, "quantity": 2, "price": "85000.00", "price_before": None,
        "total": "170000.00", "weight_grams": 0, "min_quantity": 1, "stock": 18, "problem": None, "discount": "0.00",
        "subsidy": "0.00", "tax": "0.00", "cancelled": 0, "shipped": 1, "delivered": 0, "undelivered": 0, "returned": 0,
    }  # fmt: skip
    assert shown["totals"] == {
        "items": "170000.00", "discount": "0.00", "subsidy": "0.00", "delivery": "9000.00", "tax": "0.00",
        "tax_included": True, "total": "179000.00", "cancelled": "0.00", "paid": "179000.00", "refunded": "0.00",
    }  # fmt: skip
    assert shown["address"] == {
        "recipient": "Siti", "phone": "+6281200", "note": None, "masked": False,
        "text": "Jl. Veteran 5, Cipocok Jaya, Serang, Banten 42121",
    }  # fmt: skip
    assert (shown["payment"]["method"], shown["payment"]["state"]) == ("transfer", "paid")
    assert (shown["payment_status"], shown["fulfilment_status"]) == ("paid", "partially_shipped")
    assert (shown["stage"], shown["delivery"], "sale" in shown) == ("to_ship", "Kurir", False)
    (sent,) = shown["shipments"]
    assert (sent["id"], sent["courier"], sent["service"], sent["state"]) == (
        parcel,
        "jne",
        "REG",
        "shipped",
    )
    assert sent["lines"] == [{"line_id": line["id"], "quantity": 1}]
    theirs = page(api, order, desk.seller)
    assert theirs["sale"] == {"commission": "0.00", "commission_tax": "0.00", "net": "179000.00"}
    assert "payment" not in theirs
    admins = page(api, order, desk.admin)
    assert admins["payment"] == shown["payment"]
    assert admins["sale"] == theirs["sale"]


def test_what_happened_is_told_in_the_callers_language(api: Api, desk: Desk):
    order = desk.order((desk.product(), 2))
    first, second = (
        desk.ship(order, (desk.lines(order)[0], 1), number=number) for number in ("A1", "A2")
    )
    told = page(api, order, desk.buyer)["timeline"]
    assert [(step["type"], step["text"], step["by"], step["shipment_id"]) for step in told] == [
        ("order.placed", "Ordered", "buyer", None),
        ("order.paid", "Paid", "admin", None),
        ("order.new", "Passed on to the store", "admin", None),
        ("order.accepted", "The store is preparing it", "seller", None),
        ("order.shipped", "Sent with jne REG", "seller", first),
        ("order.shipped", "Sent with jne REG", "seller", second),
    ]
    answer = api.get(f"{ALL}/{order}", desk.seller, headers={"Accept-Language": "id-ID"})
    assert answer.headers["content-language"] == "id"
    assert [step["text"] for step in answer.json["timeline"]][-1] == "Dikirim dengan jne REG"
    reasons = answer.json["cancel"]["reasons"]
    assert {"code": "out_of_stock", "text": "Stok habis"} in reasons
    desk.change(
        "UPDATE shipments SET checkpoints = %s WHERE id = %s",
        '[{"at": "2000-01-01T00:00:00Z", "text": "Tiba di Serang"}]',
        second,
    )
    assert page(api, order, desk.buyer)["timeline"][0] == {
        "at": "2000-01-01T00:00:00Z", "type": "checkpoint", "text": "Tiba di Serang", "by": None, "shipment_id": second
    }  # fmt: skip


def test_what_an_unpaid_order_waits_for_is_its_buyers_to_know(api: Api, desk: Desk):
    order = desk.order(method="unpaid")
    mine = page(api, order, desk.buyer)
    assert (mine["deadline"]["what"], mine["can"], mine["cancel"]["how"]) == ("pay", [], "no")
    assert mine["payment"]["state"] == "open"
    theirs = page(api, order, desk.seller)
    assert (theirs["deadline"], theirs["can"]) == (None, [])
    assert theirs["address"] == {
        "recipient": "S***", "phone": None, "text": "Serang", "note": None, "masked": True
    }  # fmt: skip


def test_cash_has_no_payment(api: Api, desk: Desk):
    shown = page(api, desk.order(method="cod"), desk.buyer)
    assert shown["payment"] == {"id": None, "method": "cod", "state": None}
    assert shown["payment_status"] == "on_delivery"


def test_a_cancelled_order_says_why_and_hides_the_street(api: Api, desk: Desk):
    order = desk.order()
    desk.cancel(order, desk.buyer)
    theirs = page(api, order, desk.seller, "id")
    assert (theirs["cancel_reason"], theirs["cancelled_by"]) == ("changed_mind", "buyer")
    assert "Dibatalkan: Berubah pikiran" in [step["text"] for step in theirs["timeline"]]
    assert theirs["address"]["masked"] is True
    assert "Veteran" not in api.get(f"{ALL}/{order}", desk.seller).text
    assert page(api, order, desk.buyer)["address"]["masked"] is False


@pytest.mark.parametrize(("days", "masked"), [(29, False), (31, True)])
def test_the_street_is_the_stores_until_30_days_after_completion(
    api: Api, desk: Desk, days: int, masked: bool
):
    order = desk.order()
    desk.ship(order)
    assert api.post(f"{ALL}/{order}/confirm", desk.buyer).json["stage"] == "completed"
    desk.change(
        "UPDATE orders SET completed_at = now() - make_interval(days => %s) WHERE id = %s",
        days,
        order,
    )
    assert page(api, order, desk.seller)["address"]["masked"] is masked
    assert ("Veteran" in api.get(f"{ALL}/{order}", desk.seller).text) is not masked
    assert page(api, order, desk.admin)["address"]["masked"] is False


def test_somebody_elses_order_is_not_there(api: Api, desk: Desk):
    order = desk.order()
    for user in (api.buyer(), api.seller(), desk.another().seller):
        problem(api.get(f"{ALL}/{order}", user), 404, "not_found")
    problem(api.get(f"{ALL}/{NOBODY}", desk.buyer), 404, "not_found")
    problem(api.get(f"{ALL}/{order}"), 401, "unauthorized")


def test_a_page_has_a_tag_by_its_version(api: Api, desk: Desk):
    order = desk.order()
    answer = api.get(f"{ALL}/{order}", desk.buyer)
    tag = answer.headers["etag"]
    assert tag.startswith(f'"{answer.json["version"]}-')
    unchanged = api.get(f"{ALL}/{order}", desk.buyer, headers={"If-None-Match": tag})
    assert unchanged.status_code == 304
    desk.ship(order)
    assert api.get(f"{ALL}/{order}", desk.buyer, headers={"If-None-Match": tag}).status_code == 200
