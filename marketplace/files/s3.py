"""Files in a bucket of an S3 API: Amazon's, or any other (MinIO, Ceph, Garage, R2).

Credentials and region are found as Amazon's programs find them: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, ~/.aws, the role of the machine. Needs the extra
requirements-s3.txt.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from marketplace.config.env import ConfigError
from marketplace.config.settings import Config
from marketplace.files.storage import KEY, StorageError, StorageUnavailableError, Stored

try:
    import boto3
    from botocore.config import Config as Settings
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    raise ConfigError(
        "A bucket is set, but boto3 is not here: pip install -r requirements-s3.txt"
    ) from None

SPOOL = 1024 * 1024
#: Content that never changes under its key may be kept for ever.
FOREVER = "public, max-age=31536000, immutable"
TYPES = {"webp": "image/webp"}


class S3Storage:
    """Files of a bucket, below a prefix. S3 itself makes sure that an object is there as a whole or
    not at all.
    """

    def __init__(self, config: Config, bucket: str) -> None:
        self._bucket = bucket
        self._prefix = f"{config.s3_prefix}/" if config.s3_prefix else ""
        with _answering():
            self._client: Any = boto3.client(
                "s3",
                endpoint_url=config.s3_endpoint_url or None,
                config=Settings(
                    connect_timeout=3,
                    read_timeout=10,
                    retries={"max_attempts": 3},
                    max_pool_connections=config.pool_size,
                ),
            )

    def put(self, key: str, data: bytes) -> None:
        """Store these bytes; on return they are stored. An existing file of the same content only
        becomes younger.
        """
        with _answering():
            self._client.put_object(
                Bucket=self._bucket, Key=self._path(key), Body=data, **_said(key)
            )

    @contextmanager
    def writing(self, key: str) -> Iterator[BinaryIO]:
        """Yield a file to write to: stored when the block ends well, gone without a trace when it
        raises.
        """
        path = self._path(key)
        with SpooledTemporaryFile(max_size=SPOOL) as file:
            yield cast(BinaryIO, file)
            file.seek(0)
            with _answering():
                self._client.upload_fileobj(file, self._bucket, path, ExtraArgs=_said(key))

    def open(self, key: str) -> BinaryIO:
        """Return the file, for reading."""
        file = cast(BinaryIO, SpooledTemporaryFile(max_size=SPOOL))  # noqa: SIM115 - the caller closes it
        try:
            with _answering(key):
                self._client.download_fileobj(self._bucket, self._path(key), file)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    def modified(self, key: str) -> float | None:
        """Return when the file was last stored, in seconds since 1970; None if there is none."""
        try:
            with _answering(key):
                found = self._client.head_object(Bucket=self._bucket, Key=self._path(key))
        except FileNotFoundError:
            return None
        return float(found["LastModified"].timestamp())

    def delete(self, key: str) -> None:
        """Remove the file; a missing one is no error."""
        with _answering():
            self._client.delete_object(Bucket=self._bucket, Key=self._path(key))

    def keys(self, prefix: str) -> Iterator[Stored]:
        """Yield every file whose key begins with `prefix`, which is empty or ends in a slash; in
        the order of keys.
        """
        if prefix and not prefix.endswith("/"):
            raise StorageError(f"A prefix ends in a slash: {prefix!r}")
        with _answering():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for found in page.get("Contents", []):
                    key = found["Key"][len(self._prefix) :]
                    if KEY.fullmatch(key):
                        yield Stored(key, found["Size"], found["LastModified"].timestamp())

    def clear_unfinished(self, min_age: float) -> int:
        """Remove what crashed writers left, started `min_age` seconds ago; return how many."""
        before = time.time() - min_age
        removed = 0
        with _answering():
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for each in page.get("Uploads", []):
                    if each["Initiated"].timestamp() <= before:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=each["Key"], UploadId=each["UploadId"]
                        )
                        removed += 1
        return removed

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise StorageError(f"Not a key: {key!r}")
        return self._prefix + key


def _said(key: str) -> dict[str, str]:
    """The headers with which the bucket serves the file."""
    kind = TYPES.get(key.rpartition(".")[2])
    return {"ContentType": kind, "CacheControl": FOREVER} if kind else {}


@contextmanager
def _answering(key: str | None = None) -> Iterator[None]:
    """Turn failures of the bucket into StorageUnavailableError, and a missing file into
    FileNotFoundError.
    """
    try:
        yield
    except ClientError as error:
        if key is not None and error.response.get("Error", {}).get("Code") in (
            "404",
            "NoSuchKey",
            "NotFound",
        ):
            raise FileNotFoundError(key) from None
        raise StorageUnavailableError(str(error)) from error
    except (BotoCoreError, boto3.exceptions.Boto3Error) as error:
        raise StorageUnavailableError(str(error)) from error
