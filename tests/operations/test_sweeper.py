"""Every row has its files, and every file its row: what the sweeper takes, and what it spares."""

import os
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Api
from support.commands import command
from support.images import shot
from support.stored import DAY, add, aged, kept

from marketplace.files.images import SizedImage, make
from marketplace.files.local import LocalStorage
from marketplace.files.storage import image_key
from marketplace.postgres.database import Database
from marketplace.workflows import images


@pytest.fixture
def files(committed: Api) -> LocalStorage:
    return LocalStorage(committed.config.uploads_dir, public=True)


@pytest.fixture
def worker(committed: Api) -> Any:
    db = Database(committed.config, role="marketplace_worker")
    yield db
    db.close()


def made(colour: str) -> SizedImage:
    return make(shot(colour), max_bytes=10**7, max_pixels=10**7)


def sizes_of(each: SizedImage) -> set[str]:
    return {image_key(each.digest, variant.name) for variant in each.variants}


def test_files_go_with_the_last_row_that_uses_them(
    committed: Api, files: LocalStorage, worker: Database
):
    seller = committed.seller()
    one, two = (committed.product(seller, name=name)["id"] for name in ("Satu", "Dua"))
    (first,) = add(committed, seller, one, shot("red"))
    (second,) = add(committed, seller, two, shot("red"))
    assert (
        committed.upload(
            "/api/users/upload-avatar", seller, [("avatar", "a", shot("blue"))]
        ).status_code
        == 200
    )
    red, blue = sizes_of(made("red")), sizes_of(made("blue"))
    assert kept(files) == red | blue
    aged(files)

    assert images.sweep(worker, files, DAY) == (0, 0)
    assert committed.delete(f"/api/products/{one}/images/{first}", seller).status_code == 204
    assert images.sweep(worker, files, DAY) == (0, 0), "the other product uses them"
    assert committed.delete(f"/api/products/{two}/images/{second}", seller).status_code == 204
    assert committed.delete(f"/api/products/{two}", seller).status_code == 204
    removed, size = images.sweep(worker, files, DAY)
    assert removed == len(red)
    assert size > 0
    assert kept(files) == blue
    assert committed.delete("/api/users/avatar", seller).status_code == 204
    assert images.sweep(worker, files, DAY)[0] == len(blue)
    assert kept(files) == set()


def test_what_is_young_is_spared_and_so_are_files_of_others(
    committed: Api, files: LocalStorage, worker: Database
):
    images.save(files, [made("red")])
    files.put("pictures/readme.txt", b"mine")
    files.put("other/thing.webp", b"mine")
    young = kept(files)
    assert images.sweep(worker, files, DAY) == (0, 0)
    assert kept(files) == young
    aged(files)
    images.save(files, [made("red")])  # the same picture again makes its files young
    assert images.sweep(worker, files, DAY) == (0, 0)
    aged(files)
    assert images.sweep(worker, files, DAY)[0] == len(sizes_of(made("red")))
    assert kept(files) == {"pictures/readme.txt", "other/thing.webp"}


def test_an_upload_under_way_keeps_its_files_or_stores_them_again(
    committed: Api, files: LocalStorage, worker: Database, monkeypatch: pytest.MonkeyPatch
):
    """The sweeper comes at the two worst moments: before the rows are begun, and before they are
    committed.
    """
    seller = committed.seller()
    product_id = committed.product(seller)["id"]
    real = images.hold
    swept: list[int] = []

    def late(conn: Any, storage: Any, found: Any) -> None:
        aged(files)
        swept.append(images.sweep(worker, files, DAY)[0])
        real(conn, storage, found)
        aged(files)
        swept.append(images.sweep(worker, files, DAY)[0])

    monkeypatch.setattr(images, "hold", late)
    add(committed, seller, product_id, shot("red"), shot("blue"))
    assert swept == [len(sizes_of(made("red"))) * 2, 0]
    assert kept(files) == sizes_of(made("red")) | sizes_of(made("blue"))


def test_sweepers_and_uploads_at_once_leave_no_row_without_its_files(
    committed: Api, files: LocalStorage, worker: Database
):
    seller = committed.seller()
    products = [committed.product(seller, name=f"Produk {number}")["id"] for number in range(4)]
    colours = ["red", "blue", "green"]
    failures: list[str] = []
    ended = threading.Event()

    def come_and_go(product_id: int) -> None:
        for turn in range(12):
            (image,) = add(committed, seller, product_id, shot(colours[turn % 3]))
            shown = committed.get(f"/api/products/{product_id}").json["images"]
            for address in {size["url"] for each in shown for size in each["variants"]}:
                if not (files.root / address.partition("/uploads/")[2]).is_file():
                    failures.append(address)
            if turn % 2:
                committed.delete(f"/api/products/{product_id}/images/{image}", seller)

    def sweep() -> None:
        while not ended.is_set():
            aged(files)
            images.sweep(worker, files, DAY)

    sweeper = threading.Thread(target=sweep)
    threads = [threading.Thread(target=come_and_go, args=(product_id,)) for product_id in products]
    sweeper.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ended.set()
    sweeper.join()
    assert failures == []
    with psycopg.connect(committed.owner_url) as conn:
        used = {row[0] for row in conn.execute("SELECT digest FROM product_images")}
    aged(files)
    images.sweep(worker, files, DAY)
    assert {key.rpartition("/")[2].partition("-")[0] for key in kept(files)} == used


def test_the_command_says_what_it_removed(committed: Api, files: LocalStorage, tmp_path: Path):
    red = made("red")
    images.save(files, [red])
    aged(files)
    (files.root / "pictures" / ".0.part").write_bytes(b"half")
    os.utime(files.root / "pictures" / ".0.part", (0, 0))
    done = command(
        committed.owner_url, tmp_path, "sweep-uploads", "--min-age", "3600", uploads=files.root
    )
    assert done.stdout.startswith(f"{len(red.variants)} image files that nobody uses, "), (
        done.stderr
    )
    assert done.stdout.endswith("; 1 that were never finished.\n")
    assert kept(files) == set()


def test_a_product_with_pictures_has_a_main_one(committed: Api):
    seller = committed.seller()
    product_id = committed.product(seller)["id"]
    first, second = add(committed, seller, product_id, shot("red"), shot("blue"))
    with psycopg.connect(committed.owner_url) as conn:
        for damage in (
            "UPDATE product_images SET is_main = false WHERE id = %s",
            "DELETE FROM product_images WHERE id = %s",
            "INSERT INTO product_images (product_id, position, url)"
            " SELECT p.id, 1, 'x' FROM products AS p WHERE p.id <> %s AND NOT EXISTS"
            " (SELECT FROM product_images AS i WHERE i.product_id = p.id)",
        ):
            if damage.startswith("INSERT"):
                committed.product(seller, name="Tanpa gambar")
            with (
                pytest.raises(psycopg.errors.CheckViolation, match="no main one"),
                conn.transaction(),
            ):
                conn.execute(damage.encode(), [first])
        with conn.transaction():  # all of them at once, as when a product is removed
            conn.execute("DELETE FROM product_images WHERE product_id = %s", [product_id])
    assert second
