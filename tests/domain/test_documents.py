"""check-documents: finds every kind of untruth, leaves what a job is about to write, and mends."""

import os
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from conftest import Api

from marketplace.commands import check_documents
from marketplace.postgres.database import Database
from marketplace.workflows import product_documents

TRUE = "All documents, category rows and search words are true.\n"


@pytest.fixture
def shop(committed: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Api, list[int]]:
    """Some products with categories, a brand and one that is hidden; the command finds this
    database.
    """
    for name in [each for each in os.environ if each.endswith("DATABASE_URL")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", committed.owner_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    admin, seller = committed.admin(), committed.seller()
    top = committed.post("/api/categories", admin, json={"name": "Dapur"}).json["id"]
    below = committed.post("/api/categories", admin, json={"name": "Panci", "parent_id": top}).json[
        "id"
    ]
    made = [
        committed.product(seller, name=f"Panci {number}", category_id=below, brand="Maspion")["id"]
        for number in range(4)
    ]
    assert committed.delete(f"/api/products/{made[3]}", seller).status_code == 204
    return committed, made


def check(*, rebuild: bool = False) -> int:
    return check_documents.run(SimpleNamespace(rebuild=rebuild))  # type: ignore[arg-type]


def rename_brand(api: Api) -> int:
    brand_id = api.get("/api/brands?search=maspion").json["brands"][0]["id"]
    answer = api.put(f"/api/brands/{brand_id}", api.admin(), json={"name": "Maspion Baru"})
    assert answer.status_code == 200
    return brand_id


def test_what_the_api_writes_is_true(
    shop: tuple[Api, list[int]], capsys: pytest.CaptureFixture[str]
):
    assert check() == 0
    assert capsys.readouterr().out == TRUE


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (
            "UPDATE product_documents SET document = document || ',\"a\":1' WHERE product_id = %s",
            "documents",
        ),
        ("UPDATE products SET name = 'Wajan' WHERE id = %s", "documents"),
        ("UPDATE product_categories SET price = 1 WHERE product_id = %s", "categories"),
        ("DELETE FROM product_categories WHERE product_id = %s", "categories"),
        ("UPDATE product_search SET words = 'x' WHERE product_id = %s", "search"),
        ("UPDATE product_search SET name_words = 99 WHERE product_id = %s", "search"),
        ("DELETE FROM product_search WHERE product_id = %s", "search"),
        ("DELETE FROM product_documents WHERE product_id = %s", "documents"),
    ],
)
def test_what_is_damaged_is_found_by_kind_and_mended(
    shop: tuple[Api, list[int]], capsys: pytest.CaptureFixture[str], damage: str, what: str
):
    api, made = shop
    with psycopg.connect(api.owner_url) as conn:
        assert conn.execute(damage.encode(), [made[1]]).rowcount > 0
    assert check() == 1
    said = capsys.readouterr().out
    assert f"{what}: 1 are not what the tables say: products {made[1]}\n" in said
    assert said.endswith("1 products are wrong; repair them with --rebuild.\n")
    assert check() == 1, "looking changes nothing"
    assert check(rebuild=True) == 0
    assert (
        f"{what}: 1 were not what the tables say: products {made[1]}\n" in capsys.readouterr().out
    )
    assert check() == 0
    assert capsys.readouterr().out == TRUE


def test_a_row_too_many_is_found(shop: tuple[Api, list[int]], capsys: pytest.CaptureFixture[str]):
    api, made = shop
    with psycopg.connect(api.owner_url) as conn:
        conn.execute(
            "INSERT INTO product_categories (product_id, category_id, created_at, price, "
            "name_key, in_stock)"
            " SELECT %s, category_id, created_at, price, name_key, in_stock FROM product_categories"
            " WHERE product_id = %s",
            [made[3], made[0]],
        )
    assert check() == 1
    assert (
        f"categories: 1 are not what the tables say: products {made[3]}\n"
        in capsys.readouterr().out
    )
    assert check(rebuild=True) == check() == 0


def test_what_a_job_is_about_to_write_is_not_wrong(
    shop: tuple[Api, list[int]], capsys: pytest.CaptureFixture[str]
):
    api, _ = shop
    brand_id = rename_brand(api)
    assert check() == 0
    said = capsys.readouterr().out
    assert said.startswith("4 products are about to be written by a job of the worker.\n")
    assert said.endswith(TRUE)
    with psycopg.connect(api.owner_url) as conn:
        conn.execute("UPDATE jobs.procrastinate_jobs SET status = 'failed'")
    assert check() == 1, "a job that failed writes nothing any more"
    assert "documents: 4 are not" in capsys.readouterr().out
    db = Database(api.config, role="marketplace_worker")
    assert product_documents.rebuild(db, "brand", brand_id, api.config.currency) == 4
    db.close()
    assert check() == 0


def test_mending_writes_what_a_job_was_about_to_write(
    shop: tuple[Api, list[int]], capsys: pytest.CaptureFixture[str]
):
    api, _ = shop
    rename_brand(api)
    assert check(rebuild=True) == 0
    assert (
        "4 products are written, which a job of the worker was about to do."
        in capsys.readouterr().out
    )
    assert {each["brand"]["name"] for each in api.get("/api/products").json["products"]} == {
        "Maspion Baru"
    }
    assert check() == 0
    assert capsys.readouterr().out == TRUE
