"""The jobs of the worker, as the queue knows them: by name, with arguments that are JSON.

Every one is written so that running it twice does no harm: another worker runs the jobs of one that
was killed, or taken for dead, again.
"""

import logging
from collections.abc import Callable
from email.message import EmailMessage
from types import MappingProxyType
from typing import Any, NamedTuple

import procrastinate
from procrastinate import JobContext

from marketplace.config.settings import Config
from marketplace.files.storage import Storage
from marketplace.integrations.payments import Silent
from marketplace.integrations.payments.providers import Providers
from marketplace.jobs.queues import POOL
from marketplace.jobs.retries import ATTEMPTS, Connector, Retry
from marketplace.postgres.database import Database
from marketplace.postgres.pool import ALIVE
from marketplace.queries import brands, categories, search, stock
from marketplace.queries import jobs as queue
from marketplace.queries import stores as store_queries
from marketplace.text.messages import say
from marketplace.workflows import (
    checkouts,
    events,
    imports,
    invoices,
    mails,
    order_timers,
    payment_sessions,
    product_documents,
    proofs,
    reconciliations,
    refund_sending,
    return_timers,
    stores,
    upkeep,
    users,
)
from marketplace.workflows.imports import PASSING

#: Arguments of mails are addresses: with a run every six hours they are gone in a day.
FINISHED_HOURS = 18
FAILED_HOURS = 30 * 24
#: Products whose words are counted, which takes about a second.
WORDS_SAMPLE = 20_000
log = logging.getLogger("marketplace.jobs")


class Means(NamedTuple):
    """What jobs work with. `stopping` tells whether the process has been told to end."""

    config: Config
    db: Database
    private: Storage
    uploads: Storage
    deliver: Callable[[EmailMessage], None]
    stopping: Callable[[], bool]
    providers: Providers = MappingProxyType({})


def create_app(means: Means) -> procrastinate.App:
    """Return the queue with its jobs, connected as the worker; open it in the event loop that uses
    it.
    """
    connector = Connector(
        conninfo=means.config.worker_database_url,
        kwargs={"application_name": "marketplace-queue", "connect_timeout": 5, **ALIVE},
        configure=queue.configure,
        min_size=1,
        max_size=POOL,
        timeout=30.0,
        reconnect_timeout=2.0,  # then the next request makes a fresh attempt at once
    )
    app = procrastinate.App(connector=connector)
    _add_work(app, means)
    _add_upkeep(app, means)
    _add_trade(app, means)
    _add_payments(app, means)
    _add_housekeeping(app, means)
    return app


def _add_work(app: procrastinate.App, means: Means) -> None:
    """Add the jobs that calls of the API enqueue."""

    @app.task(name="run_import", queue="long", retry=Retry(), pass_context=True)
    def run_import(context: JobContext, import_id: int) -> None:
        try:
            imports.run(means.db, means.private, means.config, import_id, stopping=means.stopping)
        except PASSING:
            if context.job.attempts >= ATTEMPTS:
                words = say(
                    "The database or the storage of files did not respond for a long time; "
                    "send the file again."
                )
                imports.give_up(means.db, import_id, "unavailable", words)
            raise

    @app.task(name="send_mail", queue="mail", retry=Retry(OSError))  # smtplib's errors are OSErrors
    def send_mail(kind: str, email: str, language: str) -> None:
        mails.send(means.db, means.config, means.deliver, kind, email, language)

    @app.task(name="send_order_mail", queue="mail", retry=Retry(OSError))
    def send_order_mail(
        kind: str, party: str, order_id: int, event_id: int, data: dict[str, Any]
    ) -> None:
        events.send(
            means.db, means.config, means.deliver,
            kind=kind, party=party, order_id=order_id, event_id=event_id, data=data,
        )  # fmt: skip

    @app.task(name="forget_user", queue="long", retry=Retry())
    def forget_user(user_id: int, store_id: int | None) -> None:
        users.forget(
            means.db, user_id, store_id, means.config.currency,
            private=means.private, stopping=means.stopping,
        )  # fmt: skip

    @app.task(name="rebuild_documents", queue="quick", retry=Retry())
    def rebuild_documents(by: str, id: int | None = None) -> None:
        done = product_documents.rebuild(
            means.db, by, id, means.config.currency, stopping=means.stopping
        )
        log.info(
            "documents rebuilt", extra={"job": f"rebuild_documents by {by} {id}", "rows": done}
        )


def _add_upkeep(app: procrastinate.App, means: Means) -> None:
    """Add the periodic jobs of the catalogue, which run while a worker runs."""

    @app.periodic(cron="*/5 * * * *", queueing_lock="refresh_category_counts")
    @app.task(name="refresh_category_counts", queue="quick", lock="category_counts", retry=Retry())
    def refresh_category_counts(timestamp: int = 0) -> None:
        with means.db.working() as conn:
            categories.refresh_counts(conn)

    @app.periodic(cron="*/5 * * * *", queueing_lock="clear_names")
    @app.task(name="clear_names", queue="quick", lock="names", retry=Retry())
    def clear_names(timestamp: int = 0, brand_ids: list[int] | None = None) -> None:
        with means.db.working() as conn:
            brands.settle(conn, brand_ids)
        if brand_ids is None:
            with means.db.working() as conn:
                categories.clear(conn)

    @app.periodic(cron="*/5 * * * *", queueing_lock="refresh_search_words")
    @app.task(name="refresh_search_words", queue="quick", lock="search_words", retry=Retry())
    def refresh_search_words(timestamp: int = 0) -> None:
        with means.db.working() as conn:
            search.refresh_words(conn, WORDS_SAMPLE)

    @app.periodic(cron="*/5 * * * *", queueing_lock="refresh_low_stock")
    @app.task(name="refresh_low_stock", queue="quick", lock="low_stock", retry=Retry())
    def refresh_low_stock(timestamp: int = 0) -> None:
        with means.db.working() as conn:
            stock.refresh_low(conn)

    @app.periodic(cron="*/5 * * * *", queueing_lock="refresh_store_counts")
    @app.task(name="refresh_store_counts", queue="quick", lock="store_counts", retry=Retry())
    def refresh_store_counts(timestamp: int = 0) -> None:
        with means.db.working() as conn:
            store_queries.refresh_counts(conn)

    @app.periodic(cron="* * * * *", queueing_lock="settle_stores")
    @app.task(name="settle_stores", queue="quick", lock="settle_stores", retry=Retry())
    def settle_stores(timestamp: int = 0) -> None:
        stores.settle(means.db, means.config.currency, stopping=means.stopping)


def _add_trade(app: procrastinate.App, means: Means) -> None:
    """Add the periodic jobs of orders and money."""

    @app.periodic(cron="* * * * *", queueing_lock="tell")
    @app.task(name="tell", queue="quick", lock="tell", retry=Retry())
    def tell(timestamp: int = 0) -> None:
        events.tell(means.db, stopping=means.stopping)

    @app.periodic(cron="*/5 * * * *", queueing_lock="count_orders")
    @app.task(name="count_orders", queue="quick", lock="count_orders", retry=Retry())
    def count_orders(timestamp: int = 0) -> None:
        proofs.count(means.db)

    @app.periodic(cron="11 19 * * *", queueing_lock="check_selling")  # night from Aceh to Papua
    @app.task(name="check_selling", queue="long", lock="check_selling", retry=Retry())
    def check_selling(timestamp: int = 0) -> None:
        proofs.prove(means.db)

    @app.periodic(cron="* * * * *", queueing_lock="cancel_unpaid")
    @app.task(name="cancel_unpaid", queue="timers", lock="cancel_unpaid", retry=Retry())
    def cancel_unpaid(timestamp: int = 0) -> None:
        checkouts.cancel_due(means.db)

    @app.periodic(cron="* * * * *", queueing_lock="issue_invoices")
    @app.task(name="issue_invoices", queue="quick", lock="issue_invoices", retry=Retry())
    def issue_invoices(timestamp: int = 0) -> None:
        invoices.run(means.db, means.config.shop_time_zone, stopping=means.stopping)

    @app.periodic(cron="* * * * *", queueing_lock="order_timers")
    @app.task(name="order_timers", queue="timers", lock="order_timers", retry=Retry())
    def move_orders(timestamp: int = 0) -> None:
        order_timers.run(means.db, stopping=means.stopping)

    @app.periodic(cron="* * * * *", queueing_lock="refund_timers")
    @app.task(name="refund_timers", queue="timers", lock="refund_timers", retry=Retry())
    def move_returns(timestamp: int = 0) -> None:
        return_timers.run(means.db, stopping=means.stopping)

    @app.periodic(cron="* * * * *", queueing_lock="send_refunds")
    @app.task(name="send_refunds", queue="timers", lock="send_refunds", retry=Retry())
    def send_refunds(timestamp: int = 0) -> None:
        refund_sending.claim(means.db)


def _add_payments(app: procrastinate.App, means: Means) -> None:
    """Add what asks payment providers: each job about one payment, or one checkout."""
    db, providers = means.db, means.providers
    told: dict[tuple[str, str], float] = {}

    @app.task(name="open_payment", queue="payments", retry=Retry())
    def open_payment(payment_id: int) -> None:
        payment_sessions.open_payment(db, providers, payment_id)

    @app.task(name="poll_payment", queue="payments", retry=Retry())
    def poll_payment(payment_id: int) -> None:
        payment_sessions.poll_payment(db, providers, payment_id)

    @app.task(name="apply_callback", queue="payments", retry=Retry(Silent))
    def apply_callback(callback_id: int) -> None:
        payment_sessions.apply_callback(db, providers, callback_id)

    @app.task(name="cancel_session", queue="payments", retry=Retry(Silent))
    def cancel_session(payment_id: int) -> None:
        payment_sessions.cancel_session(db, providers, payment_id)

    @app.task(name="expire_checkout", queue="payments", retry=Retry())
    def expire_checkout(checkout_id: int) -> None:
        payment_sessions.expire_checkout(db, providers, checkout_id)

    @app.task(name="send_refund", queue="payments", retry=Retry())
    def send_refund(refund_id: int) -> None:
        refund_sending.send(db, providers, refund_id)

    @app.task(name="settle_payment", queue="payments", retry=Retry(Silent))
    def settle_payment(payment_id: int) -> None:
        payment_sessions.settle_payment(db, providers, payment_id)

    @app.periodic(
        cron="3 * * * *", queueing_lock="reconcile_day"
    )  # once a day: it looks at the hour
    @app.task(name="reconcile_day", queue="payments", lock="reconcile_day", retry=Retry(Silent))
    def reconcile_day(timestamp: int = 0) -> None:
        reconciliations.run(db, providers, means.config)

    @app.task(name="send_reconciliation", queue="mail", retry=Retry(OSError))
    def send_reconciliation(provider: str, day: str) -> None:
        reconciliations.send(db, means.config, means.deliver, provider=provider, day=day)

    @app.periodic(cron="* * * * *", queueing_lock="poll_payments")
    @app.task(name="poll_payments", queue="timers", lock="poll_payments", retry=Retry())
    def poll_payments(timestamp: int = 0) -> None:
        payment_sessions.poll_due(db)
        proofs.count_calls(db, told)


def _add_housekeeping(app: procrastinate.App, means: Means) -> None:
    """Add what keeps tables and files from growing without end; `upkeep` also runs at every
    start.
    """

    @app.periodic(cron="17 */6 * * *", queueing_lock="upkeep")
    @app.task(name="upkeep", queue="long", lock="upkeep", retry=Retry())
    def run_upkeep(timestamp: int = 0) -> None:
        upkeep.run(means.db, means.private, means.uploads, means.config)

    @app.periodic(cron="47 */6 * * *", queueing_lock="forget_jobs")
    @app.task(name="forget_jobs", queue="quick", lock="forget_jobs", pass_context=True)
    async def forget_jobs(context: JobContext, timestamp: int = 0) -> None:
        manager: Any = context.app.job_manager
        await manager.delete_old_jobs(nb_hours=FINISHED_HOURS)
        await manager.delete_old_jobs(
            nb_hours=FAILED_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )
