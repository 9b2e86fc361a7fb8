"""Pictures in a bucket: the same as in a folder, against a small S3 server in a process of its
own.
"""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from conftest import Api
from support.images import picture
from support.import_shop import Shop
from support.responses import problem

from marketplace.app import create_app
from marketplace.config import settings as app_settings
from marketplace.config.env import ConfigError
from marketplace.config.settings import Config
from marketplace.files.storage import StorageError, StorageUnavailableError
from marketplace.files.stores import of_private, of_uploads
from marketplace.postgres.database import Database
from marketplace.workflows import images, imports

boto3 = pytest.importorskip("boto3")
KEY = "pictures/ab/cd/one.webp"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an S3 server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def on_s3(server: str, config: Config, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Settings with a fresh bucket."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    bucket = f"shop-{secrets.token_hex(4)}"
    boto3.client("s3", endpoint_url=server).create_bucket(Bucket=bucket)
    return replace(
        config,
        s3_bucket=bucket,
        s3_endpoint_url=server,
        s3_prefix="shop",
        uploads_url="https://cdn.example/shop",
    )


def content(storage: Any, key: str) -> bytes:
    with storage.open(key) as file:
        return bytes(file.read())


def test_what_is_put_is_there_until_it_is_deleted(on_s3: Config):
    storage = of_uploads(on_s3)
    assert storage.modified(KEY) is None
    with pytest.raises(FileNotFoundError):
        storage.open(KEY)
    storage.put(KEY, b"one")
    assert time.time() - (storage.modified(KEY) or 0) < 60
    assert content(storage, KEY) == b"one"
    assert [(each.key, each.size) for each in storage.keys("pictures/")] == [(KEY, 3)]
    assert list(storage.keys("imports/")) == []
    storage.delete(KEY)
    storage.delete(KEY)
    assert storage.modified(KEY) is None
    with pytest.raises(StorageError):
        storage.put("../one", b"")


def test_a_writer_that_fails_leaves_nothing(on_s3: Config):
    storage = of_uploads(on_s3)
    with storage.writing("imports/1.csv") as file:
        file.write(b"x" * 3_000_000)
    assert content(storage, "imports/1.csv") == b"x" * 3_000_000
    with pytest.raises(RuntimeError), storage.writing("imports/2.csv") as file:  # noqa: PT012
        file.write(b"half")
        raise RuntimeError
    assert [each.key for each in storage.keys("")] == ["imports/1.csv"]


def test_a_bucket_says_what_a_picture_is_and_that_it_stays(on_s3: Config, server: str):
    of_uploads(on_s3).put(KEY, b"one")
    found = boto3.client("s3", endpoint_url=server).head_object(
        Bucket=on_s3.s3_bucket, Key=f"shop/{KEY}"
    )
    assert found["ContentType"] == "image/webp"
    assert found["CacheControl"] == "public, max-age=31536000, immutable"


def test_uploads_begun_and_never_ended_are_cleared(on_s3: Config, server: str):
    client = boto3.client("s3", endpoint_url=server)
    client.create_multipart_upload(Bucket=on_s3.s3_bucket, Key="shop/imports/9.csv")
    storage = of_uploads(on_s3)
    assert (
        storage.clear_unfinished(40 * 365 * 86_400) == 0
    )  # this server says that all began in 2010
    assert storage.clear_unfinished(-60) == 1
    assert storage.clear_unfinished(-60) == 0


def test_pictures_are_uploaded_fetched_and_swept(api: Api, on_s3: Config, server: str):
    api.config, api.app = on_s3, create_app(on_s3, api.db)
    api.client.app = api.app
    seller = api.seller()
    product = api.product(seller)
    answer = api.upload(
        f"/api/products/{product['id']}/images", seller, [("images", "a", picture())]
    )
    assert answer.status_code == 201, answer.text
    shown = answer.json["images"][0]
    assert shown["image_url"].startswith("https://cdn.example/shop/pictures/")
    storage = of_uploads(on_s3)
    stored = {each.key for each in storage.keys("")}
    assert {
        size["url"].removeprefix("https://cdn.example/shop/") for size in shown["variants"]
    } == stored
    assert content(storage, sorted(stored)[0])[8:12] == b"WEBP"
    assert not any(on_s3.uploads_dir.rglob("*.webp"))


def test_the_sweeper_finds_what_nobody_uses_in_a_bucket(committed: Api, on_s3: Config):
    settings = replace(on_s3, database_url=committed.config.database_url)
    storage, worker = of_uploads(settings), Database(settings, role="marketplace_worker")
    storage.put(f"pictures/ab/12/{'ab12' + '0' * 60}-thumb.webp", b"nobody's")
    assert images.sweep(worker, storage, 3600) == (0, 0)
    assert images.sweep(worker, storage, -60) == (1, 8)
    assert list(storage.keys("")) == []
    worker.close()


def test_files_to_be_imported_wait_in_a_private_bucket_for_any_worker(
    committed: Api, on_s3: Config, server: str
):
    bucket = f"{on_s3.s3_bucket}-private"
    boto3.client("s3", endpoint_url=server).create_bucket(Bucket=bucket)
    shop = Shop(committed, s3_private_bucket=bucket, s3_endpoint_url=server)
    import_id = shop.send("name,price\nKopi,12000\n")
    assert [each.key.split("/")[0] for each in shop.files.keys("")] == ["imports"]
    assert not (shop.config.private_dir / "imports").exists()
    nobody = replace(shop.config, s3_endpoint_url="http://127.0.0.1:9")
    with pytest.raises(StorageUnavailableError):
        imports.run(shop.db, of_private(nobody), nobody, import_id)
    assert shop.find(import_id)["state"] == "reading"
    assert shop.run(import_id)["rows_created"] == 1
    assert list(shop.files.keys("")) == []
    shop.db.close()


def test_the_private_bucket_cannot_be_the_one_that_is_served(config: Config):
    env = {"S3_BUCKET": "shop", "S3_PRIVATE_BUCKET": "shop", "UPLOADS_URL": "https://cdn.example"}
    with pytest.raises(ConfigError, match="S3_PRIVATE_BUCKET"):
        app_settings.load(env, secret_keys=config.secret_keys)


def test_a_bucket_that_is_away_is_a_503_and_writes_no_row(api: Api, on_s3: Config):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"
    away = replace(on_s3, s3_endpoint_url=nobody)
    with pytest.raises(StorageUnavailableError):
        of_uploads(away).put(KEY, b"one")
    api.app = create_app(away, api.db)
    api.client.app = api.app
    seller = api.seller()
    product = api.product(seller)
    answer = api.upload(
        f"/api/products/{product['id']}/images", seller, [("images", "a", picture())]
    )
    problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"]
    assert api.get(f"/api/products/{product['id']}").json["images"] == []


def test_a_bucket_goes_with_the_address_of_its_files():
    with pytest.raises(ConfigError, match="UPLOADS_URL"):
        app_settings.load({"S3_BUCKET": "shop"}, secret_keys=("k" * 40,))
