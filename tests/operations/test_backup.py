"""What was backed up while everybody went on is whole when it is restored; what is half, or
damaged, is no backup.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import PASSWORD, Api, User, database
from support.backups import Kept, another, opened
from support.commands import command, environment
from support.images import shot
from support.stored import add, aged

from marketplace.commands.backup import watched
from marketplace.config.settings import ROOT
from marketplace.files.local import LocalStorage
from marketplace.files.storage import image_key
from marketplace.ops import backups
from marketplace.ops.progress import Progress
from marketplace.postgres.database import Database
from marketplace.queries import backups as asked
from marketplace.queries import upkeep as month_queries
from marketplace.workflows import images as images_workflows
from marketplace.workflows import upkeep


class Load:
    """Products with pictures come and go, and a sweeper that takes every file at once nobody
    uses.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        self.files = LocalStorage(api.config.uploads_dir, public=True)
        self.seller = api.seller()
        self.stays: list[int] = []
        self.after: list[int] = []
        self.backed_up = threading.Event()
        self.failed: list[str] = []
        self.swept = 0
        self.turns = 0
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,))
            for work in (self._sell, self._sell, self._sweep)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.failed.append(repr(error))

    def _sell(self) -> None:
        """Pictures of a colour of their own go again a moment later: what is seen now is soon
        not there any more.
        """
        passing: list[str] = []
        while not self._ended.is_set():
            self.turns += 1
            late = self.backed_up.is_set()
            here = self.api.product(self.seller, name=f"Kopi {secrets.token_hex(4)}")["id"]
            images = add(
                self.api,
                self.seller,
                here,
                shot("black"),
                *(shot(f"#{secrets.token_hex(3)}") for _ in "ab"),
            )
            (self.after if late else self.stays).append(here)
            passing += [f"/api/products/{here}/images/{image}" for image in images[1:]]
            if len(passing) > 4:
                assert self.api.delete(passing.pop(0), self.seller).status_code == 204
                assert self.api.delete(passing.pop(0), self.seller).status_code == 204

    def _sweep(self) -> None:
        db = Database(self.api.config, role="marketplace_worker")
        while not self._ended.is_set():
            aged(self.files)
            self.swept += images_workflows.sweep(db, self.files, 86_400)[0]
        db.close()


def test_what_is_backed_up_under_load_is_whole_when_restored(
    committed: Api, owner_url: str, tmp_path: Path
):
    shop = Kept(committed, tmp_path)
    cursor = committed.get("/api/changes").json["next_cursor"]
    with Load(committed) as load:
        while len(load.stays) < 3 and not load.failed:
            time.sleep(0.05)
        before = set(load.stays)
        done = shop.back_up()
        load.backed_up.set()
        while not load.after and not load.failed:
            time.sleep(0.05)
    assert load.failed == []
    assert done.returncode == 0, done.stderr
    assert load.swept > 0
    (backup,) = backups.whole(shop.to)
    elsewhere = tmp_path / "elsewhere"
    with another(owner_url) as name:
        done = shop.restore(backup, elsewhere, "--into", name)
        assert done.returncode == 0, done.stderr
        url = database(owner_url, name)
        uploads = elsewhere / "up"
        with opened(url, elsewhere) as api:
            there = {row["id"] for row in rows(url, "SELECT id FROM products")}
            assert before <= there
            assert there.isdisjoint(load.after)
            assert rows(url, "SELECT FROM pg_constraint WHERE NOT convalidated") == []
            named = rows(
                url, "SELECT digest, variants FROM product_images WHERE digest IS NOT NULL"
            )
            assert named
            for image in named:
                assert digest(uploads, image["digest"], image["variants"]) == image["digest"]
            works(api, load.seller, before.pop(), cursor)
        refused = "SELECT has_database_privilege('public', current_database(), 'TEMPORARY') AS may"
        assert rows(url, refused) == [{"may": False}]


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as conn:
        return conn.execute(query).fetchall()


def digest(uploads: Path, name: str, variants: list[dict[str, Any]]) -> str:
    """What a picture is named by, from its files as they lie there."""
    found = hashlib.sha256()
    for variant in variants:
        data = (uploads / image_key(name, variant["name"])).read_bytes()
        found.update(b"%s %d\n%s" % (variant["name"].encode(), len(data), data))
    return found.hexdigest()


def works(api: Api, seller: User, product_id: int, cursor: str) -> None:
    """The restored shop: old sessions go on, passwords are good, apps are told to copy it anew,
    things can be sold.
    """
    assert (
        api.post("/api/auth/login", json={"email": seller.email, "password": PASSWORD}).status_code
        == 200
    )
    assert api.get("/api/users/profile", seller).status_code == 200
    assert api.get(f"/api/products/{product_id}").json["images"]
    assert api.get("/api/products").json["products"]
    assert api.get("/api/changes", params={"cursor": cursor}).status_code == 410
    changes = api.get("/api/changes").json["changes"]
    assert changes
    fresh = api.product(seller, name="Teh sesudahnya")["id"]
    assert fresh > product_id
    add(api, seller, fresh, shot("red"))
    assert api.get("/readyz").status_code == 200


def test_a_backup_that_was_killed_is_none(kept: Kept, tmp_path: Path):
    to = tmp_path / "backups"
    process = subprocess.Popen(
        [sys.executable, "-m", "marketplace", "backup", "--to", str(to)], cwd=ROOT,
        env=environment(kept.api.owner_url, kept.folder, UPLOADS_DIR=str(kept.uploads)),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while not (half := list(to.glob(".*.part/database/*"))):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert half
    assert backups.whole(to) == []
    (part,) = to.glob(".*.part")
    assert "no finished backup" in kept.restore(part, tmp_path).stderr
    with backups.alone(to):
        assert list(to.glob("*.part")) == list(to.glob(".*.part")) == []


def test_what_the_backup_before_has_is_not_copied_again(kept: Kept):
    (first,) = backups.whole(kept.to)
    files = {
        entry.key: (first / entry.place / entry.key).stat().st_ino
        for entry in backups.entries(first)
    }
    assert files
    done = kept.back_up("--keep", "1")
    assert done.returncode == 0, done.stderr
    assert f"{len(files)} files, 0 of them copied now" in done.stdout
    (second,) = backups.whole(kept.to)
    assert second != first
    assert {
        entry.key: (second / entry.place / entry.key).stat().st_ino
        for entry in backups.entries(second)
    } == files
    assert list(backups.check(second)) == []


def test_who_stops_a_backup_stops_the_dump(tmp_path: Path):
    class Stopped(Progress):
        def add(self, count: int) -> None:
            raise KeyboardInterrupt

    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; echo dumping >&2; exec sleep 60"
    with pytest.raises(KeyboardInterrupt):
        watched(["sh", "-c", script], dict(os.environ), Stopped("tables", 1), "dumping")
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid.read_text().strip()}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_would_go_wrong_later_is_refused_before_anything_is_made(kept: Kept, tmp_path: Path):
    public = kept.uploads / "backups"
    done = command(
        kept.api.owner_url, kept.folder, "backup", "--to", str(public), uploads=kept.uploads
    )
    assert done.returncode == 1
    assert "among the uploads" in done.stderr
    assert not public.exists()
    (backup,) = backups.whole(kept.to)[-1:]
    assert kept.restore(backup, tmp_path, "--into", "never_made", "--jobs", "0").returncode == 2


def test_a_row_whose_file_is_missing_is_named_and_no_old_backup_goes(
    committed: Api, tmp_path: Path
):
    shop = Kept(committed, tmp_path)
    seller = committed.seller()
    add(committed, seller, committed.product(seller)["id"], shot("red"))
    assert shop.back_up().returncode == 0
    (first,) = backups.whole(shop.to)
    lost = next(backups.entries(first)).key
    (shop.uploads / lost).unlink()
    done = shop.back_up("--keep", "1")  # taken from the backup before: names are hashes
    assert done.returncode == 0, done.stderr
    told = backups.last(tmp_path / "data")
    shutil.rmtree(shop.to)
    assert shop.back_up().returncode == 1
    assert backups.last(tmp_path / "data") == told
    done = shop.back_up("--keep", "1")
    assert done.returncode == 1
    assert f"a row names it, and it is not there: {lost}" in done.stderr
    assert len(backups.whole(shop.to)) == 2


def test_files_of_imports_that_wait_are_in_it(committed: Api, tmp_path: Path):
    shop = Kept(committed, tmp_path)
    seller = committed.seller()
    answer = committed.upload(
        "/api/products/import-csv", seller, [("file", "a.csv", b"name,price\nKopi,1000\n")]
    )
    assert answer.status_code == 202, answer.text
    assert shop.back_up().returncode == 0
    (backup,) = backups.whole(shop.to)
    (entry,) = backups.entries(backup)
    assert entry.place == "private"
    assert (backup / "private" / entry.key).read_bytes() == b"name,price\nKopi,1000\n"


def test_no_file_is_swept_while_a_backup_is_made(committed: Api, tmp_path: Path):
    files = LocalStorage(committed.config.uploads_dir, public=True)
    seller = committed.seller()
    product_id = committed.product(seller)["id"]
    (image,) = add(committed, seller, product_id, shot("red"))
    assert committed.delete(f"/api/products/{product_id}/images/{image}", seller).status_code == 204
    aged(files)
    db = Database(committed.config, role="marketplace_worker")
    with psycopg.connect(
        committed.owner_url, autocommit=True, row_factory=psycopg.rows.dict_row
    ) as conn:
        assert asked.try_hold(conn)
        assert images_workflows.sweep(db, files, 86_400) == (0, 0)
        conn.execute(
            "SELECT pg_advisory_unlock_all()"
        )  # as the server does soon after the connection ends
    assert images_workflows.sweep(db, files, 86_400)[0] > 0
    db.close()


def test_months_are_made_and_dropped_without_waiting_for_who_reads(committed: Api):
    """pg_dump holds every table to its end, and whoever waits for it has all others wait behind."""
    db = Database(committed.config, role="marketplace_worker")
    with psycopg.connect(committed.owner_url, autocommit=True) as owner:
        owner.execute(
            "CREATE TABLE activities_2019_01 PARTITION OF activities FOR VALUES FROM "
            "('2019-01-01') TO ('2019-02-01')"
        )
    with psycopg.connect(committed.owner_url) as reader:
        reader.execute("SELECT count(*) FROM activities")
        with db.working() as conn:
            conn.execute("SET LOCAL lock_timeout = '100ms'")
            assert month_queries.make_months(conn, "activities", months=20) == 7
        upkeep.run(
            db,
            LocalStorage(committed.config.private_dir),
            LocalStorage(committed.config.uploads_dir),
            committed.config,
        )
        assert committed.buyer()
        assert reader.execute(
            "SELECT to_regclass('activities_2019_01') IS NOT NULL"
        ).fetchone() == (True,)
    upkeep.run(
        db,
        LocalStorage(committed.config.private_dir),
        LocalStorage(committed.config.uploads_dir),
        committed.config,
    )
    assert rows(committed.owner_url, "SELECT to_regclass('activities_2019_01') AS month") == [
        {"month": None}
    ]
    db.close()
