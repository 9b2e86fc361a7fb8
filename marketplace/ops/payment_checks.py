"""The doctor's checks of payments: whether anybody can pay, and what a provider still lacks."""

import contextlib
from collections.abc import Iterator, Sequence

from marketplace.config.settings import Config
from marketplace.integrations.payments import Forged, Silent, midtrans
from marketplace.ops.findings import Finding

#: Ways to pay before anything is sent.
BEFORE = {"midtrans", "pretend", "transfer"}


def payments(config: Config) -> Iterator[Finding]:
    """Check the ways to pay, and what each needs around it."""
    if not BEFORE & {*config.payment_methods}:
        yield Finding(
            "warning",
            "nobody can pay but on delivery or to a store: set MIDTRANS_SERVER_KEY or "
            "TRANSFER_ACCOUNTS",
        )
    if config.payment_methods and not config.operator_email:
        yield Finding("warning", "OPERATOR_EMAIL is not set: nobody hears of problems")
    if not config.midtrans_server_key:
        return
    sandbox = config.midtrans_server_key.startswith("SB-")
    if sandbox and config.production:
        yield Finding("wrong", "MIDTRANS_SERVER_KEY is a key of the sandbox: no money comes by it")
    if sandbox != ("sandbox" in config.midtrans_url):
        yield Finding("warning", "MIDTRANS_URL is not that of the key: Midtrans will refuse it")
    if "midtrans" not in config.payment_methods:
        yield Finding(
            "warning", "PAYMENT_METHODS lacks midtrans: its key only serves what was opened before"
        )
    if "snap" in config.midtrans_channels and not config.return_url_schemes:
        yield Finding(
            "warning", "RETURN_URLS is not set: the page of Midtrans cannot lead back into the app"
        )
    if not config.public_url.startswith("https://"):
        yield Finding(
            "wrong" if config.production else "warning",
            "PUBLIC_URL is not https: notifications of Midtrans cannot come, sessions are asked "
            "about each minute at best",
        )
    else:
        yield Finding(
            "ok",
            f"Midtrans notifies {config.public_url}/api/payments/midtrans/events (set it there)",
        )


def fees(notifications: Sequence[bytes]) -> Iterator[Finding]:
    """Check whether Midtrans lets buyers pay more than was asked for."""
    more = 0
    for body in notifications:
        with contextlib.suppress(Forged, Silent):
            more += midtrans.fee_on_top(body)
    if more:
        yield Finding(
            "warning",
            f"Midtrans adds a fee that its buyers pay: the gross amount of {more} of its newest "
            f"{len(notifications)} notifications is not what was asked for",
        )
