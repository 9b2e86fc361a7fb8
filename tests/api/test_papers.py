"""Invoices, packing slips, links and the export of orders: what they say, to whom, and how it is
printed.
"""

import csv
import io
import re
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from conftest import Api, User
from support.orders import Desk
from support.responses import problem

from marketplace.web import links
from marketplace.workflows import invoices

ALL = "/api/orders"
MINE = "/api/stores/mine"
ZONE = "Asia/Jakarta"
JSON = {"Accept": "application/json"}
EVIL = "<script>alert(1)</script>{{number}}<!-- end: lines -->"


def send(api: Api, user: User, order: int, verb: str, body: dict | None = None) -> dict:
    headers = {"Idempotency-Key": f"{verb}-{order}".replace("/", "-")}
    options = {} if body is None else {"json": body}
    answer = api.post(f"{ALL}/{order}/{verb}", user, headers=headers, **options)
    assert answer.status_code == 200, answer.text
    return answer.json


def complete(api: Api, desk: Desk, order: int) -> None:
    send(api, desk.seller, order, "ship", {"courier": "jne", "tracking_number": f"JX{order}"})
    send(api, desk.buyer, order, "confirm")


def issue(desk: Desk, order: int, refund: int = 0) -> bool:
    with desk.owner() as conn:
        return invoices.issue(conn, order, refund, ZONE)


def document(api: Api, user: User, order: int, paper: str = "invoice") -> dict:
    answer = api.get(f"{ALL}/{order}/{paper}", user, headers=JSON)
    assert answer.status_code == 200, answer.text
    return answer.json


# Invoices -----------------------------------------------------------------------------------------


def test_an_invoice_has_what_stayed_and_never_changes(api: Api, desk: Desk):
    order = desk.order((desk.product(name=EVIL), 3), (desk.product(), 2))
    lines = [{"line_id": desk.lines(order)[0], "quantity": 1}]
    send(api, desk.seller, order, "cancel", {"lines": lines, "reason": "out_of_stock"})
    desk.do(None, "SELECT promise_refund(%s, 5000, 'goodwill', NULL, NULL, 'store', NULL)", order)
    problem(api.get(f"{ALL}/{order}/invoice", desk.buyer), 404, "not_found")
    complete(api, desk, order)
    problem(api.get(f"{ALL}/{order}/invoice", desk.buyer), 404, "not_found")
    assert [issue(desk, order), issue(desk, order)] == [True, False]
    desk.do(None, "SELECT promise_refund(%s, 7000, 'goodwill', NULL, NULL, 'store', NULL)", order)
    found = document(api, desk.buyer, order)
    year = datetime.now(ZoneInfo(ZONE)).year
    assert found["number"] == f"INV/{year}/{desk.seller.store_id}/000001"
    assert [(line["quantity"], line["total"]) for line in found["lines"]] == [
        (2, "170000.00"),
        (2, "170000.00"),
    ]
    totals = found["totals"]
    assert (totals["items"], totals["delivery"]) == ("340000.00", "9000.00")
    assert (totals["given_back"], totals["total"]) == ("5000.00", "344000.00")
    assert found["buyer"] == {"name": "Siti", "city": "Serang"}
    assert found["credit_notes"] == []
    text = desk.one("SELECT document::text FROM invoices WHERE order_id = %s", order)
    assert "Veteran" not in text
    assert "6281200" not in text
    for user in (desk.seller, desk.admin):
        assert document(api, user, order) == found
    for user in (api.buyer(), desk.another().seller):
        problem(api.get(f"{ALL}/{order}/invoice", user), 404, "not_found")


def test_money_that_goes_back_later_has_a_credit_note(api: Api, desk: Desk):
    order = desk.order((desk.product(), 3))
    complete(api, desk, order)
    line = desk.lines(order)[0]
    query = "SELECT promise_refund(%s, NULL, 'return', ARRAY[%s]::bigint[], '{1}', 'store', NULL)"
    # a test is one transaction, and now() stands still in it
    desk.change(
        "UPDATE orders SET completed_at = completed_at - interval '1 hour' WHERE id = %s", order
    )
    refund = desk.do(None, query, order, line)
    bank = {"bank": "BCA", "number": "1234567", "holder": "Siti"}
    assert api.put(f"/api/refunds/{refund}/bank", desk.buyer, json=bank).status_code == 200
    assert issue(desk, order, refund) is False
    done = api.post(f"/api/refunds/{refund}/done", desk.admin, json={"reference": "BCA 1"})
    assert done.status_code == 200, done.text
    assert issue(desk, order, refund) is False  # not before the invoice
    assert [issue(desk, order), issue(desk, order, refund)] == [True, True]
    (note,) = document(api, desk.buyer, order)["credit_notes"]
    assert note["number"].startswith("CN/")
    assert note["invoice_number"] == document(api, desk.buyer, order)["number"]
    assert (note["totals"]["total"], note["lines"][0]["quantity"]) == ("85000.00", 1)
    page = api.get(f"{ALL}/{order}/invoice", desk.buyer).text
    assert page.count("<main>") == 2
    assert "Credit note" in page


def test_what_is_cancelled_has_no_invoice(api: Api, desk: Desk):
    order = desk.order()
    send(api, desk.buyer, order, "cancel", {})
    assert issue(desk, order) is False
    problem(api.get(f"{ALL}/{order}/invoice", desk.buyer), 404, "not_found")


def test_a_page_is_in_the_readers_language_and_runs_nothing(api: Api, desk: Desk):
    order = desk.order((desk.product(name=EVIL), 2))
    complete(api, desk, order)
    issue(desk, order)
    for language, words in (("id", "Faktur"), ("en", "Invoice")):
        answer = api.get(
            f"{ALL}/{order}/invoice", desk.buyer, headers={"Accept-Language": language}
        )
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-language"] == language
        assert answer.headers["cache-control"] == "private, no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none';"
        )
        assert f"<strong>{words}</strong>" in answer.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{number}}&lt;!-- end: lines --&gt;" in (
            answer.text
        )
        assert "<script" not in answer.text
        assert "Rp" in answer.text


# Packing slips ------------------------------------------------------------------------------------


def test_a_slip_has_what_is_to_be_sent_and_where(api: Api, desk: Desk):
    order = desk.order((desk.product(sku="K-1"), 3))
    slip = document(api, desk.seller, order, "packing-slip")
    assert slip["address"]["text"] == "Jl. Veteran 5, Cipocok Jaya, Serang, Banten 42121"
    assert (slip["lines"][0]["sku"], slip["lines"][0]["quantity"], slip["units"]) == ("K-1", 3, 3)
    lines = [{"line_id": desk.lines(order)[0], "quantity": 1}]
    send(api, desk.seller, order, "ship", {"lines": lines})
    assert document(api, desk.seller, order, "packing-slip")["units"] == 2
    assert document(api, desk.admin, order, "packing-slip")["units"] == 2
    page = api.get(f"{ALL}/{order}/packing-slip", desk.seller).text
    assert "Jl. Veteran 5" in page
    assert re.search(r"85[.,]000", page) is None  # no prices
    problem(api.get(f"{ALL}/{order}/packing-slip", desk.buyer), 403, "forbidden")
    problem(api.get(f"{ALL}/{order}/packing-slip", desk.another().seller), 404, "not_found")


def test_a_slip_is_there_while_the_store_reads_the_street(api: Api, desk: Desk):
    unpaid, order, gone = desk.order(method="unpaid"), desk.order(), desk.order()
    send(api, desk.buyer, gone, "cancel", {})
    for each in (unpaid, gone):
        problem(api.get(f"{ALL}/{each}/packing-slip", desk.seller), 404, "not_found")
    complete(api, desk, order)
    assert document(api, desk.seller, order, "packing-slip")["units"] == 2
    desk.change(
        "UPDATE orders SET completed_at = now() - interval '31 days', updated_at = now() WHERE id = %s",
        order,
    )
    problem(api.get(f"{ALL}/{order}/packing-slip", desk.seller), 404, "not_found")
    page = api.get(f"{ALL}/{order}", desk.seller).json
    assert page["address"] == {
        "recipient": "S***", "phone": None, "text": "Serang", "note": None, "masked": True
    }  # fmt: skip


def test_a_pile_of_slips_is_whole_or_not_there(api: Api, desk: Desk):
    first, second, unpaid = desk.order(), desk.order(), desk.order(method="unpaid")
    foreign = desk.another().order()
    path = f"{MINE}/packing-slips"
    found = api.get(f"{path}?ids={second},{first},{second}", desk.seller, headers=JSON).json
    assert [slip["id"] for slip in found["slips"]] == [second, first]
    assert api.get(f"{path}?ids={second},{first}", desk.seller).text.count("<main>") == 2
    told = problem(api.get(f"{path}?ids={first},{unpaid},{foreign}", desk.seller), 404, "not_found")
    assert [error["order_id"] for error in told["errors"]] == [unpaid, foreign]
    many = ",".join(str(n) for n in range(1, 102))
    problem(api.get(f"{path}?ids={many}", desk.seller), 422, "validation_failed")


# Links --------------------------------------------------------------------------------------------


def opened(api: Api, url: str, **options):
    parts = urlsplit(url)
    return api.get(parts.path, query_string=parts.query, **options)


def link(api: Api, user: User, path: str) -> str:
    answer = api.post("/api/links", user, json={"path": path})
    assert answer.status_code == 201, answer.text
    return answer.json["url"]


def test_a_link_opens_one_path_as_who_asked(api: Api, desk: Desk):
    order, other = desk.order(), desk.order()
    url = link(api, desk.seller, f"{ALL}/{order}/packing-slip")
    assert "Veteran" in opened(api, url).text
    problem(opened(api, url.replace(f"/{order}/", f"/{other}/")), 404, "not_found")
    problem(opened(api, url.replace("/packing-slip", "/invoice")), 404, "not_found")
    problem(opened(api, f"{url}&link=x"), 404, "not_found")
    user, expires, *rest = url.partition("link=")[2].split(".")
    for forged in (
        (user, str(int(expires) + 60), *rest),
        (str(desk.admin.id), expires, *rest),
        (user, expires, rest[1], rest[0]),
    ):
        problem(
            opened(api, f"{url.partition('link=')[0]}link={'.'.join(forged)}"), 404, "not_found"
        )
    slips = link(api, desk.seller, f"{MINE}/packing-slips?ids={order},{other}")
    assert opened(api, slips).text.count("<main>") == 2
    problem(opened(api, slips.replace(f"%2C{other}", "")), 404, "not_found")
    export = link(api, desk.seller, f"{MINE}/orders/export")
    assert opened(api, export).text.startswith("order_number,")


def test_a_link_ends_after_five_minutes_and_with_its_session(
    api: Api, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    order = desk.order()
    with monkeypatch.context() as patched:
        patched.setattr(links, "SECONDS", -1)
        late = link(api, desk.seller, f"{ALL}/{order}/packing-slip")
    problem(opened(api, late), 404, "not_found")
    url = link(api, desk.seller, f"{ALL}/{order}/packing-slip")
    assert opened(api, url).status_code == 200
    api.post("/api/auth/logout", desk.seller)
    problem(opened(api, url), 401, "invalid_token")


def test_a_link_is_made_for_what_is_printed_and_ones_own(api: Api, desk: Desk):
    order = desk.order()
    for path in (
        f"{ALL}/{order}", "/api/users/profile", "https://example.com/api/orders/1/invoice",
        f"//example.com{ALL}/{order}/invoice", f"{ALL}/{order}/invoice#x", f"{ALL}/{order}/invoice?link=1",
        f"{ALL}/0{order}/invoice", f"{ALL}/{order}/invoice/", "x",
    ):  # fmt: skip
        problem(api.post("/api/links", desk.buyer, json={"path": path}), 422, "validation_failed")
    answer = api.post("/api/links", api.buyer(), json={"path": f"{ALL}/{order}/invoice"})
    problem(answer, 404, "not_found")
    problem(api.post("/api/links", json={"path": f"{ALL}/{order}/invoice"}), 401, "unauthorized")


# The export ---------------------------------------------------------------------------------------


def test_the_export_has_a_row_a_line_and_sums(api: Api, desk: Desk):
    order = desk.order((desk.product(name="=1+1", sku="@x"), 3), (desk.product(), 2))
    unpaid = desk.order(method="unpaid")
    desk.another().order()
    first, second = desk.lines(order)
    desk.ship(order, (first, 1), number="JX1")
    desk.ship(order, (first, 1), (second, 2), number="JX2")
    answer = api.get(f"{MINE}/orders/export", desk.seller)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["line_id"] for row in rows] == [str(line) for line in desk.lines(order)] + [
        str(desk.lines(unpaid)[0])
    ]
    one, two, _ = rows
    assert (one["name"], one["sku"]) == ("'=1+1", "'@x")
    assert (one["tracking_number"], two["tracking_number"]) == ("JX1, JX2", "JX2")
    assert (one["order_total"], two["order_total"]) == ("434000.00", "")
    assert (one["fulfilment_status"], one["quantity"], one["line_total"]) == (
        "partially_shipped",
        "3",
        "255000.00",
    )
    assert one["placed_at"].endswith("+07:00")
    assert "Siti" not in answer.text
    problem(api.get(f"{MINE}/orders/export", desk.buyer), 403, "forbidden")
    late = api.get(f"{MINE}/orders/export?from=2100-01-01", desk.seller)
    assert len(late.text.splitlines()) == 1


# The books ----------------------------------------------------------------------------------------


def test_an_entry_is_made_once_a_key_and_found_again(api: Api, desk: Desk):
    path = f"/api/stores/{desk.seller.store_id}/top-ups"
    key = {"Idempotency-Key": "k" * 255}
    body = {"amount": "21000.00", "reference": "BCA 30/11"}
    assert api.post(path, desk.admin, json=body, headers=key).status_code == 201
    with desk.owner() as conn:
        conn.execute("DELETE FROM idempotency_keys")  # a day later
    again = api.post(path, desk.admin, json=body, headers=key)
    assert (again.status_code, again.json["balance"]) == (201, "21000.00")
    with desk.owner() as conn:
        conn.execute("DELETE FROM idempotency_keys")
    other = api.post(path, desk.admin, json={**body, "amount": "22000.00"}, headers=key)
    problem(other, 422, "idempotency_key_reused")
    made = api.post(
        "/api/ledger/entries",
        desk.admin,
        json={"kind": "cod_handed_in", "amount": "5000"},
        headers={"Idempotency-Key": "cash"},
    )
    found = api.get(made.headers["location"], desk.admin).json
    assert [(each["account"], each["amount"]) for each in found["postings"]] == [
        ("bank", "5000.00"),
        ("cod_receivable", "-5000.00"),
    ]
    problem(api.get("/api/ledger/entries/4611686018427387904", desk.admin), 404, "not_found")
    problem(api.get(made.headers["location"], desk.seller), 403, "forbidden")
