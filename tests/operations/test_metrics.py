"""What Prometheus is told, by one process and by all workers of a real server."""

import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator

import psycopg
import pytest
from conftest import PASSWORD, Api, created
from prometheus_client.parser import text_string_to_metric_families
from support.behind_nginx import Site, site
from support.import_shop import Shop

from marketplace.telemetry import metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(api: Api) -> Samples:
    answer = api.get("/metrics", headers={"Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    return samples(answer.text)


def requests(found: Samples, **labels: str) -> float:
    return found.get(("marketplace_http_requests_total", tuple(sorted(labels.items()))), 0.0)


def test_requests_are_counted_by_route_never_by_path(committed: Api):
    before = scraped(committed)
    for number in range(3):
        committed.get(f"/api/products/{number + 1_000_000}")
    committed.get("/api/products?search=secret")
    after = scraped(committed)
    label = {"method": "GET", "route": "/api/products/{product_id:id}", "status": "404"}
    assert requests(after, **label) - requests(before, **label) == 3
    place = (("route", "/api/products"),)
    count = ("marketplace_http_request_seconds_count", place)
    assert after[count] - before.get(count, 0) == 1
    waited = ("marketplace_database_seconds_total", place)
    spent = ("marketplace_http_request_seconds_sum", place)
    assert 0 < after[waited] - before.get(waited, 0) < after[spent] - before.get(spent, 0)
    assert not [key for key in after if "secret" in str(key) or "1000000" in str(key)]


def test_methods_anybody_makes_up_are_one(committed: Api):
    before = scraped(committed)
    for method in ("PROPFIND", "X" * 100, "TRACE"):
        metrics.count_request(method, "/api/products", 405, 0.001, 0.0)
    after = scraped(committed)
    label = {"method": "other", "route": "/api/products", "status": "405"}
    assert requests(after, **label) - requests(before, **label) == 3
    assert "PROPFIND" not in str(after)


def test_passwords_are_counted_by_what_came_of_them(committed: Api):
    user = committed.buyer()
    before = scraped(committed)
    for password in ("wrong", PASSWORD):
        committed.post("/api/auth/login", json={"email": user.email, "password": password})
    after = scraped(committed)
    for outcome in ("wrong", "right"):
        key = ("marketplace_sign_ins_total", (("outcome", outcome),))
        assert after[key] - before.get(key, 0) == 1


@pytest.mark.alone  # the feed's horizon is the whole server's
def test_queue_imports_and_feed_are_told(shop: Shop):
    shop.send("name,price\nKopi,1\n")
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute("UPDATE jobs.procrastinate_events SET at = now() - interval '1 minute'")
    found = scraped(shop.api)
    assert found["marketplace_database_up", ()] == 1
    assert found["marketplace_jobs_waiting", (("of", "long"),)] == 1
    assert 55 < found["marketplace_jobs_oldest_seconds", (("of", "long"),)] < 65
    assert found["marketplace_imports_running", (("of", "queued"),)] == 1
    assert found["marketplace_workers_alive", ()] == 0
    assert found["marketplace_feed_lag_seconds", ()] == 0
    with psycopg.connect(shop.api.owner_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")
        shop.api.product(shop.seller, name="Kopi")
        time.sleep(1.1)
        assert scraped(shop.api)["marketplace_feed_lag_seconds", ()] > 1


def test_the_age_of_the_last_backup_is_told_where_there_is_one(committed: Api):
    made = committed.config.data_dir / "last-backup"
    assert ("marketplace_backup_age_seconds", ()) not in scraped(committed)
    made.parent.mkdir(exist_ok=True)
    made.touch()
    os.utime(made, (0, time.time() - 3600))
    assert 3590 < scraped(committed)["marketplace_backup_age_seconds", ()] < 3700
    made.unlink()


def test_without_the_database_it_answers_all_the_same(committed: Api):
    committed.db.close()
    broken = Api(committed.config, committed.db, committed.owner_url)
    broken.db._pool._pool.conninfo = "host=127.0.0.1 port=9"
    answer = broken.client.simulate_get("/metrics")
    assert answer.status_code == 200
    assert samples(answer.text)["marketplace_database_up", ()] == 0


@pytest.fixture(scope="module")
def at(owner_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("counted")
    with created(owner_url, f"{template}_counted", template) as url, site(folder, url) as made:
        yield made


def fetched(at: Site, path: str) -> str:
    with urllib.request.urlopen(f"{at.base}{path}", timeout=20) as answer:  # noqa: S310 - our own
        return str(answer.read().decode())


def test_all_workers_are_counted_together_and_who_comes_after_goes_on(at: Site):
    def listings() -> float:
        found = samples(fetched(at, "/metrics"))
        return requests(found, method="GET", route="/api/changes", status="200")

    for _ in range(40):
        fetched(at, "/api/changes")  # no cache keeps it
    assert listings() == 40
    os.kill(int((at.folder / "gunicorn.pid").read_text()), signal.SIGHUP)
    log = at.folder / "api.log"
    deadline = time.monotonic() + 20
    while len(re.findall("Booting worker", log.read_text())) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1)
    for _ in range(40):
        fetched(at, "/api/changes")
    assert listings() == 80
    # The master, two workers, and during the reload two more: not one for every process there ever
    # was.
    assert len(list((at.folder / "data" / "metrics").glob("counter_*.db"))) <= 5
