"""The files of images: kept while a row uses them, removed by a sweeper when none does any more.

Files come before rows: an image is stored, then the transaction that writes its row begins. So a
crash or a removed row leaves a file without a row; the sweeper removes both, once they are old
enough. There is never a row without its file: a writer of a row holds the files first, and stores
them again if the sweeper was quicker.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from marketplace.files.images import SizedImage
from marketplace.files.storage import Storage, digest_of, image_key
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.queries import images
from marketplace.workflows.product_documents import Interrupted

FOLDER = "pictures/"
BATCH = 200


def save(storage: Storage, pictures: Sequence[SizedImage]) -> None:
    """Store all sizes; once this returns they are on disk. Existing files only become younger."""
    for picture in pictures:
        for variant in picture.variants:
            storage.put(image_key(picture.digest, variant.name), variant.data)


def hold(conn: Conn, storage: Storage, pictures: Sequence[SizedImage]) -> None:
    """Before rows for saved images are written: make sure that their files exist, and stay until
    the transaction ends.
    """
    if not pictures:
        return
    images.hold_files(conn, [picture.digest for picture in pictures])
    for picture in pictures:
        if any(
            storage.modified(image_key(picture.digest, variant.name)) is None
            for variant in picture.variants
        ):
            save(storage, [picture])


def sweep(
    db: Database, storage: Storage, min_age: float, *, stopping: Callable[[], bool] = lambda: False
) -> tuple[int, int]:
    """Remove files of images that no row uses and that were last stored `min_age` seconds ago:
    (files, bytes).

    For the worker; safe to repeat, and to interrupt anywhere. Raises Interrupted.
    """
    files = size = 0
    before = time.time() - min_age
    for batch in _batches(storage, before):
        if stopping():
            raise Interrupted
        with db.working() as conn:
            for digest in images.lock_unused(conn, list(batch)):
                for key, length in batch[digest]:
                    put = storage.modified(key)
                    if (
                        put is not None and put <= before
                    ):  # again, under the lock: somebody may have stored it meanwhile
                        storage.delete(key)
                        files += 1
                        size += length
    return files, size


def _batches(storage: Storage, before: float) -> Iterator[dict[str, list[tuple[str, int]]]]:
    """Yield old files (key, bytes) by their image, some images at a time."""
    batch: dict[str, list[tuple[str, int]]] = {}
    for stored in storage.keys(FOLDER):
        digest = digest_of(stored.key)
        if digest is None or stored.modified > before:
            continue
        if digest not in batch and len(batch) >= BATCH:
            yield batch
            batch = {}
        batch.setdefault(digest, []).append((stored.key, stored.size))
    if batch:
        yield batch
