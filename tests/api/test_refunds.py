"""Refunds by hand, balances of stores, and entries in the books over HTTP."""

import pytest
from conftest import Api, User
from support.orders import Desk
from support.responses import problem
from support.stock import act_as, refused

REFUNDS = "/api/refunds"
BANK = {"bank": "BCA", "number": "1234567890", "holder": "Siti"}
NOBODY = 4611686018427387904


def listed(api: Api, user: User, query: str = "") -> list[dict]:
    answer = api.get(f"{REFUNDS}{query}", user)
    assert answer.status_code == 200, answer.text
    return answer.json["refunds"]


def refunded(desk: Desk) -> tuple[int, int]:
    """A paid order that its buyer cancelled, and its refund."""
    order = desk.order()
    desk.cancel(order, desk.buyer)
    return order, int(desk.one("SELECT id FROM refunds WHERE order_id = %s", order))


def test_money_goes_back_to_the_account_of_the_buyer(api: Api, desk: Desk):
    order, refund = refunded(desk)
    (mine,) = listed(api, desk.buyer)
    assert {name: mine[name] for name in ("id", "order_id", "amount", "reason", "way", "state", "by", "bank")} == {
        "id": refund, "order_id": order, "amount": "179000.00", "reason": "changed_mind", "way": "bank", "state": "needs_bank",
        "by": None, "bank": None,
    }  # fmt: skip
    assert listed(api, desk.admin, "?way=bank&state=needs_bank")[0]["id"] == refund
    path = f"{REFUNDS}/{refund}"
    problem(api.post(f"{path}/done", desk.admin, json={}), 409, "refund_state")
    answer = api.put(f"{path}/bank", desk.buyer, json=BANK)
    assert (answer.json["state"], answer.json["bank"]) == (
        "on_its_way",
        {"bank": "BCA", "number": "***7890", "holder": None},
    )
    assert answer.json["by"] is not None
    (due,) = listed(api, desk.admin, "?way=bank&state=due")
    assert (due["state"], due["bank"]) == ("due", BANK)
    (theirs,) = listed(api, desk.seller)
    assert (theirs["state"], theirs["bank"]) == ("due", None)
    for _ in range(2):
        answer = api.post(f"{path}/done", desk.admin, json={"reference": "BCA 42"})
        assert (answer.status_code, answer.json["state"]) == (200, "done")
    assert (answer.json["reference"], answer.json["bank"]["number"]) == ("BCA 42", "***7890")
    shown = api.get(f"/api/orders/{order}", desk.buyer).json
    assert (shown["totals"]["refunded"], shown["payment_status"]) == ("179000.00", "refunded")
    told = problem(api.put(f"{path}/bank", desk.buyer, json=BANK), 409, "refund_state")
    assert told["state"] == "done"


def test_a_store_gives_back_what_it_has(api: Api, desk: Desk):
    order = desk.order((desk.product(), 2), method="cod")
    parcel = desk.ship(order)
    desk.do(desk.seller, "SELECT deliver_shipment(%s, %s)", order, parcel)
    desk.do(None, "SELECT promise_refund(%s, 5000, 'goodwill', NULL, NULL, 'store', NULL)", order)
    (theirs,) = listed(api, desk.seller)
    assert (theirs["way"], theirs["state"]) == ("store", "due")
    path = f"{REFUNDS}/{theirs['id']}"
    problem(api.put(f"{path}/bank", desk.buyer, json=BANK), 409, "refund_state")
    assert api.post(f"{path}/done", desk.seller, json={}).json["state"] == "done"
    assert api.get("/api/stores/mine/balance", desk.seller).json["balance"] == "-174000.00"


def test_somebody_elses_refund_is_not_there(api: Api, desk: Desk):
    _, refund = refunded(desk)
    stranger, seller = api.buyer(), desk.another().seller
    assert listed(api, stranger) == listed(api, seller) == []
    problem(api.put(f"{REFUNDS}/{refund}/bank", stranger, json=BANK), 404, "not_found")
    problem(api.put(f"{REFUNDS}/{NOBODY}/bank", desk.admin, json=BANK), 404, "not_found")
    problem(api.post(f"{REFUNDS}/{refund}/done", seller, json={}), 404, "not_found")
    problem(api.post(f"{REFUNDS}/{refund}/done", desk.seller, json={}), 409, "refund_state")
    problem(api.put(f"{REFUNDS}/{refund}/bank", desk.seller, json=BANK), 409, "refund_state")


@pytest.mark.parametrize("number", ["1234", "12 34 56", "12345x", "1" * 35, ""])
def test_an_account_is_5_to_34_digits(api: Api, desk: Desk, number: str):
    _, refund = refunded(desk)
    answer = api.put(f"{REFUNDS}/{refund}/bank", desk.buyer, json={**BANK, "number": number})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/number"


def test_refunds_are_read_by_cursor_and_by_what_an_index_serves(api: Api, desk: Desk):
    made = [refunded(desk)[1] for _ in range(3)]
    first = api.get(f"{REFUNDS}?per_page=2", desk.buyer).json
    rest = api.get(f"{REFUNDS}?per_page=2&cursor={first['next_cursor']}", desk.buyer).json
    assert [row["id"] for row in (*first["refunds"], *rest["refunds"])] == made[::-1]
    assert [row["id"] for row in listed(api, desk.admin)[:3]] == made[::-1]
    for user, query in (
        (desk.buyer, "way=bank&state=due"),
        (desk.admin, "state=due"),
        (desk.seller, "way=store"),
    ):
        told = problem(api.get(f"{REFUNDS}?{query}", user), 400, "filter_not_offered")
        assert told["errors"]


# Balances and entries -----------------------------------------------------------------------------


def test_a_store_pays_what_it_owes(api: Api, desk: Desk):
    order = desk.order(method="cod")
    parcel = desk.ship(order)
    balance = "/api/stores/mine/balance"
    assert api.get(balance, desk.seller).json == {
        "store_id": desk.seller.store_id, "balance": "0.00", "currency": "IDR", "updated_at": None, "top_up_accounts": []
    }  # fmt: skip
    desk.do(desk.seller, "SELECT deliver_shipment(%s, %s)", order, parcel)
    assert api.get(balance, desk.seller).json["balance"] == "-179000.00"
    path = f"/api/stores/{desk.seller.store_id}/top-ups"
    body = {"amount": "179000.00", "reference": "BCA 30/11", "note": "tunai"}
    problem(api.post(path, desk.admin, json=body), 422, "idempotency_key_required")
    for _ in range(2):
        answer = api.post(path, desk.admin, json=body, headers={"Idempotency-Key": "k"})
        assert (answer.status_code, answer.json["balance"]) == (201, "0.00")
    assert desk.one("SELECT note FROM ledger_entries WHERE kind = 'top_up'") == "BCA 30/11: tunai"
    assert (
        api.get(f"{balance}?store_id={desk.seller.store_id}", desk.admin).json["balance"] == "0.00"
    )
    problem(api.get(f"{balance}?store_id={desk.seller.store_id}", api.seller()), 404, "not_found")
    problem(
        api.post(path, desk.seller, json=body, headers={"Idempotency-Key": "s"}), 403, "forbidden"
    )
    headers = {"Idempotency-Key": "n"}
    problem(
        api.post(f"/api/stores/{NOBODY}/top-ups", desk.admin, json=body, headers=headers),
        404,
        "not_found",
    )
    told = problem(
        api.post(path, desk.admin, json={**body, "amount": "0"}, headers=headers),
        422,
        "validation_failed",
    )
    assert told["errors"][0]["pointer"] == "/amount"


def test_no_balance_is_above_what_an_amount_can_be(api: Api, desk: Desk):
    store, most = desk.seller.store_id, {"amount": "9999999999999.00"}
    entry = {"debit": "bank", "credit": "payable", "store_id": store, "note": "salah ketik"}
    for path, body, status in (
        (f"/api/stores/{store}/top-ups", {"reference": "BCA 30/11"}, 201),
        (f"/api/stores/{store}/top-ups", {"reference": "BCA 30/11"}, 422),
        ("/api/ledger/entries", {"kind": "adjustment", **entry}, 422),
    ):
        headers = {"Idempotency-Key": f"{path}{status}".replace("/", "-")}
        answer = api.post(path, desk.admin, json={**body, **most}, headers=headers)
        assert (answer.status_code, answer.json.get("code")) == (
            status,
            "amount_too_large" if status == 422 else None,
        )


def test_no_entry_has_a_part_of_a_coin(api: Api, desk: Desk):
    store, part = desk.seller.store_id, {"amount": "500.50"}
    entry = {"debit": "bank", "credit": "payable", "store_id": store, "note": "sen"}
    for path, body in (
        (f"/api/stores/{store}/top-ups", {"reference": "BCA 30/11"}),
        ("/api/ledger/entries", {"kind": "cod_handed_in"}),
        ("/api/ledger/entries", {"kind": "adjustment", **entry}),
    ):
        answer = api.post(path, desk.admin, json={**body, **part}, headers={"Idempotency-Key": "k"})
        assert problem(answer, 422, "amount_invalid")["errors"][0]["pointer"] == "/amount"
    desk.order()  # the database knows by it what a coin is
    by_hand = "SELECT post_by_hand('top_up', 'k', 'bank', 'payable', %s, 500.50, 'x')"
    settled = "SELECT post_settlement('midtrans', current_date, 500.50)"
    for verb, values in ((by_hand, [store]), (settled, [])):
        with desk.owner() as conn, refused(conn, "23514", "ledger_entries_coin"):
            act_as(conn, desk.admin.id)
            conn.execute(verb, values)


def test_cash_and_adjustments_are_entered_by_hand(api: Api, desk: Desk):
    path, store = "/api/ledger/entries", desk.seller.store_id
    cash = {"kind": "cod_handed_in", "amount": "22000"}
    first = api.post(path, desk.admin, json=cash, headers={"Idempotency-Key": "a"})
    again = api.post(path, desk.admin, json=cash, headers={"Idempotency-Key": "a"})
    assert (first.status_code, first.content) == (201, again.content)
    change = {
        "kind": "adjustment",
        "amount": "500",
        "debit": "expense_fee",
        "credit": "payable",
        "store_id": store,
        "note": "ganti rugi",
    }
    assert (
        api.post(path, desk.admin, json=change, headers={"Idempotency-Key": "b"}).status_code == 201
    )
    assert api.get("/api/stores/mine/balance", desk.seller).json["balance"] == "500.00"


@pytest.mark.parametrize(
    "changed",
    [
        {"debit": "escrow"}, {"credit": "commission"}, {"store_id": None}, {"note": None}, {"debit": "payable"}, {"debit": None},
        {"amount": "-1"}, {"amount": "0"}, {"store_id": NOBODY}, {"kind": "top_up"}, {"credit": "bank"},
    ],
)  # fmt: skip
def test_another_entry_is_refused(api: Api, desk: Desk, changed: dict):
    body = {
        "kind": "adjustment",
        "amount": "500",
        "debit": "bank",
        "credit": "payable",
        "store_id": desk.seller.store_id,
        "note": "x",
    }
    sent = {name: value for name, value in {**body, **changed}.items() if value is not None}
    answer = api.post(
        "/api/ledger/entries", desk.admin, json=sent, headers={"Idempotency-Key": "k"}
    )
    problem(answer, 422, "validation_failed")
    assert desk.one("SELECT count(*) FROM ledger_entries WHERE kind = 'adjustment'") == 0
