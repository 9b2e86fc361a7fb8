"""Money that people give back over HTTP: pieces, sums, what did not arrive, transfers that came twice or wrong."""

import pytest
from conftest import Api, User
from support.buying import key
from support.orders import Desk
from support.responses import problem

NOBODY = 4611686018427387904
BANK = {"bank": "BCA", "number": "1234567890", "holder": "Siti"}


def give(api: Api, user: User, order: int, **body):
    return api.post(f"/api/orders/{order}/refunds", user, json=body, headers=key())


def given(api: Api, user: User, order: int, **body) -> dict:
    answer = give(api, user, order, **body)
    assert answer.status_code == 201, answer.text
    return answer.json


def sent(desk: Desk, pieces: int = 3) -> tuple[int, int]:
    """An order that is on its way, and its line."""
    order = desk.order((desk.product(), pieces))
    desk.ship(order)
    return order, desk.lines(order)[0]


# Parts --------------------------------------------------------------------------------------------


def test_a_store_gives_back_pieces_and_sums_until_nothing_is_left(api: Api, desk: Desk):
    order, line = sent(desk)
    page = api.get(f"/api/orders/{order}", desk.seller).json
    assert "refund" in page["can"]
    made = given(api, desk.seller, order, lines=[{"line_id": line, "quantity": 1}], reason="lines")
    assert {name: made[name] for name in ("order_id", "amount", "reason", "bearer", "way", "state", "lines")} == {
        "order_id": order, "amount": "85000.00", "reason": "lines", "bearer": "store", "way": "bank",
        "state": "needs_bank", "lines": [{"line_id": line, "quantity": 1, "amount": "85000.00"}],
    }  # fmt: skip
    twice = [{"line_id": line, "quantity": 1}] * 2  # summed
    assert given(api, desk.admin, order, lines=twice)["amount"] == "170000.00"
    problem(give(api, desk.seller, order, lines=twice), 409, "too_many_units")
    assert given(api, desk.seller, order, amount="4000")["reason"] == "goodwill"
    problem(give(api, desk.seller, order, amount="5001"), 409, "refund_too_large")
    assert given(api, desk.seller, order, amount="5000")["amount"] == "5000.00"
    problem(give(api, desk.seller, order, amount="1"), 409, "refund_too_large")
    assert "refund" not in api.get(f"/api/orders/{order}", desk.seller).json["can"]
    listed = api.get(f"/api/orders/{order}/refunds?per_page=3", desk.buyer).json
    rest = api.get(f"/api/orders/{order}/refunds?cursor={listed['next_cursor']}", desk.buyer).json
    amounts = [each["amount"] for each in (*listed["refunds"], *rest["refunds"])]
    assert amounts == ["5000.00", "4000.00", "170000.00", "85000.00"]
    assert listed["refunds"][0]["state"] == "needs_bank"
    assert sum(map(float, amounts)) == 264000


def test_a_sum_can_be_given_back_from_the_payment_on_and_the_page_says_so(api: Api, desk: Desk):
    def can(order: int, user: User) -> bool:
        return "refund" in api.get(f"/api/orders/{order}", user).json["can"]

    for method in ("unpaid", "cod"):
        order = desk.order(method=method)
        problem(give(api, desk.seller, order, amount="500"), 409, "refund_too_large")
        assert not can(order, desk.seller)
    order = desk.order()
    assert (can(order, desk.seller), can(order, desk.admin), can(order, desk.buyer)) == (
        *(True, True),
        False,
    )
    assert given(api, desk.seller, order, amount="500")["amount"] == "500.00"
    desk.cancel(order, desk.seller)
    assert not can(order, desk.seller)


def test_the_platform_gives_a_sum_and_the_store_keeps_its_money(api: Api, desk: Desk):
    order, line = sent(desk)
    lines = [{"line_id": line, "quantity": 1}]
    problem(give(api, desk.admin, order, lines=lines, bearer="platform"), 422, "amount_required")
    problem(give(api, desk.seller, order, amount="500", bearer="platform"), 404, "not_found")
    made = given(api, desk.admin, order, amount="500", bearer="platform")
    assert (made["bearer"], made["reason"]) == ("platform", "goodwill")
    new = desk.order()
    problem(give(api, desk.admin, new, amount="500", bearer="platform"), 409, "order_state")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "amount_required"), ({"amount": "500", "lines": [{"line_id": 1, "quantity": 1}]}, "amount_required"),
        ({"amount": "0"}, "amount_invalid"), ({"amount": "0.50"}, "amount_invalid"), ({"amount": "-1"}, "validation_failed"),
        ({"amount": "10000000000000"}, "validation_failed"), ({"amount": "1", "reason": "x"}, "validation_failed"),
        ({"amount": "NaN"}, "validation_failed"), ({"lines": []}, "validation_failed"),
        ({"amount": "1", "note": "x"}, "validation_failed"), ({"amount": [1]}, "validation_failed"),
        ({"lines": [{"line_id": 1, "quantity": 0}]}, "validation_failed"),
    ],
)  # fmt: skip
def test_another_document_is_refused(api: Api, desk: Desk, body: dict, code: str):
    order, _ = sent(desk)
    problem(give(api, desk.seller, order, **body), 422, code)
    assert desk.one("SELECT refund_total FROM orders WHERE id = %s", order) == 0


def test_pieces_that_have_not_left_are_cancelled_and_not_refunded(api: Api, desk: Desk):
    order = desk.order()
    (line,) = desk.lines(order)
    problem(
        give(api, desk.seller, order, lines=[{"line_id": line, "quantity": 1}]),
        409,
        "too_many_units",
    )
    other = desk.another()
    theirs = other.lines(other.order())[0]
    problem(
        give(api, desk.seller, order, lines=[{"line_id": theirs, "quantity": 1}]),
        409,
        "too_many_units",
    )
    for user in (other.seller, api.seller()):
        problem(give(api, user, order, amount="500"), 404, "not_found")
        problem(api.get(f"/api/orders/{order}/refunds", user), 404, "not_found")
    problem(give(api, desk.buyer, order, amount="500"), 403, "forbidden")
    problem(
        api.post(f"/api/orders/{order}/refunds", desk.seller, json={"amount": "5"}),
        422,
        "idempotency_key_required",
    )


def test_a_store_gives_pieces_back_for_thirty_days(api: Api, desk: Desk):
    order, line = sent(desk)
    desk.do(desk.buyer, "SELECT confirm_received(%s)", order)
    desk.change("UPDATE orders SET completed_at = now() - interval '31 days' WHERE id = %s", order)
    lines = [{"line_id": line, "quantity": 1}]
    problem(give(api, desk.seller, order, lines=lines), 409, "too_late")
    assert given(api, desk.seller, order, amount="500")["amount"] == "500.00"
    assert given(api, desk.admin, order, lines=lines)["amount"] == "85000.00"


# What did not arrive ------------------------------------------------------------------------------


def test_an_account_that_is_wrong_is_asked_for_again_and_nobody_found_is_given_up(
    api: Api, desk: Desk
):
    order = desk.order()
    desk.cancel(order, desk.buyer)
    (refund,) = api.get(f"/api/orders/{order}/refunds", desk.buyer).json["refunds"]
    path = f"/api/refunds/{refund['id']}"
    assert api.put(f"{path}/bank", desk.buyer, json=BANK).json["state"] == "on_its_way"
    told = problem(
        api.post(f"{path}/give-up", desk.admin, json={"message": "x"}), 409, "refund_state"
    )
    assert told["state"] == "due"
    for _ in range(2):
        failed = api.post(f"{path}/fail", desk.admin, json={"reason": "Rekening ditutup"})
        assert (failed.status_code, failed.json["state"]) == (200, "needs_bank")
    (mine,) = api.get("/api/refunds", desk.buyer).json["refunds"]
    assert (mine["state"], mine["problem"]) == ("needs_bank", "Rekening ditutup")
    (theirs,) = api.get("/api/refunds", desk.seller).json["refunds"]
    assert theirs["problem"] is None
    for _ in range(2):
        ended = api.post(f"{path}/give-up", desk.admin, json={"message": "tidak ketemu"})
        assert (ended.status_code, ended.json["state"], ended.json["bank"]["number"]) == (
            200,
            "given_up",
            "***7890",
        )
    problem(api.post(f"{path}/fail", desk.admin, json={"reason": "x"}), 409, "refund_state")
    for verb, body in (("fail", {"reason": "x"}), ("give-up", {"message": "x"})):
        for user in (desk.buyer, desk.seller):
            problem(api.post(f"{path}/{verb}", user, json=body), 403, "forbidden")
        problem(api.post(f"/api/refunds/{NOBODY}/{verb}", desk.admin, json=body), 404, "not_found")
        problem(api.post(f"{path}/{verb}", desk.admin, json={}), 422, "validation_failed")


def test_what_a_store_does_not_give_back_an_admin_sends_by_bank(api: Api, desk: Desk):
    order = desk.order((desk.product(), 2), method="cod")
    parcel = desk.ship(order)
    desk.do(desk.seller, "SELECT deliver_shipment(%s, %s)", order, parcel)
    made = given(api, desk.seller, order, amount="5000")
    assert (made["way"], made["state"]) == ("store", "due")
    failed = api.post(f"/api/refunds/{made['id']}/fail", desk.admin, json={"reason": "Toko diam"})
    assert (failed.json["way"], failed.json["state"]) == ("bank", "needs_bank")


# Transfers ----------------------------------------------------------------------------------------


def payment_of(desk: Desk, order: int) -> int:
    return int(desk.one("SELECT payment_id FROM orders WHERE id = %s", order))


def test_money_that_came_once_more_goes_home(api: Api, desk: Desk):
    order = desk.order()
    path = f"/api/payments/{payment_of(desk, order)}"
    tag = api.get(path, desk.buyer).headers["ETag"]
    for _ in range(2):
        answer = api.post(
            f"{path}/again",
            desk.admin,
            json={"received": "179000"},
            headers={"Idempotency-Key": "x" * 255},
        )
        assert (answer.status_code, answer.json["state"]) == (200, "paid")
    assert api.get(path, desk.buyer).headers["ETag"] != tag
    (refund,) = api.get("/api/refunds", desk.buyer).json["refunds"]
    assert (refund["amount"], refund["reason"], refund["order_id"]) == ("179000.00", "twice", None)
    problem(
        api.post(f"{path}/again", desk.admin, json={"received": "5"}),
        422,
        "idempotency_key_required",
    )
    problem(
        api.post(f"{path}/again", desk.admin, json={"received": "0"}, headers=key()),
        422,
        "amount_invalid",
    )
    problem(
        api.post(f"{path}/again", desk.seller, json={"received": "5"}, headers=key()),
        404,
        "not_found",
    )
    problem(
        api.post(f"{path}/again", desk.buyer, json={"received": "5"}, headers=key()),
        403,
        "forbidden",
    )
    unpaid = desk.order(method="unpaid")
    open_one = desk.one(
        "SELECT p.id FROM payments AS p JOIN orders AS o USING (checkout_id) WHERE o.id = %s",
        unpaid,
    )
    problem(
        api.post(
            f"/api/payments/{open_one}/again", desk.admin, json={"received": "5"}, headers=key()
        ),
        409,
        "not_payable",
    )
    listed = api.get("/api/payments?state=open", desk.admin).json["payments"]
    assert open_one in [each["id"] for each in listed]


def test_a_wrong_amount_waits_for_somebody_and_goes_home(api: Api, desk: Desk):
    order = desk.order(method="unpaid")
    payment = desk.one(
        "SELECT p.id FROM payments AS p JOIN orders AS o USING (checkout_id) WHERE o.id = %s", order
    )
    assert (
        desk.do(None, "SELECT apply_payment(%s, 'paid', 100, 'IDR')", payment) == "amount_mismatch"
    )
    listed = api.get("/api/payments?problem=true", desk.admin).json["payments"]
    (found,) = [each for each in listed if each["id"] == payment]
    assert (found["problem"], found["received"], found["settled"]) == (
        "amount_mismatch",
        "100.00",
        False,
    )
    path = f"/api/payments/{payment}/settle"
    for how in ("noted", "noted", "send_back", "send_back"):
        answer = api.post(path, desk.admin, json={"how": how})
        assert answer.status_code == 200, answer.text
    (refund,) = api.get("/api/refunds", desk.buyer).json["refunds"]
    assert (refund["amount"], refund["reason"]) == ("100.00", "mismatch")
    assert payment not in [
        each["id"] for each in api.get("/api/payments?problem=true", desk.admin).json["payments"]
    ]
    problem(api.post(path, desk.admin, json={"how": "keep"}), 422, "validation_failed")
    problem(api.post(path, desk.seller, json={"how": "noted"}), 404, "not_found")
    for query in ("state=open&problem=true", "problem=false"):
        problem(api.get(f"/api/payments?{query}", desk.admin), 400, "filter_not_offered")
    store = desk.seller.store_id
    assert api.get(f"/api/payments?store_id={store}", desk.seller).json["payments"] == []
    assert api.get(f"/api/payments?state=open&store_id={store}", desk.admin).json["payments"] == []
    problem(api.get(f"/api/payments?store_id={store}", api.seller()), 404, "not_found")
