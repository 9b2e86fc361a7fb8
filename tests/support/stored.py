"""Files of images in the storage, and how old they are."""

import os
import time

from conftest import Api, User

from marketplace.files.local import LocalStorage

DAY = 86_400


def aged(files: LocalStorage, seconds: float = 2 * DAY) -> None:
    """Make all files so much older."""
    then = time.time() - seconds
    for stored in files.keys(""):
        os.utime(files.root / stored.key, (then, then))


def kept(files: LocalStorage) -> set[str]:
    return {stored.key for stored in files.keys("")}


def add(api: Api, seller: User, product_id: int, *pages: bytes) -> list[int]:
    parts = [("images", "a.png", page) for page in pages]
    answer = api.upload(f"/api/products/{product_id}/images", seller, parts)
    assert answer.status_code == 201, answer.text
    return [image["id"] for image in answer.json["images"]]
