"""Adapters of payment providers: the pages' own examples, and what a silent or odd one means."""

import io
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from conftest import make_config
from servers import midtrans as server
from servers.midtrans import Midtrans, running

from marketplace.config.env import ConfigError
from marketplace.integrations.http import Silent
from marketplace.integrations.payments import (
    PaymentRequest,
    RefundRequest,
    Refused,
    breaker,
    key_of,
    midtrans,
    refund_of,
)

#: From docs.midtrans.com: "Receiving Notifications".
PAGE = ("1111", "200", "100000.00", "askvnoibnosifnboseofbinofinfgbiufglnbfg")
#: From the page of BCA's virtual account.
CHARGED = {
    "status_code": "201",
    "status_message": "Success, Bank Transfer transaction is created",
    "transaction_id": "be03df7d-2f97-4c8c-a53c-8959f1b67295",
    "order_id": "1571823229",
    "merchant_id": "G812785002",
    "gross_amount": "44000.00",
    "currency": "IDR",
    "payment_type": "bank_transfer",
    "transaction_time": "2019-10-23 16:33:49",
    "transaction_status": "pending",
    "va_numbers": [{"bank": "bca", "va_number": "812785002530231"}],
    "fraud_status": "accept",
}
NOW = datetime(2026, 12, 1, 3, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def bank() -> Iterator[Midtrans]:
    with running() as made:
        yield made


@pytest.fixture
def adapter(bank: Midtrans, tmp_path) -> midtrans.Midtrans:
    return midtrans.Midtrans(
        make_config(
            "",
            tmp_path,
            midtrans_server_key=bank.key,
            midtrans_url=bank.url,
            midtrans_snap_url=bank.snap_url,
        )
    )


def asked(reference: str, channel: str = "bca_va", **more: Any) -> PaymentRequest:
    values = {
        "our_reference": reference,
        "amount": Decimal("44000.00"),
        "currency": "IDR",
        "channel": channel,
        "expires_at": NOW + timedelta(hours=24),
        "now": NOW,
    }
    return PaymentRequest(**{**values, **more})


def test_the_signature_is_that_of_the_page(bank: Midtrans):
    import hashlib

    right = hashlib.sha512("".join(PAGE).encode()).hexdigest()
    assert midtrans.signature(*PAGE) == server.signature(*PAGE) == right


def test_a_charge_is_read_as_the_page_shows_it_and_the_server_says_the_same(
    adapter: midtrans.Midtrans, bank: Midtrans
):
    read = midtrans._instructions(CHARGED)
    assert read == {"kind": "va", "bank": "BCA", "number": "812785002530231", "holder": None}
    opened = adapter.open(asked("PAGE.1"))
    assert opened.expires_at == NOW + timedelta(hours=24)
    answer = bank.status("PAGE.1")[1]
    assert set(CHARGED) <= set(answer)
    assert opened.reference == answer["transaction_id"]
    permata = adapter.open(asked("PAGE.2", "permata_va")).instructions
    assert (permata["kind"], permata["bank"]) == ("va", "Permata")
    qris = adapter.open(asked("PAGE.3", "qris")).instructions
    assert qris["image_url"].endswith("/qr-code")
    page = adapter.open(asked("PAGE.4", "snap", return_url="tokoku://paid"))
    assert page.instructions["token"] == page.reference
    assert adapter.status("PAGE.4") is None
    with pytest.raises(Refused, match="used"):
        adapter.open(asked("PAGE.1"))
    with pytest.raises(Refused, match="used"):
        adapter.open(asked("PAGE.4", "snap"))
    with pytest.raises(Refused):
        adapter.open(asked("PAGE.5", amount=Decimal("10.50")))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"transaction_status": "settlement"}, "paid"),
        ({"transaction_status": "capture", "fraud_status": "accept"}, "paid"),
        ({"transaction_status": "capture", "fraud_status": "challenge"}, "open"),
        ({"transaction_status": "pending"}, "open"),
        ({"transaction_status": "authorize"}, "open"),
        ({"transaction_status": "deny"}, "open"),
        ({"transaction_status": "failure"}, "failed"),
        ({"transaction_status": "expire"}, "expired"),
        ({"transaction_status": "cancel"}, "cancelled"),
        ({"transaction_status": "chargeback"}, "charged_back"),
        ({"transaction_status": "partial_chargeback"}, "charged_back"),
        ({"transaction_status": "a new word"}, "open"),
        (
            {
                "transaction_status": "partial_refund",
                "refund_amount": "5000.00",
                "refunds": [{"refund_key": "refund-7", "refund_amount": "5000.00"}],
            },
            "paid",
        ),
        (
            {
                "transaction_status": "refund",
                "refund_amount": "44000.00",
                "refunds": [{"refund_key": "by-hand", "refund_amount": "44000.00"}],
            },
            "refunded",
        ),
        (
            {
                "transaction_status": "refund",
                "refund_amount": "44000.00",
                "refunds": [{"refund_key": "refund-7", "refund_amount": "5000.00"}],
            },
            "refunded",
        ),
    ],
)
def test_every_word_of_a_status_means_one_state(said: dict[str, Any], state: str):
    assert midtrans._status("X.1", {**CHARGED, **said}).state == state


def test_what_cannot_be_known_is_silent_and_what_is_refused_is_no(
    adapter: midtrans.Midtrans, bank: Midtrans
):
    adapter.open(asked("SILENT.1", "qris"))
    for fault in ("cut_before", "cut_after", "500", "429"):
        bank.fault("status", fault)
        with pytest.raises(Silent):
            adapter.status("SILENT.1")
    bank.fault("status", "wrong_amount")
    assert adapter.status("SILENT.1").amount == 1
    bank.pay("SILENT.1")
    wish = RefundRequest("refund-7", "SILENT.1", "x", Decimal(4000), "lines", "qris")
    bank.fault("refund", "no_balance", "key_used", "cut_after")
    for _ in range(3):
        with pytest.raises(Silent):
            adapter.refund(wish)
    assert adapter.status("SILENT.1").refunds == {"refund-7": Decimal(4000)}
    assert adapter.refund(wish).state == "done"
    assert bank.refunded["refund-7"] == 1
    adapter.open(asked("SILENT.2"))
    bank.pay("SILENT.2")
    virtual = RefundRequest("refund-8", "SILENT.2", "x", Decimal(4000), "lines", "bca_va")
    assert adapter.refund(virtual).state == "refused"
    adapter.cancel("SILENT.2")  # too late, and fine
    adapter.cancel("NOBODY.1")
    assert adapter.status("SILENT.2").state == "paid"
    assert adapter.status("NOBODY.1") is None


def test_a_file_of_a_day_is_read_and_a_bad_row_is_named(tmp_path):
    text = "Order ID,Amount,Fee,Date\nA.1,5000.00,100,2026-12-01 09:00:00\nB.1,1,,2026-12-02\n"
    rows = midtrans.statement(io.StringIO(text))
    config = make_config("", tmp_path, midtrans_server_key="k")
    day = list(midtrans.Midtrans(config, rows).settled(date(2026, 12, 1)))
    assert [(each.our_reference, each.amount, each.fee) for each in day] == [("A.1", 5000, 100)]
    assert midtrans.Midtrans(config).settled(date(2026, 12, 1)) is None
    for bad in (
        "A.1,-5,0,2026-12-01",
        "A.1,5,0,tomorrow",
        ",5,0,2026-12-01",
        "A.1,NaN,0,2026-12-01",
    ):
        with pytest.raises(ValueError, match="row 3"):
            midtrans.statement(
                io.StringIO(f"Order ID,Amount,Fee,Date\nA.1,1,0,2026-12-01\n{bad}\n")
            )


class Odd:
    """A provider that does what it is told."""

    name, channels = "odd", ()

    def __init__(self) -> None:
        self.says: Exception | None = None
        self.calls = 0

    def status(self, our_reference: str) -> None:
        self.calls += 1
        if self.says is not None:
            raise self.says


def test_five_silent_calls_in_a_row_and_nobody_calls_for_half_a_minute():
    odd, now, told = Odd(), [0.0], []
    guarded = breaker.Guarded(odd, lambda name, seconds: told.append(seconds), lambda: now[0])
    odd.says = Silent("nothing", sent=True)
    for _ in range(4):
        with pytest.raises(Silent):
            guarded.status("A.1")
    odd.says = Refused("no")  # a no is a sign of life
    with pytest.raises(Refused):
        guarded.status("A.1")
    odd.says = Silent("nothing", sent=True)
    for _ in range(5):
        with pytest.raises(Silent):
            guarded.status("A.1")
    assert (odd.calls, told) == (10, [30.0])
    for moment in (1, 29):
        now[0] = moment
        with pytest.raises(Silent):
            guarded.status("A.1")
    assert odd.calls == 10
    now[0] = 31
    with pytest.raises(Silent):
        guarded.status("A.1")
    assert (odd.calls, told) == (11, [30.0, 30.0])
    now[0] = 62
    odd.says = None
    guarded.status("A.1")
    guarded.status("A.1")
    assert (odd.calls, told) == (13, [30.0, 30.0, 0])


def test_settings_of_providers_say_what_is_wrong(tmp_path):
    from marketplace.config import settings

    base = {"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgresql://localhost/x"}

    def load(**env: str) -> Any:
        return settings.load({**base, **env})

    assert load().payment_methods == ("cod", "store_transfer")
    sandbox = load(MIDTRANS_SERVER_KEY="SB-Mid-server-1")
    assert sandbox.midtrans_url == "https://api.sandbox.midtrans.com"
    assert sandbox.payment_methods == ("midtrans", "cod", "store_transfer")
    (tmp_path / "key").write_text("Mid-server-1\n")
    real = load(MIDTRANS_SERVER_KEY_FILE=str(tmp_path / "key"), MIDTRANS_CHANNELS="qris,bca_va")
    assert (real.midtrans_server_key, real.midtrans_url) == (
        "Mid-server-1", "https://api.midtrans.com",
    )  # fmt: skip
    assert real.midtrans_channels == ("bca_va", "qris")
    for env, word in (
        ({"PAYMENT_METHODS": "midtrans"}, "MIDTRANS_SERVER_KEY"),
        ({"PAYMENT_METHODS": "pretend"}, "PRETEND_URL"),
        ({"MIDTRANS_SERVER_KEY": "a b"}, "MIDTRANS_SERVER_KEY"),
        ({"MIDTRANS_SERVER_KEY": "k", "CURRENCY": "USD"}, "CURRENCY=IDR"),
        ({"MIDTRANS_CHANNELS": "doku"}, "MIDTRANS_CHANNELS"),
    ):
        with pytest.raises(ConfigError, match=word):
            load(**env)
    production = {
        "MARKETPLACE_ENV": "production", "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz",
        "PUBLIC_URL": "https://shop.example", "SMTP_URL": "smtp://mail.example",
    }  # fmt: skip
    assert load(**production).payment_methods == ("cod", "store_transfer")
    for env, word in (
        ({"PRETEND_URL": "http://127.0.0.1:9"}, "PRETEND_URL"),
        ({"MIDTRANS_URL": "http://api.midtrans.com"}, "MIDTRANS_URL"),
    ):
        with pytest.raises(ConfigError, match=word):
            load(**production, **env)


@pytest.mark.parametrize(
    "key", ["refund-", "refund-0", "refund-²", "refund-7x", "refund-" + "9" * 19, "other-7", "7"]
)
def test_a_key_that_we_never_made_names_no_refund_of_ours(key: str):
    assert refund_of(key) is None
    assert refund_of(key_of(7)) == 7
