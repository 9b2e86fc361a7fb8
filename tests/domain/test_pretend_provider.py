"""The pretend provider: its page, its buttons, and the whole way that its money goes."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from conftest import Api
from support.import_shop import Shop
from support.payments import PaidShop, bought, of
from support.processes import until

from marketplace.demo import pretend_provider
from marketplace.demo.pretend_provider import Server
from marketplace.integrations.payments import pretend
from marketplace.integrations.payments.providers import guarded
from marketplace.jobs import registry


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def bank(committed: Api, tmp_path) -> Iterator[tuple[Server, PaidShop]]:
    """The shop behind a real server, and the provider beside it."""
    with make_server("127.0.0.1", 0, None, handler_class=Quiet) as front:
        settings = {
            "payment_methods": ("pretend",),
            "public_url": f"http://127.0.0.1:{front.server_port}",
            "return_url_schemes": ("tokoku",),
            "rate_limits": {},
        }
        committed.config.data_dir.mkdir(exist_ok=True)
        url_known = Shop(committed, **settings)
        with pretend_provider.server(url_known.config, 0) as running:
            url_known.db.close()
            shop = PaidShop(committed, pretend_url=running.bank.url, **settings)
            shop.providers = guarded(shop.config, lambda name, seconds: None)
            means = registry.Means(
                shop.config, shop.db, shop.files, shop.files, lambda message: None, lambda: False,
                shop.providers,
            )  # fmt: skip
            shop.tasks = registry.create_app(means).tasks
            front.set_app(shop.api.app)
            for each in (front, running):
                threading.Thread(target=each.serve_forever, daemon=True).start()
            yield running, shop
            front.shutdown()
            running.shutdown()
            shop.db.close()


def page(url: str, button: str | None = None, host: str | None = None) -> str:
    """A page, after a button of it was pressed; its status where it is refused."""
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=10)) as conn:
        if button is not None:
            conn.request("POST", f"{parts.path}/{button}")
            answer = conn.getresponse()
            assert (answer.status, answer.read()) == (303, b"")
            assert answer.headers["location"] == parts.path
        conn.request("GET", parts.path or "/", headers={"Host": host} if host else {})
        answer = conn.getresponse()
        text = answer.read().decode()
        return text if answer.status == 200 else str(answer.status)


def knocks(shop: PaidShop) -> int:
    return int(shop.value("SELECT coalesce(sum(times), 0)::integer FROM provider_callbacks"))


def test_money_goes_the_whole_way_with_a_button(bank: tuple[Server, PaidShop]):
    server, shop = bank
    buys, placed = bought(shop, "page", "pretend", return_url="tokoku://paid")
    assert shop.work() == []
    payment = of(shop, buys, placed)["payments"][0]
    url = payment["instructions"]["url"]
    shown = page(url)
    assert all(words in shown for words in ("Pay twice", "Kopi Gayo 250 g", "94,000", "Refuse"))
    assert "Pay twice" not in page(url, "twice")
    assert "tokoku://paid" in page(url)
    assert until(lambda: knocks(shop) == 2)
    shop.work()
    assert of(shop, buys, placed)["state"] == "settled"
    assert shop.value("SELECT count(*) FROM ledger_entries WHERE kind = 'payment'") == 1
    assert shop.value("SELECT provider_fee FROM payments") == 658
    assert "Paid" in page(server.bank.url)
    shop.check()
    buys, placed = bought(shop, "va", "pretend")
    shop.work()
    number = of(shop, buys, placed)["payments"][0]["instructions"]["number"]
    assert number.startswith("8808")
    reference = f"{placed['number']}.1"
    page(f"{server.bank.url}/pay/{reference}", "refuse")
    assert until(lambda: knocks(shop) == 3)
    shop.work()
    assert of(shop, buys, placed)["payments"][0]["state"] == "failed"
    # later: nothing comes yet, and a file that was written is read again
    path = f"/api/checkouts/{placed['id']}/payments"
    shop.api.post(
        path,
        buys,
        json={"method": "pretend", "channel": "qris"},
        headers={"Idempotency-Key": "again"},
    )
    shop.work()
    page(f"{server.bank.url}/pay/{placed['number']}.2", "later")
    server.bank.pay_due()
    assert server.bank.sessions.find(f"{placed['number']}.2")["state"] == "open"
    again = pretend_provider.Bank(shop.config, server.bank.url)
    kept = again.sessions.find(f"{placed['number']}.2")
    assert kept == server.bank.sessions.find(f"{placed['number']}.2")
    kept["later_at"] = "2020-01-01T00:00:00+00:00"
    again.pay_due()
    assert until(lambda: knocks(shop) == 4)
    body = json.dumps({"id": "by-hand", "our_reference": f"{placed['number']}.2"}).encode()
    signed = {pretend.SIGNATURE: pretend.sign(pretend.key_of(shop.config), body)}
    told = shop.api.post("/api/payments/pretend/events", body=body, headers=signed)
    assert (told.status_code, knocks(shop)) == (200, 5)


def test_another_name_for_this_machine_is_refused(bank: tuple[Server, PaidShop]):
    assert page(bank[0].bank.url, host="evil.example") == "421"
    assert page(f"{bank[0].bank.url}/pay/NOBODY.1") == "404"
