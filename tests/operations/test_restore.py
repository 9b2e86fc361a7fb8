"""What is restored: never over what lives, never a half, and nothing of what is damaged."""

import json
import shutil
from pathlib import Path

import psycopg
import pytest
from conftest import Api, database
from support.backups import Kept, another, opened
from support.commands import command
from support.images import shot
from support.stored import add

from marketplace.ops import backups
from marketplace.postgres import migrations
from marketplace.queries import backups as asked


@pytest.mark.parametrize(
    "what", ["database/toc.dat", "database/*.dat.gz", "files.tsv", "uploads/**/*-large.webp"]
)
def test_a_byte_that_is_another_is_found(kept: Kept, damaged: Path, tmp_path: Path, what: str):
    file = sorted(damaged.glob(what))[0]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert (
        list(backups.check(damaged)) == [f"{file.relative_to(damaged)}: not what was written"]
        or what == "files.tsv"
    )
    done = command("", tmp_path, "backup", "--check", str(damaged))
    assert done.returncode == 1
    assert "damaged: " in done.stderr


def test_a_file_that_is_gone_is_found_and_nothing_is_restored(
    kept: Kept, damaged: Path, owner_url: str, tmp_path: Path
):
    sorted(damaged.glob("uploads/**/*.webp"))[0].unlink()
    with another(owner_url) as name:
        done = kept.restore(damaged, tmp_path, "--into", name)
        assert done.returncode == 1
        assert "Not restored: the backup is damaged" in done.stderr
        with psycopg.connect(database(owner_url, name), row_factory=psycopg.rows.dict_row) as conn:
            assert asked.relations(conn) == 0
    assert not (tmp_path / "up").exists()


def test_files_alone_are_put_back_beside_a_database_that_lives(committed: Api, tmp_path: Path):
    shop = Kept(committed, tmp_path)
    seller = committed.seller()
    add(committed, seller, committed.product(seller)["id"], shot("red"))
    assert shop.back_up().returncode == 0
    (backup,) = backups.whole(shop.to)
    shutil.rmtree(shop.uploads / "pictures")
    restore = ("restore", "--from", str(backup), "--only-files")
    done = command(committed.owner_url, tmp_path, *restore, uploads=shop.uploads)
    assert (
        "3 files put back, 0 were there.\nEvery file that a row names is there." in done.stdout
    ), done.stderr
    add(committed, seller, committed.product(seller)["id"], shot("green"))
    shutil.rmtree(shop.uploads / "pictures")
    done = command(committed.owner_url, tmp_path, *restore, uploads=shop.uploads)
    assert done.returncode == 1
    assert "rows name 3 files that are nowhere" in done.stderr


def test_a_database_that_lives_is_not_overwritten(kept: Kept, tmp_path: Path):
    (backup,) = backups.whole(kept.to)
    done = kept.restore(backup, tmp_path)
    assert done.returncode == 1
    assert "is not empty, and nothing is overwritten" in done.stderr
    assert kept.api.get("/api/products").json["products"]


def test_a_backup_of_a_newer_release_is_refused(kept: Kept, damaged: Path, tmp_path: Path):
    said = json.loads((damaged / backups.MANIFEST).read_text())
    said |= {"migration": 9999, "migration_name": "V9999__later.sql"}
    (damaged / backups.MANIFEST).write_text(json.dumps(said))
    done = kept.restore(damaged, tmp_path, "--into", "never_made")
    assert "newer release: it has V9999__later.sql" in done.stderr


def test_a_restore_that_fails_leaves_nothing_the_api_would_serve(
    kept: Kept, owner_url: str, tmp_path: Path
):
    (backup,) = backups.whole(kept.to)
    entry = next(backups.entries(backup))
    other = tmp_path / "up" / entry.key
    other.parent.mkdir(parents=True)
    other.write_bytes(b"another file of this name")
    with another(owner_url) as name:
        done = kept.restore(backup, tmp_path, "--into", name)
        assert done.returncode == 1
        assert "is another file" in done.stderr
        assert "half restored: drop it and begin again" in done.stderr
        assert other.read_bytes() == b"another file of this name"
        with opened(database(owner_url, name), tmp_path) as api:
            assert api.get("/readyz").status_code == 503


def test_a_backup_of_an_older_release_is_brought_up_to_date(owner_url: str, tmp_path: Path):
    older = tmp_path / "migrations"
    shutil.copytree(migrations.MIGRATIONS, older)
    newest = sorted(older.glob("V*.sql"))[-1]
    newest.unlink()
    with another(owner_url) as first, another(owner_url) as second:
        with psycopg.connect(owner_url, autocommit=True) as conn:
            conn.execute(f"CREATE DATABASE {first}")
        migrations.migrate(database(owner_url, first), lambda line: None, older)
        to = tmp_path / "backups"
        done = command(database(owner_url, first), tmp_path, "backup", "--to", str(to))
        assert done.returncode == 0, done.stderr
        (backup,) = backups.whole(to)
        done = command(owner_url, tmp_path, "restore", "--from", str(backup), "--into", second)
        assert done.returncode == 0, done.stderr
        assert newest.name in done.stdout
        assert "1 migrations since" in done.stdout
