"""The queues of the worker: none waits for another, and who may call somebody else."""

import argparse
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from conftest import Api
from psycopg.types.json import Jsonb
from support.import_shop import Shop
from support.processes import until

from marketplace.commands import doctor, worker
from marketplace.config.settings import ROOT
from marketplace.jobs import registry
from marketplace.jobs.queues import QUEUES, connections, threads
from marketplace.workflows import mails


class Partner:
    """Somebody else's server, which takes every connection and stays silent."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/wait"
        self.held: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.held.append(self.socket.accept()[0])

    def close(self) -> None:
        for each in [self.socket, *self.held]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@pytest.fixture
def partner() -> Iterator[Partner]:
    made = Partner()
    yield made
    made.close()


@contextmanager
def calling_worker(shop: Shop, folder: Path, *queues: str) -> Iterator[subprocess.Popen[bytes]]:
    env = {
        **os.environ,
        "DATABASE_URL": shop.api.owner_url,
        "DATA_DIR": str(shop.config.data_dir),
        "UPLOADS_DIR": str(shop.config.uploads_dir),
        "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT}",
    }
    command = [sys.executable, "-m", "support.calling_worker", *queues]
    with (folder / "worker.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def defer(shop: Shop, queue: str, task: str, args: dict[str, str], times: int = 1) -> None:
    with psycopg.connect(shop.api.owner_url) as conn:
        for _ in range(times):
            conn.execute(
                "SELECT jobs.procrastinate_defer_jobs_v1(ARRAY[ROW(%s, %s, 0, NULL, NULL, %s, NULL)"
                "::jobs.procrastinate_job_to_defer_v1])",
                [queue, task, Jsonb(args)],
            )


def count(shop: Shop, where: str) -> int:
    return int(shop.value(f"SELECT count(*) FROM jobs.procrastinate_jobs WHERE {where}"))  # noqa: S608


def test_a_partner_who_is_silent_holds_up_neither_mails_nor_rebuilds(
    shop: Shop, tmp_path: Path, partner: Partner
):
    """Sixteen jobs in each of two queues fill them; everything else goes on meanwhile."""
    box = shop.config.data_dir / "mail"
    with calling_worker(shop, tmp_path):
        for queue in ("payments", "outward"):
            defer(shop, queue, f"call_from_{queue}", {"url": partner.url}, times=16)
        assert until(lambda: len(partner.held) == 16, 60), (tmp_path / "worker.log").read_text()
        assert until(lambda: count(shop, "status = 'doing' AND task_name LIKE 'call%%'") == 16, 2)
        before = len(list(box.glob("*.eml")))
        started = time.monotonic()
        with shop.db.working() as conn:
            mails.enqueue(conn, "reset", shop.seller.email, "en")
        assert until(lambda: len(list(box.glob("*.eml"))) > before, 2), "the mail did not leave"
        left = time.monotonic() - started
        defer(shop, "quick", "clear_names", {})
        done = "status = 'succeeded' AND task_name = 'clear_names'"
        rebuilt = count(shop, done)
        assert until(lambda: count(shop, done) > rebuilt, 2)
        import_id = shop.send("name,price\nKopi,1\n")
        assert until(lambda: shop.find(import_id)["state"] == "done", 5)
        assert len(partner.held) == 16, "eight of each queue at once, no more"
        assert count(shop, "status = 'todo' AND task_name LIKE 'call%%'") == 16
    assert left < 2


def test_a_queue_that_may_call_nobody_does_not(shop: Shop, tmp_path: Path, partner: Partner):
    inner = [name for name, queue in QUEUES.items() if not queue.calls]
    assert inner == ["quick", "long", "timers"]
    with calling_worker(shop, tmp_path):
        for queue in inner:
            defer(shop, queue, f"call_from_{queue}", {"url": partner.url})
        assert until(lambda: count(shop, "status = 'failed'") == 3, 60)
    assert partner.held == []
    assert "jobs of the queue timers call nobody" in (tmp_path / "worker.log").read_text()


def test_jobs_that_wait_where_a_former_release_put_them_are_done(shop: Shop, tmp_path: Path):
    """Mails stood in `quick` once, and so did upkeep."""
    defer(
        shop, "quick", "send_mail", {"kind": "reset", "email": shop.seller.email, "language": "en"}
    )
    defer(shop, "quick", "upkeep", {})
    box = shop.config.data_dir / "mail"
    with calling_worker(shop, tmp_path):
        assert until(lambda: len(list(box.glob("*.eml"))) > 0, 60)
        assert until(lambda: count(shop, "status IN ('todo', 'doing')") == 0, 60)
    assert count(shop, "status = 'failed'") == 0
    assert (
        shop.value("SELECT queue_name FROM jobs.procrastinate_jobs WHERE task_name = 'send_mail'")
        == "mail"
    )


def test_a_worker_takes_the_queues_it_is_told_and_doctor_names_the_others(
    shop: Shop, tmp_path: Path
):
    assert {each.state for each in doctor.server(shop.config) if "no worker" in each.words} == {
        "warning"
    }
    with calling_worker(shop, tmp_path, "mail", "long"):
        signed = "SELECT count(*) FROM refreshes WHERE name LIKE 'queue %%'"
        assert until(lambda: shop.value(signed) == 2, 60)
        told = [each.words for each in doctor.server(shop.config) if "takes jobs of" in each.words]
        assert [words.split()[7] for words in told] == ["quick", "payments", "outward", "timers"]
        defer(shop, "quick", "clear_names", {})
        told = [each.words for each in doctor.server(shop.config) if "queue quick" in each.words]
        assert int(told[0].split()[-2]) >= 1
        unserved = {
            row["label"]: row["value"]
            for row in shop.rows("SELECT * FROM service_state()")
            if row["name"] == "queue_unserved_seconds"
        }
    assert set(unserved) == set(QUEUES)
    assert unserved["mail"] < 15
    assert unserved["payments"] == float("inf")


def test_every_job_has_one_of_the_queues_and_only_some_call_somebody(committed: Api):
    means = registry.Means(
        committed.config, committed.db, None, None, lambda message: None, lambda: False
    )
    app = registry.create_app(means)
    ours = {name: task for name, task in app.tasks.items() if task.queue != "builtin"}
    assert {task.queue for task in ours.values()} <= set(QUEUES)
    assert {name for name, task in ours.items() if QUEUES[task.queue].calls} == {
        "send_mail",
        "send_order_mail",
        "open_payment",
        "poll_payment",
        "apply_callback",
        "cancel_session",
        "expire_checkout",
        "settle_payment",
        "send_refund",
        "reconcile_day",
        "send_reconciliation",
    }


def test_how_many_run_at_once_is_what_is_written():
    assert {name: queue.at_once for name, queue in QUEUES.items()} == {
        "quick": 1, "mail": 2, "long": 1, "payments": 8, "outward": 8, "timers": 1,
    }  # fmt: skip
    assert threads(tuple(QUEUES)) == 21
    assert connections(tuple(QUEUES)) == 5
    parser = argparse.ArgumentParser()
    worker.add_arguments(parser)
    assert parser.parse_args(["--queue", "mail", "--queue", "timers"]).queue == ["mail", "timers"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--queue", "fast"])
