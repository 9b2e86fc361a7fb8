"""python -m marketplace import: with a worker and without one."""

import json
import subprocess
import sys
from typing import Any

from support.import_shop import FILE, Shop, generate, products, wait_for, worker

from marketplace.config.settings import ROOT


def command(shop: Shop, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": "/usr/bin:/bin",
        "DATABASE_URL": shop.api.owner_url,
        "DATA_DIR": str(shop.config.data_dir),
        "UPLOADS_DIR": str(shop.config.uploads_dir),
    }
    run = [sys.executable, "-m", "marketplace", "import", *arguments]
    return subprocess.run(run, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def test_the_command_imports_where_no_worker_runs(shop: Shop, tmp_path: Any):
    file = tmp_path / "katalog.csv"
    file.write_text(FILE + "X,,gratis,,,,,,\n")
    store = str(shop.seller.store_id)
    looked = command(shop, str(file), "--store", store, "--dry-run", "--json")
    assert looked.returncode == 1, looked.stderr
    assert json.loads(looked.stdout)["rows_created"] == 3
    assert "per cent 100/100" in looked.stderr
    assert products(shop) == {}
    done = command(shop, str(file), "--store", store)
    assert done.returncode == 1
    assert (
        "4 rows read (marketplace): 3 created, 0 updated, 0 unchanged, 0 skipped, 0 shared, 1 bad"
        in done.stdout
    )
    assert set(products(shop)) == {"Panci", "Wajan", "Gelas"}
    assert len(list(shop.files.keys("imports/"))) == 1  # the dry run's


def test_the_command_leaves_it_to_a_worker_that_is_there(shop: Shop, tmp_path: Any):
    file = tmp_path / "katalog.csv"
    file.write_text(FILE)
    with worker(shop, tmp_path):
        done = command(shop, str(file), "--store", str(shop.seller.store_id))
    assert done.returncode == 0, done.stderr
    assert shop.value("SELECT attempt FROM imports") == 1


def test_the_command_says_what_is_wrong(shop: Shop, tmp_path: Any):
    missing = command(shop, str(tmp_path / "no.csv"), "--store", "1")
    assert (missing.returncode, "cannot be read" in missing.stderr) == (1, True)
    (tmp_path / "a.csv").write_text(FILE)
    nobody = command(shop, str(tmp_path / "a.csv"), "--store", "no such store")
    assert (nobody.returncode, nobody.stderr.strip()) == (1, "There is no store 'no such store'.")
    assert list(shop.files.keys("imports/")) == []


def test_a_store_whose_import_is_at_work_has_the_next_one_wait(shop: Shop, tmp_path: Any):
    first = shop.send(generate(4000).text)
    second = shop.send(FILE)
    with worker(shop, tmp_path):
        wait_for(shop, second, lambda found: found["state"] == "done")
    rows = shop.rows("SELECT id, started_at, finished_at FROM imports ORDER BY id")
    assert [row["id"] for row in rows] == [first, second]
    assert rows[1]["started_at"] >= rows[0]["finished_at"]
