"""A shop that takes payments by Midtrans, and its worker's jobs, done at once and in order."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from conftest import Api, User
from psycopg.rows import dict_row
from servers.midtrans import Midtrans

from marketplace.integrations.payments import Silent
from marketplace.integrations.payments.providers import Providers, guarded
from marketplace.jobs import registry
from support.buying import buyer, key, put, quote, seller
from support.import_shop import Shop
from support.stock import broken

#: All channels, and a scheme of an app.
SETTINGS: dict[str, Any] = {
    "payment_methods": ("midtrans", "cod", "transfer"),
    "return_url_schemes": ("tokoku",),
    "rate_limits": {},
}
DUE = (
    "SELECT id, task_name, args FROM jobs.procrastinate_jobs WHERE status = 'todo'"
    " AND queue_name = 'payments' ORDER BY id LIMIT 1"
)


class PaidShop(Shop):
    """A shop with a provider: `work` does the jobs of the queue `payments`."""

    bank: Midtrans
    providers: Providers

    def work(self) -> list[str]:
        """Do all jobs that wait, one after the other; the names of those that met silence.

        They are not tried again here: what a worker does later, a test says.
        """
        silent = []
        while job := self._next():
            try:
                self.tasks[job["task_name"]].func(**job["args"])
            except Silent:
                silent.append(job["task_name"])
        return silent

    def _next(self) -> dict[str, Any] | None:
        with psycopg.connect(self.api.owner_url, row_factory=dict_row) as conn:
            job = conn.execute(DUE).fetchone()
            if job is not None:
                conn.execute("DELETE FROM jobs.procrastinate_jobs WHERE id = %s", [job["id"]])
            return job

    def run(self, task: str, **args: Any) -> None:
        """Do a job by its name, as the worker does it at its time."""
        self.tasks[task].func(**args)

    def later(self, minutes: int, payment_id: int) -> None:
        """Let a payment be so many minutes older, and ask about it."""
        with psycopg.connect(self.api.owner_url) as conn:
            conn.execute(
                "UPDATE payments SET poll_at = now(), created_at = created_at - make_interval(mins => %s)"
                " WHERE id = %s",
                [minutes, payment_id],
            )
        self.run("poll_payments")

    def too_late(self, checkout_id: int) -> None:
        """Let the time to pay be over, for the timer and at the provider."""
        with psycopg.connect(self.api.owner_url) as conn:
            conn.execute(
                "UPDATE checkouts SET pay_by = now() - interval '1 minute' WHERE id = %s",
                [checkout_id],
            )
            conn.execute(
                "UPDATE payments SET expires_at = now() - interval '1 minute' WHERE checkout_id = %s",
                [checkout_id],
            )

    def check(self) -> None:
        """No invariant is broken."""
        with psycopg.connect(self.api.owner_url) as conn:
            assert broken(conn) == []


@contextmanager
def paid_shop(api: Api, bank: Midtrans, **settings: Any) -> Iterator[PaidShop]:
    """A shop whose provider is this server."""
    known = {
        "midtrans_server_key": bank.key,
        "midtrans_url": bank.url,
        "midtrans_snap_url": bank.snap_url,
    }
    shop = PaidShop(api, **{**SETTINGS, **known, **settings})
    shop.bank = bank
    told: list[tuple[str, float]] = []
    shop.told = told  # type: ignore[attr-defined]
    shop.providers = guarded(shop.config, lambda name, seconds: told.append((name, seconds)))
    means = registry.Means(
        shop.config, shop.db, shop.files, shop.files, lambda message: None, lambda: False,
        shop.providers,
    )  # fmt: skip
    shop.tasks = registry.create_app(means).tasks  # type: ignore[attr-defined]
    yield shop
    shop.db.close()


def bought(
    shop: PaidShop, channel: str = "bca_va", method: str = "midtrans", stock: int = 2, **more: Any
) -> tuple[User, dict[str, Any]]:
    """Somebody who has placed one thing, to be paid by a provider: they, and the checkout."""
    api = shop.api
    sells, buys = seller(api), buyer(api)
    product = api.product(sells, stock=stock)["id"]
    put(api, buys, (product, 1))
    payment = {"method": method, "channel": channel, **more}
    total = quote(api, buys)["total"]
    placed = api.post(
        "/api/checkouts",
        buys,
        json={"expected_total": total, "payment": payment},
        headers=key(),
    )
    assert placed.status_code == 201, placed.text
    return buys, placed.json


def of(shop: PaidShop, user: User, checkout: dict[str, Any]) -> dict[str, Any]:
    """The checkout as it is now."""
    answer = shop.api.get(f"/api/checkouts/{checkout['id']}", user)
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def reference(checkout: dict[str, Any], number: int = 1) -> str:
    """What a payment of it is called at the provider."""
    return f"{checkout['number']}.{number}"
