"""The worker as a process: killed, stopped and cut off in the middle of an import."""

import asyncio
import os
import time
from pathlib import Path

import procrastinate
import psycopg
import pytest
from procrastinate.exceptions import ConnectorException
from support.import_shop import Shop, generate, require_whole, wait_for, worker

from marketplace.jobs import retries
from marketplace.workflows import upkeep


def wait_for_end(shop: Shop, import_id: int) -> None:
    """Done, and its file removed, which comes right behind the commit."""
    wait_for(
        shop,
        import_id,
        lambda found: found["state"] == "done" and not list(shop.files.keys("imports/")),
    )


def forget_heartbeats(shop: Shop) -> None:
    """Half a minute goes by, as far as the queue can tell."""
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
        )


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(shop: Shop, tmp_path: Path):
    file = generate(20_000)
    import_id = shop.send(file.text)
    for middle in (
        lambda found: found["state"] == "reading" and found["rows_read"] > 0,
        lambda found: found["rows_created"] > 2000,
        lambda found: found["rows_created"] > 9000,
    ):
        with worker(shop, tmp_path):
            wait_for(shop, import_id, middle)
        forget_heartbeats(shop)
    with worker(shop, tmp_path) as last:
        wait_for_end(shop, import_id)
        last.terminate()
        assert last.wait(20) == 0

    require_whole(shop, import_id, file)
    assert shop.value("SELECT attempt FROM imports") == 4


def test_a_worker_told_to_stop_leaves_the_import_to_the_next_one(shop: Shop, tmp_path: Path):
    file = generate(10_000)
    import_id = shop.send(file.text)
    with worker(shop, tmp_path) as first:
        wait_for(shop, import_id, lambda found: found["rows_created"] > 1000)
        first.terminate()
        assert first.wait(20) == 0
    assert shop.find(import_id)["state"] == "applying"
    with worker(shop, tmp_path):
        wait_for_end(shop, import_id)
    require_whole(shop, import_id, file)


def test_a_worker_outlives_its_connections(shop: Shop, tmp_path: Path):
    file = generate(10_000)
    import_id = shop.send(file.text)
    with worker(shop, tmp_path) as running:
        wait_for(shop, import_id, lambda found: found["rows_created"] > 1000)
        with psycopg.connect(shop.api.owner_url, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND "
                "backend_type = 'client backend'"
            )
        wait_for_end(shop, import_id)
        assert running.poll() is None
    require_whole(shop, import_id, file)


def test_what_became_of_a_job_is_told_again_where_a_dying_connection_did_not_hear(shop: Shop):
    async def tell() -> None:
        connector = retries.Connector(conninfo=shop.api.owner_url)
        async with procrastinate.App(connector=connector).open_async():
            told = asyncio.create_task(connector.execute_query_async("SELECT pg_sleep(0.7)"))
            await asyncio.sleep(0.3)
            async with await psycopg.AsyncConnection.connect(shop.api.owner_url) as conn:
                killed = await conn.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query = "
                    "'SELECT pg_sleep(0.7)'"
                )
                assert await killed.fetchone() == (1,)
            await told
            with pytest.raises(ConnectorException):
                await connector.execute_query_async(
                    "SELECT 1 / 0"
                )  # what is refused is not said twice

    asyncio.run(tell())


def test_a_dead_workers_job_does_not_stand_in_the_way_of_its_twin(shop: Shop, tmp_path: Path):
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, lock, queueing_lock, "
            "status)"
            " VALUES ('quick', 'upkeep', 'upkeep', 'upkeep', 'doing')"
        )
    import_id = shop.send("name,price\nA,1\n")
    unfinished = "SELECT count(*) FROM jobs.procrastinate_jobs WHERE status IN ('todo', 'doing')"
    with worker(shop, tmp_path):
        wait_for(
            shop, import_id, lambda found: found["state"] == "done" and shop.value(unfinished) == 0
        )


def test_a_renamed_brand_reaches_every_document(shop: Shop, tmp_path: Path):
    rows = "".join(f"Produk {number},1000,Lama\n" for number in range(1200))
    shop.run(shop.send("name,price,brand\n" + rows))
    brand_id = shop.value("SELECT id FROM brands")
    assert (
        shop.api.put(f"/api/brands/{brand_id}", shop.api.admin(), json={"name": "Baru"}).status_code
        == 200
    )
    with worker(shop, tmp_path):
        deadline = time.monotonic() + 30
        left = 1200
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = shop.value(
                "SELECT count(*) FROM product_documents WHERE document NOT LIKE '%%\"Baru\"%%'"
            )
    assert left == 0


def test_upkeep_forgets_what_is_long_dead(shop: Shop):
    import_id = shop.send("name,price\nA,1\n")
    waiting = shop.rows("SELECT file_key FROM imports")[0]["file_key"]
    shop.files.put("imports/left-behind.csv", b"name,price\n")
    for stored in shop.files.root.rglob("*.csv"):
        os.utime(stored, (0, 0))
    with psycopg.connect(shop.api.owner_url) as conn:
        conn.execute(
            "UPDATE auth.sessions SET ended_at = now() - interval '40 days' WHERE kind = 'device'"
        )
    upkeep.run(shop.db, shop.files, shop.files, shop.config)

    assert [stored.key for stored in shop.files.keys("imports/")] == [waiting]
    assert shop.value("SELECT count(*) FROM auth.sessions WHERE kind = 'device'") == 0
    assert shop.value("SELECT state FROM imports WHERE id = %s", import_id) == "queued"
