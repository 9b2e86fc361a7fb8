"""Returns and disputes over HTTP: who makes which step, what goes back, and what silence decides."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from conftest import Api, User
from support.buying import key, upload
from support.orders import Desk
from support.responses import problem

from marketplace.workflows import return_timers

ORDERS = "/api/orders"
NOBODY = 4611686018427387904
BANK = {"bank": "BCA", "number": "1234567890", "holder": "Siti"}


def arrived(desk: Desk, pieces: int = 2, **options) -> tuple[int, int, int]:
    """An order that has come; its product and its line."""
    product = desk.product()
    order = desk.order((product, pieces), **options)
    parcel = desk.ship(order)
    desk.do(desk.seller, "SELECT deliver_shipment(%s, %s)", order, parcel)
    return order, product, desk.lines(order)[0]


def ask(
    api: Api, desk: Desk, order: int, *lines: tuple[int, int], user: User | None = None, **body
):
    wanted = [{"line_id": line, "quantity": pieces} for line, pieces in lines]
    document = {"lines": wanted, "reason": "damaged", **body}
    return api.post(f"{ORDERS}/{order}/returns", user or desk.buyer, json=document, headers=key())


def opened(api: Api, desk: Desk, order: int, *lines: tuple[int, int], **body) -> dict:
    answer = ask(api, desk, order, *lines, **body)
    assert answer.status_code == 201, answer.text
    return answer.json


def step(api: Api, asked: dict, user: User, **body):
    path = f"{ORDERS}/{asked['order_id']}/returns/{asked['id']}"
    return api.request("PATCH", path, user, json=body)


def moved(api: Api, asked: dict, user: User, **body) -> dict:
    answer = step(api, asked, user, **body)
    assert answer.status_code == 200, answer.text
    return answer.json


class WorkersDoor:
    """The worker's door to the rolled-back connection."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    @contextmanager
    def working(self) -> Iterator[Any]:
        with self.desk.owner() as conn:
            conn.execute(
                "SELECT set_config('role', 'marketplace_worker', false), set_config('app.session', '', true)"
            )
            with conn.transaction():
                yield conn


def timers(desk: Desk) -> int:
    """Run the timers of returns; how many they have moved."""
    return return_timers.run(WorkersDoor(desk))  # type: ignore[arg-type]


def due(desk: Desk, asked: dict) -> int:
    """Let the time of a return be over; how many the timer has moved."""
    desk.change(
        "UPDATE order_requests SET deadline_at = now() - interval '1 minute' WHERE id = %s",
        asked["id"],
    )
    return timers(desk)


# The way of a return ------------------------------------------------------------------------------


def test_pieces_go_back_and_their_money_comes_home(api: Api, desk: Desk):
    order, product, line = arrived(desk)
    image = upload(api, desk.buyer, "request")
    page = api.get(f"{ORDERS}/{order}", desk.buyer).json
    assert page["can"] == ["confirm", "return"]
    asked = opened(api, desk, order, (line, 1), message="pecah", uploads=[image])
    assert {name: asked[name] for name in ("state", "amount", "lines", "can", "refund", "keep_goods")} == {
        "state": "open", "amount": "85000.00", "lines": [{"line_id": line, "quantity": 1}],
        "can": ["withdraw", "dispute"], "refund": None, "keep_goods": False,
    }  # fmt: skip
    page = api.get(f"{ORDERS}/{order}", desk.buyer).json
    assert (page["open_request"], page["deadline"]["what"]) == ("return", "answer_return")
    assert (page["can"], [each["id"] for each in page["returns"]]) == ([], [asked["id"]])
    problem(api.post(f"{ORDERS}/{order}/confirm", desk.buyer), 409, "request_open")
    seen = api.get(f"{ORDERS}/{order}/returns/{asked['id']}", desk.seller)
    (shown,) = seen.json["images"]
    assert api.get(shown["url"][shown["url"].index("/api/") :]).status_code == 200
    assert seen.json["can"] == ["approve", "reject", "dispute"]
    assert moved(api, asked, desk.seller, state="approved", message="baik")["reply"] == "baik"
    tag = api.get(f"{ORDERS}/{order}/returns/{asked['id']}", desk.buyer).headers["ETag"]
    moved(api, asked, desk.buyer, state="sent_back", tracking_number="JX 1")
    stale = api.request(
        "PATCH", f"{ORDERS}/{order}/returns/{asked['id']}", desk.seller,
        json={"state": "rejected"}, headers={"If-Match": tag},
    )  # fmt: skip
    problem(stale, 412, "precondition_failed")
    told = problem(step(api, asked, desk.seller, state="done"), 422, "validation_failed")
    assert told["errors"][0]["pointer"] == "/sellable"
    before = desk.one("SELECT quantity FROM inventory WHERE product_id = %s", product)
    for _ in range(2):  # again it is so already
        done = moved(api, asked, desk.seller, state="done", sellable=True)
    assert (done["state"], done["refund"]["amount"], done["refund"]["state"]) == (
        "done",
        "85000.00",
        "needs_bank",
    )
    assert desk.one("SELECT quantity FROM inventory WHERE product_id = %s", product) == before + 1
    page = api.get(f"{ORDERS}/{order}", desk.buyer).json
    assert [(each["id"], each["amount"], each["reason"]) for each in page["refunds"]] == [
        (done["refund"]["id"], "85000.00", "return")
    ]
    assert (page["open_request"], page["deadline"]["what"], page["lines"][0]["returned"]) == (
        None,
        "complete",
        1,
    )


def test_what_is_kept_is_paid_back_without_a_parcel(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    asked = opened(api, desk, order, (line, 2), keep_goods=True)
    moved(api, asked, desk.seller, state="approved")
    problem(step(api, asked, desk.buyer, state="sent_back"), 409, "return_state")
    done = moved(api, asked, desk.seller, state="done")
    assert done["refund"]["amount"] == "170000.00"
    assert desk.one("SELECT units_returned FROM orders WHERE id = %s", order) == 0


def test_what_has_not_come_is_asked_for_when_its_days_are_over(api: Api, desk: Desk):
    order = desk.order()
    desk.ship(order)
    (line,) = desk.lines(order)
    problem(ask(api, desk, order, (line, 2), reason="missing"), 409, "too_early")
    assert "return" not in api.get(f"{ORDERS}/{order}", desk.buyer).json["can"]
    desk.change(
        "UPDATE shipments SET shipped_at = now() - interval '10 days' WHERE order_id = %s", order
    )
    assert "return" in api.get(f"{ORDERS}/{order}", desk.buyer).json["can"]
    asked = opened(api, desk, order, (line, 2), reason="missing")
    assert asked["keep_goods"]
    assert due(desk, asked) == 1
    assert due(desk, asked) == 1
    page = api.get(f"{ORDERS}/{order}", desk.buyer).json
    assert (page["returns"][0]["state"], page["refunds"][0]["amount"]) == ("done", "170000.00")


# What is refused ----------------------------------------------------------------------------------


def test_one_return_is_open_at_a_time_and_the_same_again_is_the_same(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    asked = opened(api, desk, order, (line, 1), message="pecah")
    again = ask(api, desk, order, (line, 1), message="pecah")
    assert (again.status_code, again.json["id"]) == (200, asked["id"])
    problem(ask(api, desk, order, (line, 2)), 409, "return_open")


def test_a_no_is_disputed_and_not_asked_again(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    asked = opened(api, desk, order, (line, 1))
    told = moved(api, asked, desk.seller, state="rejected", message="sudah dipakai")
    assert (told["state"], told["reply"]) == ("rejected", "sudah dipakai")
    problem(ask(api, desk, order, (line, 1)), 409, "return_state")
    assert moved(api, asked, desk.buyer, disputed=True)["can"] == []
    assert api.get(f"{ORDERS}/{order}", desk.buyer).json["open_request"] == "dispute"
    told = problem(step(api, asked, desk.seller, state="done", sellable=True), 409, "return_state")
    assert told["state"] == "rejected"


def test_buttons_about_returns_are_those_that_work(api: Api, desk: Desk):
    order = desk.order((desk.product(), 1), (desk.product(), 2))
    desk.ship(order)
    api.post(f"{ORDERS}/{order}/confirm", desk.buyer)
    first, second = desk.lines(order)

    def can(*returned: dict) -> list[list[str]]:
        paths = ["", *(f"/returns/{each['id']}" for each in returned)]
        return [api.get(f"{ORDERS}/{order}{path}", desk.buyer).json["can"] for path in paths]

    no = opened(api, desk, order, (first, 1))
    moved(api, no, desk.seller, state="rejected")
    assert can(no) == [["return"], ["dispute"]]
    other = opened(api, desk, order, (second, 1))
    assert can(no, other) == [[], [], ["withdraw", "dispute"]]
    problem(step(api, no, desk.buyer, disputed=True), 409, "return_open")
    for _ in range(2):
        moved(api, other, desk.buyer, state="withdrawn")
        other = opened(api, desk, order, (second, 1))
    moved(api, other, desk.seller, state="rejected")
    assert can(no, other) == [[], ["dispute"], ["dispute"]]
    problem(ask(api, desk, order, (second, 1)), 409, "return_state")
    desk.change("UPDATE order_requests SET state = 'withdrawn' WHERE order_id = %s", order)
    assert can() == [[]]
    problem(ask(api, desk, order, (second, 1)), 409, "too_late")


@pytest.mark.parametrize(("pieces", "code"), [(3, "too_many_units"), (0, None)])
def test_a_return_names_pieces_that_are_there(api: Api, desk: Desk, pieces: int, code: str | None):
    order, _, line = arrived(desk)
    answer = ask(api, desk, order, (line, pieces))
    problem(answer, 409 if code else 422, code or "validation_failed")


def test_what_is_of_somebody_else_is_not_there_or_not_taken(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    other, stranger = desk.another(), api.buyer()
    theirs = other.order()
    foreign = upload(api, stranger, "request")
    for uploads in (
        [foreign],
        [upload(api, desk.buyer, "proof")],
        [f"00000000{foreign[8:]}"],
    ):
        told = problem(ask(api, desk, order, (line, 1), uploads=uploads), 422, "validation_failed")
        assert told["errors"][0]["pointer"] == "/uploads"
    problem(ask(api, desk, order, (other.lines(theirs)[0], 1)), 409, "too_many_units")
    for user in (stranger, desk.seller, desk.admin, other.seller):
        problem(ask(api, desk, order, (line, 1), user=user), 404, "not_found")
    asked = opened(api, desk, order, (line, 1))
    path = f"{ORDERS}/{order}/returns/{asked['id']}"
    for user in (stranger, other.seller):
        problem(api.get(path, user), 404, "not_found")
        problem(step(api, asked, user, state="withdrawn"), 404, "not_found")
        problem(step(api, asked, user, disputed=True), 404, "not_found")
    problem(api.get(f"{ORDERS}/{theirs}/returns/{asked['id']}", desk.admin), 404, "not_found")
    for user, body in (
        (desk.buyer, {"state": "approved"}), (desk.seller, {"state": "withdrawn"}), (desk.admin, {"state": "approved"}),
        (desk.admin, {"disputed": True}), (desk.seller, {"state": "done"}),
        (desk.admin, {"decision": {"amount": "1", "bearer": "store"}}),
    ):  # fmt: skip
        problem(step(api, asked, user, **body), 409, "return_state")
    decision = {"amount": "85000", "bearer": "platform"}
    for user in (desk.buyer, desk.seller):
        problem(step(api, asked, user, decision=decision), 403, "forbidden")
    for body in (
        {},
        {"state": "approved", "disputed": True},
        {"state": "open"},
        {"disputed": False},
    ):
        problem(step(api, asked, desk.seller, **body), 422, "validation_failed")


def test_after_seven_days_and_after_three_that_came_to_nothing_it_is_too_late(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    for _ in range(3):
        asked = opened(api, desk, order, (line, 1))
        moved(api, asked, desk.buyer, state="withdrawn")
    problem(ask(api, desk, order, (line, 1)), 409, "too_late")
    done, _, line = arrived(desk)
    desk.do(desk.buyer, "SELECT complete_order(%s)", done)
    page = api.get(f"{ORDERS}/{done}", desk.buyer).json
    assert "return" in page["can"]
    assert page["return_until"] is not None
    desk.change("UPDATE orders SET completed_at = now() - interval '8 days' WHERE id = %s", done)
    assert "return" not in api.get(f"{ORDERS}/{done}", desk.buyer).json["can"]
    problem(ask(api, desk, done, (line, 1)), 409, "too_late")


# Disputes -----------------------------------------------------------------------------------------


def decided(api: Api, desk: Desk, asked: dict, amount: str, bearer: str, **body):
    return step(api, asked, desk.admin, decision={"amount": amount, "bearer": bearer}, **body)


def test_the_platform_bears_what_an_admin_decides(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    asked = opened(api, desk, order, (line, 1))
    moved(api, asked, desk.seller, disputed=True)
    listed = api.get("/api/returns?disputed=true", desk.admin).json["returns"]
    assert [each["id"] for each in listed] == [asked["id"]]
    assert listed[0]["can"] == ["decide"]
    for _ in range(2):
        answer = decided(api, desk, asked, "500.00", "platform", message="dibagi")
        assert answer.status_code == 200, answer.text
    told = answer.json
    assert (told["state"], told["disputed"], told["bearer"]) == ("done", True, "platform")
    assert told["refund"] == {"id": told["refund"]["id"], "amount": "500.00", "state": "needs_bank"}
    assert desk.one("SELECT count(*) FROM refunds WHERE order_id = %s", order) == 1
    desk.do(desk.buyer, "SELECT complete_order(%s)", order)
    assert api.get("/api/stores/mine/balance", desk.seller).json["balance"] == "179000.00"


def test_all_of_what_was_sent_back_decided_against_the_store_is_a_return(api: Api, desk: Desk):
    order, product, line = arrived(desk)
    asked = opened(api, desk, order, (line, 1))
    moved(api, asked, desk.seller, state="approved")
    moved(api, asked, desk.buyer, state="sent_back")
    moved(api, asked, desk.buyer, disputed=True)
    told = decided(api, desk, asked, "90000", "store", sellable=True).json
    assert (told["state"], told["refund"]["amount"]) == ("done", "90000.00")
    assert desk.one("SELECT units_returned FROM orders WHERE id = %s", order) == 1
    assert desk.one("SELECT quantity FROM inventory WHERE product_id = %s", product) == 19


def test_an_admin_says_no_and_that_is_the_end(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    asked = opened(api, desk, order, (line, 1))
    moved(api, asked, desk.buyer, disputed=True)
    for body, pointer in (({"amount": "5"}, "bearer"), ({"bearer": "store"}, "amount")):
        refused = problem(step(api, asked, desk.admin, decision=body), 422, "validation_failed")
        assert refused["errors"][0]["pointer"] == f"/decision/{pointer}"
    problem(decided(api, desk, asked, "0.50", "store"), 422, "amount_invalid")
    told = decided(api, desk, asked, "0", "store", message="tidak terbukti").json
    assert (told["state"], told["refund"], told["reply"]) == ("rejected", None, "tidak terbukti")
    assert moved(api, asked, desk.buyer, disputed=True)["state"] == "rejected"
    assert api.get(f"{ORDERS}/{order}", desk.buyer).json["open_request"] is None


# Silence ------------------------------------------------------------------------------------------


def test_silence_decides_each_state_once(api: Api, desk: Desk):
    order, product, line = arrived(desk)
    asked = opened(api, desk, order, (line, 1), keep_goods=True)
    assert timers(desk) == 0
    assert due(desk, asked) == 1
    found = api.get(f"{ORDERS}/{order}/returns/{asked['id']}", desk.buyer).json
    assert (found["state"], found["keep_goods"]) == ("approved", False)  # nobody gets goods by it
    moved(api, asked, desk.buyer, state="sent_back")
    assert due(desk, asked) == 1
    assert due(desk, asked) == 0
    found = api.get(f"{ORDERS}/{order}/returns/{asked['id']}", desk.buyer).json
    assert (found["state"], found["refund"]["amount"]) == ("done", "85000.00")
    assert desk.one("SELECT quantity FROM inventory WHERE product_id = %s", product) == 18
    asked = opened(api, desk, order, (line, 1))
    moved(api, asked, desk.seller, state="approved")
    assert due(desk, asked) == 1
    found = api.get(f"{ORDERS}/{order}/returns/{asked['id']}", desk.buyer).json
    assert (found["state"], found["refund"]) == ("withdrawn", None)


def test_a_dispute_stops_the_clock(api: Api, desk: Desk):
    order, _, line = arrived(desk)
    asked = opened(api, desk, order, (line, 1))
    moved(api, asked, desk.buyer, disputed=True)
    assert due(desk, asked) == 0
    assert desk.do(None, "SELECT move_return(%s, %s, 'approved')", order, asked["id"]) == "not_due"


# Lists --------------------------------------------------------------------------------------------


def test_returns_are_listed_for_both_sides_by_what_an_index_serves(api: Api, desk: Desk):
    made = []
    for _ in range(3):
        order, _, line = arrived(desk)
        made.append(opened(api, desk, order, (line, 1))["id"])
    first = api.get("/api/returns?per_page=2", desk.buyer).json
    rest = api.get(f"/api/returns?per_page=2&cursor={first['next_cursor']}", desk.buyer).json
    assert [each["id"] for each in (*first["returns"], *rest["returns"])] == made[::-1]
    for user, query in (
        (desk.seller, ""), (desk.seller, "?state=open"), (desk.admin, f"?store_id={desk.seller.store_id}&state=open"),
        (desk.seller, f"?store_id={desk.seller.store_id}"),
    ):  # fmt: skip
        found = api.get(f"/api/returns{query}", user).json["returns"]
        assert [each["id"] for each in found] == made[::-1], query
    assert api.get("/api/returns?state=done", desk.seller).json["returns"] == []
    assert [each["id"] for each in api.get("/api/returns", desk.admin).json["returns"][:3]] == made[
        ::-1
    ]
    assert api.get("/api/returns", api.buyer()).json["returns"] == []
    for user, query in (
        (desk.buyer, "state=open"),
        (desk.admin, "state=open"),
        (desk.seller, "disputed=true"),
    ):
        problem(api.get(f"/api/returns?{query}", user), 400, "filter_not_offered")
    problem(
        api.get(f"/api/returns?store_id={desk.seller.store_id}", api.seller()), 404, "not_found"
    )
