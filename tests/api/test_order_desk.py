"""The order desk over HTTP: who moves an order where, what is refused, and what is so already."""

import pytest
from conftest import Api, User
from support.orders import Desk
from support.responses import problem

ALL = "/api/orders"
MINE = "/api/stores/mine/orders"
NOBODY = 4611686018427387904


def send(api: Api, user: User, order: int, verb: str, body: dict | None = None, **headers: str):
    """POST a verb of an order. A body of None sends none."""
    options = {} if body is None else {"json": body}
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return api.post(f"{ALL}/{order}/{verb}", user, headers=named, **options)


def moved(answer, stage: str) -> dict:
    assert answer.status_code == 200, answer.text
    assert answer.json["stage"] == stage
    return answer.json


def ship(api: Api, desk: Desk, order: int, key: str = "one", **body):
    return send(api, desk.seller, order, "ship", body, idempotency_key=key)


# The way of an order ------------------------------------------------------------------------------


def test_an_order_goes_from_the_store_to_its_buyer(api: Api, desk: Desk):
    product = desk.product(5)
    order = desk.order((product, 2))
    page = moved(send(api, desk.seller, order, "accept"), "to_ship")
    assert page["can"] == ["cancel", "ship", "cancel_lines", "refund"]
    page = moved(
        ship(api, desk, order, courier="jne", service="REG", tracking_number=" jx 34 56 "),
        "shipping",
    )
    (parcel,) = page["shipments"]
    assert (parcel["tracking_number"], page["tracking_number"]) == ("JX3456", "JX3456")
    assert page["fulfilment_status"] == "shipped"
    assert api.get(f"/api/products/{product}").json["stock"] == 3
    page = moved(send(api, desk.buyer, order, "confirm"), "completed")
    assert (page["can"], page["deadline"], page["shipments"][0]["state"]) == (
        ["return"],
        None,
        "delivered",
    )
    assert [step["type"] for step in page["timeline"]][-2:] == [
        "order.delivered",
        "order.completed",
    ]
    balance = desk.one(
        "SELECT balance FROM store_balances WHERE store_id = %s", desk.seller.store_id
    )
    assert balance == 179_000


def test_each_step_that_is_so_already_is_200_with_the_page(api: Api, desk: Desk):
    order = desk.order()
    assert (
        send(api, desk.seller, order, "accept").json["version"]
        == send(api, desk.seller, order, "accept").json["version"]
    )
    first = ship(api, desk, order, tracking_number="JX1")
    again = ship(api, desk, order, key="two", tracking_number="jx1")
    assert moved(again, "shipping")["version"] == first.json["version"]
    assert len(again.json["shipments"]) == 1
    path = f"shipments/{again.json['shipments'][0]['id']}/delivered"
    for _ in range(2):
        moved(send(api, desk.seller, order, path), "delivered")
    for _ in range(2):
        moved(send(api, desk.buyer, order, "confirm"), "completed")
    other = desk.order()
    for _ in range(2):
        page = moved(
            send(api, desk.buyer, other, "cancel", {"reason": "changed_mind"}), "cancelled"
        )
    assert (page["cancel_reason"], page["cancelled_by"]) == ("changed_mind", "buyer")
    moved(send(api, desk.seller, other, "refuse-cancel"), "cancelled")


def test_an_order_is_sent_in_parts(api: Api, desk: Desk):
    order = desk.order((desk.product(), 2), (desk.product(), 3))
    first, second = desk.lines(order)
    page = moved(ship(api, desk, order, "a", lines=[{"line_id": first, "quantity": 1}]), "to_ship")
    assert page["fulfilment_status"] == "partially_shipped"
    replay = ship(api, desk, order, "a", lines=[{"line_id": first, "quantity": 1}])
    assert replay.headers["idempotent-replayed"] == "true"
    assert (
        replay.content
        == ship(api, desk, order, "a", lines=[{"line_id": first, "quantity": 1}]).content
    )
    twice = [{"line_id": second, "quantity": 1}, {"line_id": second, "quantity": 1}]
    page = moved(ship(api, desk, order, "b", lines=twice), "to_ship")
    assert [line["shipped"] for line in page["lines"]] == [1, 2]
    page = moved(ship(api, desk, order, "c"), "shipping")
    assert [line["shipped"] for line in page["lines"]] == [2, 3]
    assert [len(parcel["lines"]) for parcel in page["shipments"]] == [1, 1, 2]


@pytest.mark.parametrize("pieces", [0, 1001])
def test_pieces_are_1_to_1000(api: Api, desk: Desk, pieces: int):
    order = desk.order()
    lines = [{"line_id": desk.lines(order)[0], "quantity": pieces}]
    problem(ship(api, desk, order, lines=lines), 422, "validation_failed")


def test_what_is_not_in_the_order_is_not_sent(api: Api, desk: Desk):
    order, other = desk.order(), desk.order()
    for lines in (
        [{"line_id": desk.lines(order)[0], "quantity": 3}],
        [{"line_id": desk.lines(other)[0], "quantity": 1}],
        [{"line_id": desk.lines(order)[0], "quantity": 1}, {"line_id": NOBODY, "quantity": 1}],
    ):
        told = problem(ship(api, desk, order, lines=lines), 409, "too_many_units")
        assert told["stage"] == "new"
        assert "ship" in told["can"]
    assert desk.one("SELECT count(*) FROM shipments") == 0


def test_what_goes_twice_needs_a_key(api: Api, desk: Desk):
    order = desk.order((desk.product(), 3))
    lines = [{"line_id": desk.lines(order)[0], "quantity": 1}]
    problem(send(api, desk.seller, order, "ship", {}), 422, "idempotency_key_required")
    problem(
        send(api, desk.seller, order, "cancel", {"lines": lines}), 422, "idempotency_key_required"
    )
    for _ in range(2):
        page = send(
            api,
            desk.seller,
            order,
            "cancel",
            {"lines": lines, "reason": "out_of_stock"},
            idempotency_key="k",
        )
        assert page.json["lines"][0]["cancelled"] == 1


def test_cancelled_pieces_give_stock_and_money_back(api: Api, desk: Desk):
    product = desk.product(10)
    order = desk.order((product, 3))
    lines = [{"line_id": desk.lines(order)[0], "quantity": 1}]
    page = send(api, desk.seller, order, "cancel", {"lines": lines}, idempotency_key="k").json
    assert (page["stage"], page["totals"]["cancelled"]) == ("new", "85000.00")
    assert api.get(f"/api/products/{product}").json["stock"] == 8
    assert desk.one("SELECT amount FROM refunds WHERE order_id = %s", order) == 85_000
    lines[0]["quantity"] = 2
    page = send(api, desk.seller, order, "cancel", {"lines": lines}, idempotency_key="l").json
    assert (page["stage"], page["fulfilment_status"]) == ("cancelled", "cancelled")
    assert desk.one("SELECT refund_total FROM orders WHERE id = %s", order) == 264_000
    problem(
        send(api, desk.buyer, desk.order(), "cancel", {"lines": lines}, idempotency_key="m"),
        404,
        "not_found",
    )


# Cancelling ---------------------------------------------------------------------------------------


def test_a_buyer_cancels_what_is_new_and_asks_for_what_is_accepted(api: Api, desk: Desk):
    order = desk.order()
    assert api.get(f"{ALL}/{order}", desk.buyer).json["cancel"]["how"] == "now"
    send(api, desk.seller, order, "accept")
    assert api.get(f"{ALL}/{order}", desk.buyer).json["cancel"]["how"] == "ask"
    page = moved(send(api, desk.buyer, order, "cancel", {"reason": "too_slow"}), "to_ship")
    assert (page["open_request"], page["deadline"]["what"], page["can"]) == (
        "cancel",
        "answer_cancel",
        [],
    )
    moved(send(api, desk.buyer, order, "cancel", {"reason": "other"}), "to_ship")
    page = moved(send(api, desk.seller, order, "refuse-cancel"), "to_ship")
    assert (page["open_request"], page["deadline"]["what"]) == (None, "ship")
    send(api, desk.buyer, order, "cancel", {"reason": "too_slow"})
    page = moved(send(api, desk.seller, order, "cancel", {"reason": "buyer_asked"}), "cancelled")
    assert (page["cancel_reason"], page["cancelled_by"]) == ("too_slow", "seller")


def test_sending_answers_what_was_asked(api: Api, desk: Desk):
    order = desk.order()
    send(api, desk.seller, order, "accept")
    send(api, desk.buyer, order, "cancel", {"reason": "too_slow"})
    page = moved(ship(api, desk, order), "shipping")
    assert page["open_request"] is None
    told = problem(send(api, desk.buyer, order, "cancel", {}), 409, "already_shipped")
    assert (told["stage"], told["can"]) == ("shipping", ["confirm"])


def test_what_is_unpaid_is_cancelled_as_its_checkout(api: Api, desk: Desk):
    order = desk.order(method="unpaid")
    told = problem(send(api, desk.buyer, order, "cancel", {}), 409, "order_state")
    checkout = desk.one("SELECT checkout_id FROM orders WHERE id = %s", order)
    assert (told["checkout_id"], told["stage"]) == (checkout, "unpaid")
    assert told["errors"][0]["checkout_id"] == checkout
    for verb in ("accept", "ship"):
        answer = send(
            api, desk.seller, order, verb, {} if verb == "ship" else None, idempotency_key="k"
        )
        assert problem(answer, 409, "order_state")["stage"] == "unpaid"


# Refusals -----------------------------------------------------------------------------------------


def test_refusals_name_the_stage_and_what_would_go(api: Api, desk: Desk):
    order = desk.order()
    told = problem(send(api, desk.buyer, order, "confirm"), 409, "order_state")
    assert (told["stage"], told["can"]) == ("new", ["cancel"])
    assert told["errors"][0]["stage"] == "new"
    moved(ship(api, desk, order), "shipping")
    told = problem(ship(api, desk, order, "again"), 409, "order_state")
    assert (told["stage"], told["can"]) == ("shipping", ["delivered", "returned", "refund"])
    parcel = desk.one("SELECT id FROM shipments WHERE order_id = %s", order)
    moved(send(api, desk.buyer, order, "confirm"), "completed")
    answer = send(api, desk.seller, order, f"shipments/{parcel}/returned", {"outcome": "lost"})
    assert problem(answer, 409, "order_state")["stage"] == "completed"


def test_somebody_elses_order_is_not_there_for_any_verb(api: Api, desk: Desk):
    order = desk.order()
    parcel = desk.ship(order, (desk.lines(order)[0], 1))
    stranger, seller = api.buyer(), desk.another().seller
    calls = [("confirm", None), ("cancel", {})]
    sellers = [
        ("accept", None), ("ship", {}), ("refuse-cancel", None), (f"shipments/{parcel}/delivered", None),
        (f"shipments/{parcel}/returned", {"outcome": "lost"}),
    ]  # fmt: skip
    for user, tried in ((stranger, calls), (seller, calls + sellers)):
        for verb, body in tried:
            problem(send(api, user, order, verb, body, idempotency_key=f"{verb}"), 404, "not_found")
    answer = api.patch(f"{ALL}/{order}/shipments/{parcel}", seller, json={"courier": "x"})
    problem(answer, 404, "not_found")
    for verb, body in sellers:
        answer = send(api, desk.buyer, order, verb, body, idempotency_key=f"b{verb}")
        problem(answer, 403, "forbidden")
    assert desk.one("SELECT stage FROM orders WHERE id = %s", order) == "to_ship"


def test_a_stale_version_is_412(api: Api, desk: Desk):
    order = desk.order()
    tag = api.get(f"{ALL}/{order}", desk.seller).headers["etag"]
    moved(send(api, desk.seller, order, "accept", if_match=tag), "to_ship")
    problem(send(api, desk.seller, order, "cancel", {}, if_match=tag), 412, "precondition_failed")
    problem(send(api, api.seller(), order, "accept", if_match=tag), 404, "not_found")


# Parcels ------------------------------------------------------------------------------------------


def test_a_number_is_mended_until_the_parcel_arrives(api: Api, desk: Desk):
    order = desk.order((desk.product(), 2))
    line = desk.lines(order)[0]
    first, _ = (desk.ship(order, (line, 1), number=number) for number in ("A1", "A2"))
    path = f"{ALL}/{order}/shipments/{first}"
    page = moved(api.patch(path, desk.seller, json={"tracking_number": "b 9"}), "shipping")
    parcel = page["shipments"][0]
    assert (parcel["tracking_number"], parcel["courier"], parcel["service"]) == ("B9", "jne", "REG")
    answer = api.patch(path, desk.seller, json={"tracking_number": "A2"})
    problem(answer, 409, "already_shipped")
    assert (
        api.patch(path, desk.seller, json={"service": ""}).json["shipments"][0]["service"] is None
    )
    moved(send(api, desk.seller, order, f"shipments/{first}/delivered"), "shipping")
    problem(api.patch(path, desk.seller, json={"courier": "x"}), 404, "not_found")


@pytest.mark.parametrize(
    ("outcome", "sellable", "stock"),
    [("refused", True, 5), ("undeliverable", False, 3), ("lost", True, 3)],
)
def test_a_parcel_that_does_not_arrive_ends_its_order(
    api: Api, desk: Desk, outcome: str, sellable: bool, stock: int
):
    product = desk.product(5)
    order = desk.order((product, 2))
    parcel = desk.ship(order)
    body = {"outcome": outcome, "sellable": sellable}
    for _ in range(2):
        page = moved(
            send(api, desk.seller, order, f"shipments/{parcel}/returned", body), "cancelled"
        )
    assert (page["cancel_reason"], page["shipments"][0]["outcome"]) == (outcome, outcome)
    assert api.get(f"/api/products/{product}").json["stock"] == stock
    assert desk.one("SELECT refund_total FROM orders WHERE id = %s", order) == 179_000


def test_one_of_two_parcels_is_lost(api: Api, desk: Desk):
    order = desk.order((desk.product(), 2))
    line = desk.lines(order)[0]
    first, second = (desk.ship(order, (line, 1), number=number) for number in ("A1", "A2"))
    page = moved(
        send(api, desk.seller, order, f"shipments/{first}/returned", {"outcome": "lost"}),
        "shipping",
    )
    assert (page["lines"][0]["undelivered"], page["totals"]["cancelled"]) == (1, "85000.00")
    assert desk.one("SELECT amount FROM refunds WHERE order_id = %s", order) == 85_000
    page = moved(send(api, desk.buyer, order, "confirm"), "completed")
    texts = [(step["text"], step["shipment_id"]) for step in page["timeline"]]
    assert ("The parcel was lost", first) in texts
    assert ("Arrived", second) in texts
    problem(
        send(api, desk.seller, order, f"shipments/{first}/returned", {"outcome": "burnt"}),
        422,
        "validation_failed",
    )


# Cash at the door ---------------------------------------------------------------------------------


def test_cash_that_the_store_collects_is_owed_by_it(api: Api, desk: Desk):
    order = desk.order((desk.product(), 2), method="cod")
    lines = [{"line_id": desk.lines(order)[0], "quantity": 1}]
    told = problem(ship(api, desk, order, lines=lines), 409, "cod_one_parcel")
    assert told["stage"] == "new"
    page = moved(ship(api, desk, order), "shipping")
    path = f"shipments/{page['shipments'][0]['id']}/delivered"
    page = moved(send(api, desk.seller, order, path), "delivered")
    assert (page["payment_status"], page["totals"]["paid"]) == ("paid", "179000.00")
    moved(send(api, desk.buyer, order, "confirm"), "completed")
    query = "SELECT balance FROM store_balances WHERE store_id = %s"
    assert desk.one(query, desk.seller.store_id) == 0


def test_cash_of_the_platforms_courier_is_an_admins_word(api: Api, desk: Desk):
    order = desk.order(method="cod")
    desk.change("UPDATE orders SET cod_collector = 'platform' WHERE id = %s", order)
    page = moved(ship(api, desk, order), "shipping")
    assert page["can"] == ["returned"]
    path = f"shipments/{page['shipments'][0]['id']}/delivered"
    told = problem(send(api, desk.seller, order, path), 409, "order_state")
    assert told["can"] == ["returned"]
    problem(send(api, desk.buyer, order, "confirm"), 409, "order_state")
    moved(send(api, desk.admin, order, path), "delivered")


def test_cash_that_was_refused_is_nobodys(api: Api, desk: Desk):
    order = desk.order(method="cod")
    parcel = desk.ship(order)
    page = moved(
        send(api, desk.seller, order, f"shipments/{parcel}/returned", {"outcome": "refused"}),
        "cancelled",
    )
    assert (page["payment_status"], page["totals"]["paid"]) == ("unpaid", "0.00")
    assert desk.one("SELECT count(*) FROM refunds WHERE order_id = %s", order) == 0


# Many at once -------------------------------------------------------------------------------------


def test_many_are_accepted_a_row_each(api: Api, desk: Desk):
    new, unpaid, foreign = desk.order(), desk.order(method="unpaid"), desk.another().order()
    accepted = desk.order()
    send(api, desk.seller, accepted, "accept")
    ids = [new, accepted, unpaid, foreign, NOBODY, new]
    answer = api.post(f"{MINE}/accept", desk.seller, json={"ids": ids})
    assert answer.json == {
        "done": 1, "unchanged": 1, "failed": 3,
        "rows": [
            {"id": new, "outcome": "done"}, {"id": accepted, "outcome": "unchanged"}, {"id": unpaid, "outcome": "order_state"},
            {"id": foreign, "outcome": "not_found"}, {"id": NOBODY, "outcome": "not_found"},
        ],
    }  # fmt: skip
    assert api.post(f"{MINE}/accept", desk.seller, json={"ids": [new]}).json["unchanged"] == 1
    problem(
        api.post(f"{MINE}/accept", desk.seller, json={"ids": list(range(1, 102))}),
        422,
        "validation_failed",
    )
    problem(api.post(f"{MINE}/accept", desk.buyer, json={"ids": [new]}), 403, "forbidden")


def test_many_are_sent_a_row_each(api: Api, desk: Desk):
    first, second, unpaid, foreign = (
        desk.order(),
        desk.order(),
        desk.order(method="unpaid"),
        desk.another().order(),
    )
    rows = [
        {"id": first, "courier": "jne", "tracking_number": "jx 1"}, {"id": second}, {"id": unpaid}, {"id": foreign}, {"id": NOBODY},
    ]  # fmt: skip
    answer = api.post(f"{MINE}/ship", desk.seller, json={"orders": rows})
    assert [row["outcome"] for row in answer.json["rows"]] == [
        "done",
        "done",
        "order_state",
        "not_found",
        "not_found",
    ]
    again = api.post(f"{MINE}/ship", desk.seller, json={"orders": rows[:2]})
    assert again.json == {
        "done": 0, "unchanged": 2, "failed": 0,
        "rows": [{"id": first, "outcome": "unchanged"}, {"id": second, "outcome": "unchanged"}],
    }  # fmt: skip
    assert desk.one("SELECT count(*) FROM shipments") == 2
    assert desk.one("SELECT tracking_number FROM shipments WHERE order_id = %s", first) == "JX1"
