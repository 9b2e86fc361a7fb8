"""What an installation of the trial (install_trial.py) has to be like, looked at through nginx
and from within.
"""

import http.client
import io
import json
import secrets
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from system.install_trial_machine import BLOCKED, OUTSIDE, Machine


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def checks(machine: Machine, values: Mapping[str, str], who: str) -> Iterator[tuple[str, bool]]:
    """Each thing that was looked at, and whether it is well."""
    site = Site(machine.root, values["SITE"])
    listing = site.call("GET", "/api/products")
    yield f"HTTPS serves the catalogue to others ({listing.status})", listing.status == 200
    plain = site.call("GET", "/api/products", tls=False)
    yield (
        "HTTP leads to HTTPS",
        (plain.status, plain.headers.get("location")) == (308, f"https://{site.name}/api/products"),
    )
    yield "another name gets no certificate", not site.shakes_hands("other.example")
    for path in ("/metrics", "/readyz", "/healthz"):
        seen = site.call("GET", path).status, site.call("GET", path, host="127.0.0.1").status
        yield f"{path} is for this machine alone {seen}", seen == (404, 200)
    yield from selling(site, who)
    yield (
        "a mail came for who signed up",
        f"{who}@toko.example" in (machine.root / "var/log/mails.log").read_text(),
    )
    yield from secrets_kept(machine)
    ours = ["api.service", "api.socket", "worker.service", "backup.timer"]
    units = ["postgresql.service", "nginx.service", *(f"marketplace-{name}" for name in ours)]
    yield (
        "systemd has all of it running",
        machine.enter(["systemctl", "is-active", *units], quiet=True) == 0,
    )
    find = "journalctl -b -o cat -u marketplace-api -u marketplace-worker | grep -c Traceback"
    yield "no traceback in the journal", machine.enter(["sh", "-c", find], quiet=True) == 1
    yield "doctor has nothing wrong", machine.enter(["marketplace", "doctor"], quiet=True) == 0
    if who != "sari":
        yield (
            "an address that was blocked is refused",
            site.call("GET", "/api/products", host=BLOCKED).status == 403,
        )


def selling(site: "Site", who: str) -> Iterator[tuple[str, bool]]:
    """Sign up, open a store, sell something with a picture, and fetch that picture."""
    account = {"name": "Sari", "email": f"{who}@toko.example", "password": "kopi-susu-tanpa-gula"}
    made = site.call("POST", "/api/auth/register", account)
    yield f"signing up works ({made.status})", made.status == 201
    token = json.loads(made.body).get("access_token", "")
    store = site.call("POST", "/api/stores", {"name": f"Toko {who}"}, token)
    product = site.call("POST", "/api/products", {"name": "Kopi Gayo", "price": "85000"}, token)
    yield "a store and a product can be made", (store.status, product.status) == (201, 201)
    path = f"/api/products/{json.loads(product.body)['id']}/images"
    picture = site.call("POST", path, files={"images": drawn()}, token=token)
    yield f"a picture is taken ({picture.status})", picture.status in (200, 201)
    url = json.loads(picture.body)["images"][0]["image_url"]
    yield f"its address is {url}", url.startswith(f"https://{site.name}/uploads/")
    got = site.call("GET", url.removeprefix(f"https://{site.name}"))
    kinds = got.headers.get("content-type"), got.headers.get("cache-control")
    yield f"nginx serves it {got.status, *kinds}", (got.status, kinds[0]) == (200, "image/webp")
    yield (
        "its server is nginx, not Python",
        got.headers.get("server") == "nginx" and "immutable" in str(kinds[1]),
    )
    yield "a listing has it", b"Kopi Gayo" in site.call("GET", "/api/products?search=kopi").body


def secrets_kept(machine: Machine) -> Iterator[tuple[str, bool]]:
    """Who may read what."""

    def may(user: str, how: str, file: str) -> bool:
        return machine.enter(["runuser", "-u", user, "--", "test", how, file], quiet=True) == 0

    folder = "/etc/marketplace"
    yield (
        "the service cannot read the owner's login",
        not may("marketplace", "-r", f"{folder}/migrate_database_url"),
    )
    secret = [f"{folder}/{name}" for name in ("secret_key", "env", "database_url")]
    yield "nginx cannot read secrets", not any(may("www-data", "-r", file) for file in secret)
    yield "the service can read its own", all(may("marketplace", "-r", file) for file in secret)
    yield (
        "the service cannot change its code",
        not may("marketplace", "-w", "/srv/marketplace/app/marketplace"),
    )


def drawn() -> bytes:
    """A picture."""
    out = io.BytesIO()
    Image.new("RGB", (800, 600), (120, 60, 20)).save(out, "JPEG")
    return out.getvalue()


class Site:
    """The installation, as another machine sees it (`host` is where from and where to)."""

    def __init__(self, root: Path, name: str):
        self.name = name
        self.tls = ssl.create_default_context(
            cafile=str(root / "etc/ssl/marketplace/fullchain.pem")
        )

    def call(
        self, method: str, path: str, document: Any = None, token: str = "", *, tls: bool = True, host: str = OUTSIDE,
        files: Mapping[str, bytes] | None = None,
    ) -> Answer:  # fmt: skip
        """One request over a connection of its own."""
        with socket.create_connection(
            (host, 443 if tls else 80), 20, source_address=(host, 0)
        ) as raw:
            conn = http.client.HTTPConnection(self.name)
            conn.sock = self.tls.wrap_socket(raw, server_hostname=self.name) if tls else raw
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            body = None
            if files is not None:
                body, headers["Content-Type"] = form(files)
            elif document is not None:
                body, headers["Content-Type"] = json.dumps(document).encode(), "application/json"
            conn.request(method, path, body, headers)
            answer = conn.getresponse()
            return Answer(
                answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
            )

    def shakes_hands(self, name: str) -> bool:
        """Whether TLS comes about under a name."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                socket.create_connection((OUTSIDE, 443), 20) as raw,
                context.wrap_socket(raw, server_hostname=name),
            ):
                return True
        except (ssl.SSLError, ConnectionError):
            return False


def form(files: Mapping[str, bytes]) -> tuple[bytes, str]:
    """multipart/form-data of files, and its type."""
    boundary = secrets.token_hex(16)
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.jpg"\r\n'
        f"Content-Type: image/jpeg\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files.items()
    ]
    return b"".join(
        parts
    ) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
