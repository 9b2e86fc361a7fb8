"""Payments at a provider: opened, told, asked about; late, twice and wrong money; silence."""

import json
import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from conftest import Api
from servers.midtrans import Midtrans, running
from support.buying import key, quote
from support.payments import PaidShop, bought, of, paid_shop, reference
from support.responses import problem

from marketplace.commands import settle

EVENTS = "/api/payments/midtrans/events"


@pytest.fixture(scope="module")
def bank() -> Iterator[Midtrans]:
    with running() as server:
        yield server


@pytest.fixture
def shop(committed: Api, bank: Midtrans) -> Iterator[PaidShop]:
    with paid_shop(committed, bank) as made:
        yield made


def tell(shop: PaidShop, body: bytes) -> int:
    return shop.api.post(
        EVENTS, body=body, headers={"Content-Type": "application/json"}
    ).status_code


def states(shop: PaidShop, checkout: dict) -> list[tuple[str, str, str | None]]:
    rows = shop.rows(
        "SELECT our_reference, state, problem FROM payments WHERE checkout_id = %s ORDER BY id",
        checkout["id"],
    )
    return [(row["our_reference"][-1], row["state"], row["problem"]) for row in rows]


def test_a_virtual_account_is_opened_told_eight_times_and_paid_once(shop: PaidShop):
    buys, placed = bought(shop)
    (payment,) = placed["payments"]
    assert (payment["state"], payment["poll_after"]) == ("opening", 1)
    assert payment["instructions"] is None
    assert shop.work() == []
    unpaid = shop.api.get(f"/api/checkouts/{placed['id']}", buys, headers={"Accept-Language": "id"})
    (payment,) = unpaid.json["payments"]
    assert (payment["state"], payment["poll_after"], payment["channel"]) == ("open", 3, "bca_va")
    told = payment["instructions"]
    assert (told["kind"], told["bank"], len(told["number"])) == ("va", "BCA", 13)
    assert told["steps"][0]["title"] == "m-BCA"
    assert "PIN" in told["steps"][0]["steps"][-1]
    assert unpaid.headers["content-language"] == "id"
    shop.bank.pay(reference(placed))
    body = shop.bank.notification(reference(placed))
    earlier = shop.bank.notification(reference(placed), "pending")
    spent = []
    for each in (body, body, earlier, *[body] * 6):
        start = time.process_time()
        assert tell(shop, each) == 200
        spent.append(time.process_time() - start)
    assert min(spent) < 0.02, spent  # seconds of CPU; it calls nobody
    assert shop.work() == []
    assert [tell(shop, body), shop.work()] == [200, []]
    paid = of(shop, buys, placed)
    assert (paid["state"], paid["orders"][0]["stage"]) == ("settled", "new")
    assert (paid["payments"][0]["state"], paid["payments"][0]["poll_after"]) == ("paid", None)
    assert shop.value("SELECT count(*) FROM ledger_entries WHERE kind = 'payment'") == 1
    kept = shop.rows("SELECT times, outcome FROM provider_callbacks ORDER BY times")
    assert [(row["times"], row["outcome"]) for row in kept] == [(1, "paid"), (9, "paid")]
    shop.check()


def come_unseen(shop: PaidShop, about: str) -> None:
    """A callback whose transaction saw a job about its payment waiting, and enqueued none."""
    shop.rows(
        "INSERT INTO provider_callbacks (provider, key, subject, body) VALUES ('midtrans', 'k', %s, '{}')"
        " RETURNING id",
        about,
    )


def test_a_callback_that_comes_while_another_is_applied_is_not_left_lying(
    shop: PaidShop, monkeypatch: pytest.MonkeyPatch
):
    _, placed = bought(shop)
    shop.work()
    shop.bank.pay(reference(placed))
    tell(shop, shop.bank.notification(reference(placed)))
    status = shop.bank.status

    def another(order_id: str):
        monkeypatch.undo()
        come_unseen(shop, order_id)
        return status(order_id)

    monkeypatch.setattr(shop.bank, "status", another)
    assert shop.work() == []
    kept = shop.rows("SELECT outcome FROM provider_callbacks ORDER BY id")
    assert [row["outcome"] for row in kept] == ["paid", "repeated"]


def test_a_callback_behind_one_that_is_applied_is_not_left_lying(shop: PaidShop):
    _, placed = bought(shop)
    shop.work()
    shop.bank.pay(reference(placed))
    tell(shop, shop.bank.notification(reference(placed)))
    shop.rows(  # by the job before this one, which found it too
        "UPDATE provider_callbacks SET applied_at = now(), outcome = 'waiting' RETURNING id"
    )
    come_unseen(shop, reference(placed))
    assert shop.work() == []
    assert states(shop, placed) == [("1", "paid", None)]
    assert shop.value("SELECT outcome FROM provider_callbacks WHERE key = 'k'") == "paid"


def test_what_is_not_signed_or_no_callback_leaves_nothing(shop: PaidShop):
    _, placed = bought(shop)
    shop.work()
    shop.bank.pay(reference(placed))
    good = json.loads(shop.bank.notification(reference(placed)))
    forged = [
        shop.bank.notification(reference(placed), key="another"),
        json.dumps({**good, "gross_amount": "1.00"}).encode(),
        json.dumps({**good, "status_code": 200}).encode(),
        json.dumps({**good, "signature_key": None}).encode(),
        json.dumps({**good, "signature_key": "\ud800"}).encode(),
        json.dumps({**good, "order_id": "\udfff"}).encode(),
        json.dumps([good]).encode(),
        b"",
        b"{",
        "{}".encode("utf-16"),
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        json.dumps({**good, "more": "x" * 70_000}).encode(),
    ]
    for body in forged:
        answer = shop.api.post(EVENTS, body=body)
        problem(answer, 400, "forged")
    problem(shop.api.post("/api/payments/pretend/events", body=b"{}"), 404, "not_found")
    problem(shop.api.post("/api/payments/doku/events", body=b"{}"), 404, "not_found")
    assert shop.value("SELECT count(*) FROM provider_callbacks") == 0
    assert tell(shop, shop.bank.notification("NOBODY.1")) == 200
    shop.work()
    assert shop.value("SELECT outcome FROM provider_callbacks") == "unknown"
    assert states(shop, placed) == [("1", "open", None)]


@pytest.mark.parametrize("channel", ["qris", "permata_va"])
def test_an_opening_that_nobody_saw_is_adopted(shop: PaidShop, channel: str):
    buys, placed = bought(shop, channel)
    payment = placed["payments"][0]["id"]
    shop.bank.fault("charge", "cut_after")
    shop.work()
    assert states(shop, placed) == [("1", "opening", None)]
    shop.later(1, payment)
    shop.work()
    assert states(shop, placed) == [("1", "open", None)]
    told = of(shop, buys, placed)["payments"][0]["instructions"]
    kinds = {"qris": "qr", "permata_va": "number"}
    assert told[kinds[channel]]
    assert len([each for each in shop.bank.transactions if placed["number"] in each]) == 1


def test_a_page_that_nobody_saw_is_opened_under_the_next_number(shop: PaidShop):
    buys, placed = bought(shop, "snap", return_url="tokoku://paid")
    shop.bank.fault("snap", "cut_after")
    shop.work()
    shop.later(1, placed["payments"][0]["id"])
    shop.work()
    assert states(shop, placed) == [("1", "cancelled", None), ("2", "open", None)]
    told = of(shop, buys, placed)["payments"][0]["instructions"]
    assert (told["kind"], told["app_url"]) == ("redirect", None)
    assert told["url"].startswith("http")
    assert told["token"]
    # nothing is chosen on the page yet: it waits; what is paid on the lost one is taken all the same
    shop.later(2, of(shop, buys, placed)["payments"][0]["id"])
    shop.work()
    assert states(shop, placed)[1] == ("2", "open", None)
    shop.bank.pay(reference(placed, 1))
    assert tell(shop, shop.bank.notification(reference(placed, 1))) == 200
    shop.work()
    assert states(shop, placed) == [("1", "paid", None), ("2", "cancelled", None)]
    shop.check()


@pytest.mark.parametrize(
    ("fault", "problem_"),
    [("wrong_amount", "amount_mismatch"), ("wrong_currency", "currency_mismatch")],
)
def test_wrong_money_pays_nothing(shop: PaidShop, fault: str, problem_: str):
    buys, placed = bought(shop)
    shop.work()
    shop.bank.pay(reference(placed))
    shop.bank.fault("status", fault)
    tell(shop, shop.bank.notification(reference(placed)))
    shop.work()
    assert states(shop, placed) == [("1", "paid", problem_)]
    assert of(shop, buys, placed)["state"] == "unpaid"
    shop.check()


def test_a_fee_on_top_is_the_buyers(shop: PaidShop):
    buys, placed = bought(shop)
    shop.work()
    shop.bank.fee_on_top(reference(placed), 4000)
    shop.bank.pay(reference(placed))
    tell(shop, shop.bank.notification(reference(placed)))
    shop.work()
    assert of(shop, buys, placed)["state"] == "settled"


def test_another_way_to_pay_closes_the_one_before_and_its_money_goes_home(shop: PaidShop):
    buys, placed = bought(shop)
    shop.work()
    path = f"/api/checkouts/{placed['id']}/payments"
    wish = {"method": "midtrans", "channel": "qris"}
    problem(shop.api.post(path, shop.api.buyer(), json=wish, headers=key()), 404, "not_found")
    problem(
        shop.api.post(path, buys, json={**wish, "return_url": "evil://x"}, headers=key()),
        422,
        "return_url_refused",
    )
    refused = shop.api.post(path, buys, json={**wish, "channel": "doku"}, headers=key())
    problem(refused, 409, "payment_not_offered")
    changed = shop.api.post(path, buys, json=wish, headers=key())
    assert (changed.status_code, changed.headers["retry-after"]) == (201, "1")
    shop.bank.fault("cancel", "cut_before")  # the one before is still open there
    assert shop.work() == ["cancel_session"]
    assert states(shop, placed) == [("1", "cancelled", None), ("2", "open", None)]
    shop.bank.pay(reference(placed, 2))
    tell(shop, shop.bank.notification(reference(placed, 2)))
    shop.work()
    assert of(shop, buys, placed)["state"] == "settled"
    shop.bank.pay(reference(placed, 1))
    tell(shop, shop.bank.notification(reference(placed, 1)))
    shop.work()
    assert states(shop, placed) == [("1", "paid", "twice"), ("2", "paid", None)]
    refund = shop.rows("SELECT reason, way, amount FROM refunds")
    assert [(row["reason"], row["way"]) for row in refund] == [("twice", "bank")]
    shop.check()


def test_a_checkout_past_its_time_is_cancelled_when_its_provider_has_said_no(shop: PaidShop):
    buys, placed = bought(shop)
    shop.work()
    shop.too_late(placed["id"])
    shop.run("cancel_unpaid")
    shop.bank.fault("status", "cut_before")
    shop.work()
    assert of(shop, buys, placed)["state"] == "unpaid"  # silent: ten minutes more
    shop.too_late(placed["id"])
    shop.run("cancel_unpaid")
    shop.work()
    assert of(shop, buys, placed)["state"] == "cancelled"
    assert shop.bank.transactions[reference(placed)]["transaction_status"] == "cancel"
    # the bank took it all the same
    shop.bank.pay(reference(placed))
    tell(shop, shop.bank.notification(reference(placed)))
    shop.work()
    assert states(shop, placed) == [("1", "paid", "late")]
    shop.check()
    buys, second = bought(shop)
    shop.work()
    shop.bank.pay(reference(second))
    shop.too_late(second["id"])
    shop.run("cancel_unpaid")
    shop.work()
    assert of(shop, buys, second)["state"] == "settled"  # it was paid, and nobody had said so
    shop.check()


def test_a_provider_that_is_silent_is_not_asked_for_a_while_and_not_offered(shop: PaidShop):
    buys, placed = bought(shop)
    shop.bank.fault("charge", *["cut_before"] * 5)
    for _ in range(5):
        shop.run("open_payment", payment_id=placed["payments"][0]["id"])
    assert shop.told == [("midtrans", 30.0)]
    asked = shop.bank.asked["charge"]
    shop.run("open_payment", payment_id=placed["payments"][0]["id"])
    assert shop.bank.asked["charge"] == asked
    assert states(shop, placed) == [("1", "opening", None)]
    with shop.db.working() as conn:
        conn.execute(
            "INSERT INTO provider_states (provider, silent_until) VALUES ('midtrans', now() + interval '9 s')"
        )
    body = {"lines": [{"product_id": shop.api.product(shop.seller)["id"], "quantity": 1}]}
    offered = quote(shop.api, buys, buy_now=True, **body)["payment_methods"]
    silent = [each for each in offered if each["method"] == "midtrans"]
    assert [each["channel"] for each in silent] == [
        "bca_va", "bni_va", "bri_va", "permata_va", "qris", "snap",
    ]  # fmt: skip
    assert {(each["available"], each["reason"]) for each in silent} == {(False, "silent")}
    shop.later(20, placed["payments"][0]["id"])
    shop.work()
    assert states(shop, placed) == [("1", "failed", None)]
    assert shop.value("SELECT error FROM payments") == "silent"
    metrics = shop.api.get("/metrics").text
    assert 'marketplace_provider_silent{provider="midtrans"} 1.0' in metrics
    (calls,) = [
        line
        for line in metrics.splitlines()
        if line.startswith("marketplace_provider_calls_total{")
        and 'call="open"' in line
        and 'outcome="silent"' in line
    ]
    assert float(calls.split()[-1]) >= 5


def test_a_day_is_compared_and_nothing_is_moved_by_itself(shop: PaidShop, tmp_path):
    checkouts = [bought(shop)[1] for _ in range(4)]
    shop.work()
    for placed in checkouts[:3]:
        shop.bank.pay(reference(placed))
        tell(shop, shop.bank.notification(reference(placed)))
    shop.work()
    shop.bank.pay(reference(checkouts[3]))  # nobody was told
    total = Decimal(checkouts[0]["total"])
    day = shop.value("SELECT (now() AT TIME ZONE 'Asia/Jakarta')::date")
    rows = [
        f"{reference(checkouts[0])},{total},2200,{day}",
        f"{reference(checkouts[1])},{total + 1},2200,{day}",
        f"{reference(checkouts[3])},{total},2200,{day}",
        f"FOREIGN.1,5000,100,{day}",
    ]
    file = tmp_path / "midtrans.csv"
    file.write_text("\n".join(["Order ID,Amount,Fee,Date", *rows]))
    found = settle.compare(shop.config, shop.db, "midtrans", file)
    assert {(each["what"], each["reference"]) for each in found[day]} == {
        ("amount", reference(checkouts[1])),
        ("not_there", reference(checkouts[2])),
        ("not_here", reference(checkouts[3])),
        ("unknown", "FOREIGN.1"),
    }
    kept = shop.rows(
        "SELECT ours, theirs, jsonb_array_length(differences) AS n FROM reconciliations"
    )
    assert kept == [{"ours": total * 3, "theirs": total * 3 + 5001, "n": 4}]
    assert (
        shop.value(
            "SELECT provider_fee FROM payments WHERE our_reference = %s", reference(checkouts[0])
        )
        == 2200
    )
    assert states(shop, checkouts[3]) == [("1", "open", None)]
    shop.work()
    assert states(shop, checkouts[3]) == [("1", "paid", None)]  # its provider says so itself
    mails = shop.value(
        "SELECT count(*) FROM jobs.procrastinate_jobs WHERE task_name = 'send_reconciliation'"
    )
    assert mails == 1
    shop.check()
