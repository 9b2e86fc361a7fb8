"""What Prometheus is told of orders and money, and the nightly proof."""

import argparse
import time
from collections.abc import Iterator

import psycopg
import pytest
from conftest import Api
from prometheus_client.parser import text_string_to_metric_families
from support.hall import Hall
from support.trade import Trade, lives

from marketplace.commands import check_selling
from marketplace.config import settings
from marketplace.postgres.database import Database
from marketplace.workflows import events, proofs

#: Events are told below the horizon of the whole server.
pytestmark = pytest.mark.alone


@pytest.fixture
def hall(committed: Api) -> Iterator[Hall]:
    made = Hall(committed)
    yield made
    made.conn.close()


@pytest.fixture
def worker(committed: Api) -> Iterator[Database]:
    made = Database(
        committed.config, url=committed.owner_url, role="marketplace_worker", patient=True
    )
    yield made
    made.close()


def told(hall: Hall) -> dict[tuple[str, ...], float]:
    """Samples of /metrics, by name and values of labels."""
    families = text_string_to_metric_families(hall.api.get("/metrics").text)
    return {
        (sample.name.removeprefix("marketplace_"), *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_orders_payments_refunds_and_cash_are_counted(hall: Hall, worker: Database):
    trade = Trade(hall)
    made = lives(trade)
    trade.do("UPDATE payments SET state = 'checking' WHERE id = %s", made["asked"])
    trade.do("UPDATE payments SET problem = 'twice' WHERE id = %s", made["new_payment"])
    waiting = trade.place()
    trade.do(
        "UPDATE payments SET created_at = now() - interval '2 hours' WHERE id = %s",
        trade.ask(waiting),
    )
    cash = trade.place(method="cod")
    trade.ship(cash)
    trade.do("UPDATE orders SET deliver_by = now() - interval '1 day' WHERE id = %s", cash.order)
    trade.do(
        "UPDATE holds SET expires_at = now() - interval '1 minute' WHERE order_id = %s",
        waiting.order,
    )
    trade.do(
        "INSERT INTO provider_callbacks (provider, key, body, received_at) VALUES ('pretend', 'k', '', now() - interval '20 minutes')"
    )
    proofs.count(worker)
    found = told(hall)
    stages = {name[1]: value for name, value in found.items() if name[0] == "orders"}
    assert stages == {
        "unpaid": 2, "new": 3, "to_ship": 0, "shipping": 2, "delivered": 1, "completed": 3, "cancelled": 1,
    }  # fmt: skip
    assert found["checkouts_total", "cancelled"] == 1
    assert found["payments_open", "day", "transfer"] == 1
    assert found["payments_checking",] == 1
    assert found["payment_problems",] == 1
    assert 0 <= found["payment_problem_seconds",] < 60
    assert found["refunds_waiting", "due", "bank"] == 1
    assert found["refund_sending_seconds",] == 0
    assert found["callbacks_unapplied",] == 1
    assert 1190 < found["callbacks_oldest_seconds",] < 1300
    assert found["holds_lapsed",] == 1
    assert found["cod_overdue",] == 1


def test_events_that_wait_are_told_by_their_age(hall: Hall, worker: Database):
    Trade(hall).place()
    time.sleep(1.1)
    assert told(hall)["events_behind_seconds", "mail"] > 1
    events.tell(worker)
    assert told(hall)["events_behind_seconds", "mail"] == 0


def test_the_proof_is_kept_for_the_metrics(
    hall: Hall, worker: Database, caplog: pytest.LogCaptureFixture
):
    assert ("invariants_checked_seconds",) not in told(hall)
    trade = Trade(hall)
    lives(trade)
    assert proofs.prove(worker) == 0
    found = told(hall)
    views = {name[1]: value for name, value in found.items() if name[0] == "invariants_broken"}
    assert set(views.values()) == {0}
    rows = hall.conn.execute(
        "SELECT count(*) FROM pg_views WHERE schemaname = 'invariants'"
    ).fetchone()
    assert len(views) == rows["count"] > 30
    assert 0 <= found["invariants_checked_seconds",] < 60
    hall.conn.execute("UPDATE store_balances SET balance = balance + 1")
    assert proofs.prove(worker) == 1
    assert told(hall)["invariants_broken", "balances_are_payable"] == 1
    (line,) = [record for record in caplog.records if record.name == "marketplace.proofs"]
    assert (line.levelname, vars(line)["invariant"]) == ("ERROR", "balances_are_payable")
    hall.conn.execute("UPDATE store_balances SET balance = balance - 1")
    assert proofs.prove(worker) == 0
    assert told(hall)["invariants_broken", "balances_are_payable"] == 0


def test_by_hand_it_is_kept_too(hall: Hall, monkeypatch: pytest.MonkeyPatch):
    config = hall.api.config
    monkeypatch.setattr(settings, "load", lambda: config)
    assert check_selling.run(argparse.Namespace()) == 0
    assert told(hall)["invariants_broken", "entries_balance"] == 0


@pytest.mark.parametrize(
    ("role", "text"),
    [
        ("marketplace_app", "SELECT * FROM gauges"),
        ("marketplace_app", "INSERT INTO gauges (name, value) VALUES ('orders', 1)"),
    ],
)
def test_nobody_but_the_worker_writes_gauges(hall: Hall, role: str, text: str):
    hall.conn.execute(f"SET ROLE {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        hall.conn.execute(text)
