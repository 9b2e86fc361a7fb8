"""Files that hosts share: one's picture is the other's, and an import is read by another's
worker.
"""

import io
import logging
import time
import uuid

import boto3
from moto.server import ThreadedMotoServer
from PIL import Image

from system.ha import programs
from system.ha.hosts import Host
from system.ha.load import Client

BUCKETS = ("pictures", "private")


class Bucket:
    """A small S3 server (moto) with two buckets."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for every request
        self._server = ThreadedMotoServer("127.0.0.1", programs.ports(1)[0])
        self._server.start()
        self.url = f"http://127.0.0.1:{self._server.get_host_and_port()[1]}"
        self._credentials = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self._client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="x",
            aws_secret_access_key="x",
            region_name="us-east-1",
        )
        for name in BUCKETS:
            self._client.create_bucket(Bucket=name)

    @property
    def settings(self) -> dict[str, str]:
        """What a host's environment needs."""
        return {
            "S3_BUCKET": BUCKETS[0],
            "S3_PRIVATE_BUCKET": BUCKETS[1],
            "S3_ENDPOINT_URL": self.url,
            "UPLOADS_URL": f"{self.url}/{BUCKETS[0]}",
            **self._credentials,
        }

    def size(self, url: str) -> int:
        """How many bytes a picture has that the API has named."""
        key = url.removeprefix(f"{self.url}/{BUCKETS[0]}/")
        return int(self._client.head_object(Bucket=BUCKETS[0], Key=key)["ContentLength"])

    def stop(self) -> None:
        """Take it down."""
        self._server.stop()


def check(hosts: list[Host], bucket: Bucket, token: str) -> tuple[str, list[str]]:
    """What was done in one line, and what is wrong."""
    first, second = (Client(host) for host in hosts)
    made = first.call("POST", "/api/products", {"name": "Kopi bergambar", "price": "5"}, token)
    seen = {"Consistency_Token": made.headers.get("consistency-token", "")}
    path = f"/api/products/{made.json['id']}"
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 30)).save(picture, "PNG")
    put = first.post_file(f"{path}/images", "images", "kopi.png", picture.getvalue(), token)
    seen = {"Consistency_Token": put.headers.get("consistency-token", seen["Consistency_Token"])}
    images = second.call("GET", path, **seen).json["images"]
    if not images:
        return "files", [f"the picture is not there: {put.status} {put.body[:200]!r}"]
    size = bucket.size(images[0]["image_url"])
    name = f"Teh {uuid.uuid4().hex[:8]}"
    taken = second.post_file(
        "/api/products/import-csv", "file", "a.csv", f"name,price\n{name},5000\n".encode(), token
    )
    done = (
        _ended(first, taken.json["id"], token)
        if taken.status == 202
        else {"state": taken.body[:200]}
    )
    wrong = (
        [] if done["state"] == "done" and done.get("rows_created") == 1 else [f"the import: {done}"]
    )
    return (
        f"a picture of one host is the other's ({size} bytes), its import is read by the first "
        "one's worker",
        wrong,
    )


def _ended(client: Client, number: int, token: str) -> dict[str, object]:
    done: dict[str, object] = {"state": "never"}
    for _ in range(150):
        done = client.call("GET", f"/api/products/imports/{number}", None, token).json
        if done["state"] in ("done", "failed"):
            break
        time.sleep(0.2)
    return done
