"""Private images: their files, and what nobody has named."""

import time
from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

from marketplace.contract.errors import too_many_requests
from marketplace.files.images import SizedImage
from marketplace.files.storage import Storage
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import uploads
from marketplace.text.messages import say

FOLDER = "uploads/"
SIZES = ("thumb", "large")
#: Images of a user that nothing names yet.
MOST = 50
BATCH = 500


def key_of(upload_id: UUID | str, size: str) -> str:
    """Return where the file of one size is."""
    text = str(upload_id)
    return f"{FOLDER}{text[:2]}/{text}-{size}.webp"


def save(storage: Storage, image: SizedImage) -> tuple[UUID, int]:
    """Store the sizes of an image that are shown; a new id for it, and its bytes. Files come before
    the row: a crash leaves files that the sweeper removes.
    """
    upload_id, size = uuid4(), 0
    for variant in image.variants:
        if variant.name in SIZES:
            storage.put(key_of(upload_id, variant.name), variant.data)
            size += len(variant.data)
    return upload_id, size


def add(conn: Conn, user_id: int, upload_id: UUID, size: int, purpose: str) -> None:
    """Note a stored image. Raises 429 for who has many that nothing names: one of them is forgotten
    after a day, at the latest.
    """
    wait = uploads.wait(conn, user_id, most=MOST)
    if wait is not None:
        raise too_many_requests(wait, say("Name the images that you have sent before."))
    key = key_of(upload_id, "large")
    uploads.add(conn, upload_id, user_id=user_id, purpose=purpose, key=key, size=size)


def sweep(db: Database, storage: Storage, min_age: float) -> int:
    """Forget images that nobody has named for a day, and files without a row that old; how many
    rows. For the worker; safe to repeat.
    """
    done = _sweep(db, storage, uploads.sweep)
    before = time.time() - min_age
    old = [file.key for file in storage.keys(FOLDER) if file.modified < before]
    large = [key for key in old if key.endswith("-large.webp")]
    for start in range(0, len(large), BATCH):
        some = large[start : start + BATCH]
        with db.working() as conn:
            kept = uploads.kept(conn, some)
        for key in some:
            if key not in kept:
                delete(storage, key)
    return done


def sweep_spent(db: Database, storage: Storage, days: int) -> int:
    """Forget images that a proof or a return named, so many days after its order ended; how many.
    For the worker; safe to repeat.
    """
    return _sweep(db, storage, partial(uploads.sweep_spent, days=days))


def _sweep(db: Database, storage: Storage, some: Callable[..., list[str]]) -> int:
    """Forget rows, then delete their files, until none is left; how many."""
    done, keys = 0, [""]
    while keys:
        with db.working() as conn:
            keys = some(conn, most=BATCH)
        for key in keys:
            delete(storage, key)
        done += len(keys)
    return done


def delete(storage: Storage, key: str) -> None:
    """Delete all sizes of an image, by the key of its row."""
    storage.delete(key.replace("-large.", "-thumb."))
    storage.delete(key)
