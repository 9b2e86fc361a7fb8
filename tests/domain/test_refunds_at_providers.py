"""Refunds that a provider sends: once, whatever breaks off between; refused ones go by bank."""

from collections.abc import Iterator

import pytest
from conftest import Api, User
from servers.midtrans import Midtrans, running
from support.buying import key
from support.payments import PaidShop, bought, of, paid_shop, reference

from marketplace.workflows import refund_sending

BANK = {"bank": "BCA", "number": "1234567890", "holder": "Siti"}


@pytest.fixture(scope="module")
def bank() -> Iterator[Midtrans]:
    with running() as server:
        yield server


@pytest.fixture
def shop(committed: Api, bank: Midtrans) -> Iterator[PaidShop]:
    bank.refunded.clear()  # each shop counts its refunds from 1
    with paid_shop(committed, bank) as made:
        yield made
        made.check()


def cancelled(shop: PaidShop) -> tuple[User, dict, int]:
    """An order that was paid by QRIS and cancelled: its buyer, its checkout, its refund."""
    buys, placed = bought(shop, "qris")
    shop.work()
    shop.bank.pay(reference(placed))
    shop.later(1, placed["payments"][0]["id"])
    shop.work()
    order = of(shop, buys, placed)["orders"][0]["id"]
    path = f"/api/orders/{order}/cancel"
    answer = shop.api.post(path, buys, json={"reason": "changed_mind"}, headers=key())
    assert answer.json["stage"] == "cancelled", answer.text
    return buys, placed, int(shop.value("SELECT max(id) FROM refunds"))


def send(shop: PaidShop) -> None:
    """The worker claims what is due, its time moved here, and sends it."""
    shop.rows("UPDATE refunds SET try_at = now() WHERE way = 'provider' RETURNING id")
    shop.run("send_refunds")
    shop.work()


def state(shop: PaidShop, refund: int) -> tuple[str, str]:
    (row,) = shop.rows("SELECT way, state FROM refunds WHERE id = %s", refund)
    return row["way"], row["state"]


@pytest.mark.parametrize("fault", ["cut_after", "cut_before", "500", "no_balance", "key_used"])
def test_what_breaks_off_is_looked_for_and_sent_once(shop: PaidShop, fault: str):
    _, placed, refund = cancelled(shop)
    assert state(shop, refund) == ("provider", "due")
    shop.bank.fault("refund", fault)
    send(shop)
    assert state(shop, refund) == ("provider", "due")
    (row,) = shop.rows(
        "SELECT try_at > now() + interval '1 minute' AS later, tries FROM refunds WHERE id = %s",
        refund,
    )
    assert (row["later"], row["tries"]) == (True, 1)
    shop.run("send_refunds")
    assert shop.work() == []
    assert state(shop, refund) == ("provider", "due"), "not before its time"
    send(shop)
    assert state(shop, refund) == ("provider", "done")
    assert shop.bank.refunded[f"refund-{refund}"] == 1
    send(shop)
    assert shop.bank.refunded[f"refund-{refund}"] == 1
    shop.later(1, placed["payments"][0]["id"])
    shop.work()
    assert (
        shop.rows("SELECT id FROM payments WHERE problem IS NOT NULL OR reversed IS NOT NULL") == []
    )


def test_a_worker_that_died_in_the_middle_is_followed_by_another(shop: PaidShop):
    _, placed, refund = cancelled(shop)
    shop.run("send_refunds")  # claimed, and then nothing
    shop.rows("DELETE FROM jobs.procrastinate_jobs WHERE task_name = 'send_refund' RETURNING id")
    assert state(shop, refund) == ("provider", "sending")
    asked = {"refund_key": f"refund-{refund}", "amount": 94000, "reason": "changed_mind"}
    shop.bank.refund(reference(placed), asked)  # it had been sent
    send(shop)
    assert state(shop, refund) == ("provider", "done")
    assert shop.bank.refunded[f"refund-{refund}"] == 1
    assert refund_sending.send(shop.db, shop.providers, refund) is None


def test_what_a_provider_refuses_goes_by_bank(shop: PaidShop):
    buys, _, refund = cancelled(shop)
    shop.bank.fault("refund", "refund_refused")
    send(shop)
    assert state(shop, refund) == ("bank", "needs_bank")
    admin, path = shop.api.admin(), f"/api/refunds/{refund}"
    assert shop.api.put(f"{path}/bank", buys, json=BANK).json["state"] == "on_its_way"
    assert shop.api.post(f"{path}/done", admin, json={"reference": "BCA 9"}).json["state"] == "done"


def test_an_administrator_sees_what_waits_at_a_provider_and_takes_it_away(shop: PaidShop):
    _, _, refund = cancelled(shop)
    admin = shop.api.admin()
    (found,) = shop.api.get("/api/refunds?way=provider&state=due", admin).json["refunds"]
    assert found["id"] == refund
    answer = shop.api.post(
        f"/api/refunds/{refund}/fail", admin, json={"reason": "Tidak ada jawaban"}
    )
    assert (answer.json["way"], answer.json["state"]) == ("bank", "needs_bank")
    send(shop)
    assert shop.bank.refunded[f"refund-{refund}"] == 0
