"""Which storage an installation uses: a local folder or a bucket."""

from marketplace.config.settings import Config
from marketplace.files.local import LocalStorage
from marketplace.files.storage import Storage


def of_uploads(config: Config) -> "Storage":
    """Return the storage of images: UPLOADS_DIR, or a bucket of an S3 API."""
    if config.s3_bucket:
        from marketplace.files.s3 import (
            S3Storage,
        )  # an extra; its import takes a quarter of a second

        return S3Storage(config, config.s3_bucket)
    return LocalStorage(config.uploads_dir, public=True)


def of_private(config: Config) -> "Storage":
    """Return the storage of files that are never served, which sellers upload to be imported:
    DATA_DIR, or a bucket.
    """
    if config.s3_private_bucket:
        from marketplace.files.s3 import S3Storage

        return S3Storage(config, config.s3_private_bucket)
    return LocalStorage(config.private_dir)
