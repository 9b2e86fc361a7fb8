"""Real files that nobody here wrote, where they are: catalogues, pictures and hostile strings,
through the API.
"""

import json
import re
import unicodedata
from dataclasses import replace

import pytest
from conftest import PASSWORD, SHARED, Api, User

from marketplace.files.local import LocalStorage
from marketplace.postgres.database import Database
from marketplace.text.lines import is_seen, stripped, turns
from marketplace.workflows import imports

CATALOGS = SHARED / "data" / "catalogs"
IMAGES = sorted((SHARED / "data" / "images").rglob("*.*"))
STRINGS = SHARED / "data" / "strings"

#: Products that a person finds in each catalogue: variants, not the parents that gather them.
PRODUCTS = {
    "magento_products_gear_bags.csv": 14,
    "magento_products_gear_fitness_equipment.csv": 9,
    "magento_products_gear_watches.csv": 9,
    "medusa_exported_comma.csv": 3,
    "spree_products.csv": 87,
    "vendure_products.csv": 88,
    "woocommerce_sample_products.csv": 21,
}


def run_import(
    api: Api, user: User, data: bytes, name: str = "a.csv", *, variants: str = "auto"
) -> dict:
    """Send a file and do the worker's part; the import as it ended."""
    path = f"/api/products/import-csv?variants={variants}"
    answer = api.upload(path, user, [("file", name, data)])
    assert answer.status_code == 202, answer.text
    worker = Database(api.config, role="marketplace_worker")
    config = replace(
        api.config, import_new_categories=100
    )  # a shop may need more than a file may make
    try:
        imports.run(worker, LocalStorage(api.config.private_dir), config, answer.json["id"])
    finally:
        worker.close()
    return api.get(answer.headers["location"], user).json


@pytest.mark.skipif(not CATALOGS.is_dir(), reason="../shared is not here")
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_real_catalogue_of_another_system_comes_in_whole(committed: Api, name: str):
    seller = committed.seller()
    data = (CATALOGS / name).read_bytes()
    ended = run_import(committed, seller, data, name, variants="separate")

    assert (ended["state"], ended["rows_bad"], ended["rows_skipped"]) == ("done", 0, 0), ended
    assert ended["rows_created"] == PRODUCTS[name]
    assert ended["rows_read"] == ended["rows_created"] + ended["rows_shared"]
    assert ended["columns"]["dialect"] == name.partition("_")[0]
    shown = committed.get("/api/stores/mine/products", seller, query_string="per_page=100").json
    assert shown["total_items"] == PRODUCTS[name]
    assert len({product["name"] for product in shown["products"]}) == PRODUCTS[name]
    for product in shown["products"]:
        whole = committed.get(f"/api/products/{product['id']}", seller).json
        assert not re.search(r"</?[a-z]|&[a-z]+;", whole["name"] + (whole["description"] or ""))
    if name != "medusa_exported_comma.csv":  # which has neither SKUs nor links
        again = run_import(committed, seller, data, name)
        assert (again["rows_unchanged"], again["rows_created"]) == (PRODUCTS[name], 0)


@pytest.mark.skipif(not IMAGES, reason="../shared is not here")
def test_every_real_picture_is_shown_or_refused(api: Api):
    seller = api.seller()
    for path in IMAGES:
        product = api.product(seller)["id"]
        answer = api.upload(
            f"/api/products/{product}/images", seller, [("images", path.name, path.read_bytes())]
        )
        assert answer.status_code in (201, 413, 422), (path.name, answer.text)
        if answer.status_code == 201:
            for size in answer.json["images"][0]["variants"]:
                served = api.get(size["url"].removeprefix("http://falconframework.org"))
                assert (served.status_code, served.headers["content-type"]) == (200, "image/webp")
        else:
            assert answer.json["errors"][0]["message"]


def strings() -> list[str]:
    """Every string, as it is. A thousand requests in one transaction would each pass by all rows
    that the former have left: those who send them commit.
    """
    found: list[str] = json.loads((STRINGS / "blns.json").read_text(encoding="utf-8"))
    for path in STRINGS.glob("*.txt"):
        found += path.read_text(encoding="utf-8", errors="replace").splitlines()
    return sorted(set(found))


@pytest.mark.long
@pytest.mark.skipif(not STRINGS.is_dir(), reason="../shared is not here")
def test_hostile_text_is_stored_as_it_came_or_refused(committed: Api):
    api = committed
    seller = api.seller()
    product = api.product(seller)["id"]
    stored = 0
    for text in strings():
        body = {"name": text, "description": text, "sku": text, "brand": text, "price": text}
        assert api.patch(f"/api/products/{product}", seller, json=body).status_code in (
            200,
            409,
            422,
        )
        answer = api.patch(
            f"/api/products/{product}", seller, json={"name": text, "description": text}
        )
        normal = unicodedata.normalize("NFC", text)
        if answer.status_code == 200:
            stored += 1
            # blanks around a text are no part of it, also those that nobody sees
            assert answer.json["name"] == stripped(normal)
            assert answer.json["description"] == normal.strip()
        else:
            assert answer.status_code == 422, answer.text
            assert (
                not is_seen(normal)
                or turns(normal)
                or len(normal) > 500
                or re.search(r"[\x00-\x1f\x7f-\x9f]", normal)
            )
    assert stored > 400


@pytest.mark.long
@pytest.mark.skipif(not STRINGS.is_dir(), reason="../shared is not here")
def test_hostile_text_in_accounts_and_stores_is_no_failure(committed: Api):
    api = committed
    user = api.seller()
    for number, text in enumerate(strings()):
        answers = [
            api.put(
                "/api/users/profile", user, json={"name": text, "phone": text, "address": text}
            ),
            api.put("/api/stores/mine", user, json={"name": text, "description": text}),
            api.post(
                "/api/auth/login",
                json={"email": text, "password": text, "device_name": text},
                remote_addr=f"10.1.{number // 250}.{number % 250}",  # who guesses is slowed
            ),
            api.post("/api/auth/refresh", json={"refresh_token": text}),
        ]
        if number % 10 == 0:
            body = {"name": text, "email": text, "password": PASSWORD, "role": text, "phone": text}
            answers.append(api.post("/api/auth/register", json=body))
        assert {answer.status_code for answer in answers} <= {200, 401, 409, 422}, text


@pytest.mark.long
@pytest.mark.skipif(not STRINGS.is_dir(), reason="../shared is not here")
def test_hostile_text_in_parameters_and_headers_is_no_failure(committed: Api):
    api = committed
    user = api.seller()
    names = (
        "category_id",
        "brand_id",
        "store_id",
        "min_price",
        "max_price",
        "in_stock",
        "ids",
        "sort_by",
        "sort_order",
        "page",
        "per_page",
        "cursor",
    )
    for text in strings():
        answers = [api.get("/api/products", params={"search": text})]
        answers += [api.get("/api/products", params=dict.fromkeys(names, text))]
        answers += [
            api.get("/api/users/activities", user, params={"type": text, "from": text, "to": text})
        ]
        answers += [api.get("/api/brands", params={"search": text})]
        header = (
            text.encode("utf-8", "replace")
            .decode("latin-1")
            .replace("\n", " ")
            .replace("\r", " ")
            .replace("\0", " ")
        )
        answers += [api.get("/api/users/profile", headers={"Authorization": f"Bearer {header}"})]
        answers += [
            api.get(
                "/api/products",
                headers={
                    "X-Request-ID": header,
                    "User-Agent": header,
                    "Accept": header,
                    "X-Forwarded-For": header,
                },
            )
        ]
        assert all(answer.status_code < 500 for answer in answers), text
        assert (
            api.get("/api/users/profile", user, headers={"User-Agent": header}).status_code == 200
        )
