"""Breaks PostgreSQL, network, disks and the API's own processes under a load of writes: `make chaos
CHECKS=FOLDER`.

    PYTHONPATH=.:tests .venv/bin/python tests/system/chaos.py --checks FOLDER --only pg-freeze

For each fault a system of its own is made (PostgreSQL with fsync, gunicorn, worker, nginx), and the
folder's chaos.py writes products while it breaks things; what it demands is that nothing
acknowledged is lost or there twice, that every failure is a 503 with Retry-After, and that all is
well within two seconds. Ends with a table, and with 1 where anything failed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from psycopg.conninfo import make_conninfo
from support.behind_nginx import NGINX, Site, site
from support.breakable import Breakable, breakable, small_disk, wire

from system.attack import PASSWORD, Client
from system.shortages import SHORTAGES, Reader, Scene, Seller, Shortage

FAULTS = (
    "pg-fast", "pg-immediate", "pg-kill9", "pg-kill9-backend", "pg-terminate", "pg-stop", "pg-freeze",
    "net-latency:200", "net-blackhole", "net-reset", "net-refuse", "net-cut:2000", "web-kill9-worker", "web-hup",
)  # fmt: skip
#: Once more without nginx: what it would hide.
DIRECT = ("pg-immediate", "pg-freeze", "net-blackhole", "web-hup")
SELLERS = 4
SETTINGS = {"RATE_LIMITS": "off", "IMAGES_PER_PRODUCT": "100"}
WRITE = {
    "method": "POST",
    "path": "/api/products",
    "headers": {"Idempotency-Key": "$KEY", "Authorization": "Bearer $T"},
    "json": {"name": "Kopi $KEY", "price": "12000.00", "stock": 3},
}
KEYS = "SELECT substr(name, 6) FROM products WHERE name LIKE 'Kopi %'"
#: Every product has its stock and its document, and no transaction stayed open.
INVARIANT = """SELECT p.id FROM products AS p LEFT JOIN inventory AS i ON i.product_id = p.id
LEFT JOIN product_documents AS d ON d.product_id = p.id WHERE i.product_id IS NULL OR d.product_id IS NULL"""
COLUMNS = (
    "fault", "acked", "503", "lost", "twice", "outage s", "recovery s", "worker s", "reads", "uploads", "max ms",
    "verdict",
)  # fmt: skip


class Script(NamedTuple):
    """The script at work, and the file it will write."""

    process: "subprocess.Popen[bytes]"
    found: Path


def main() -> int:
    """Break it in every way, and tell."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--checks", type=Path, required=True, help="the folder of scripts")
    options.add_argument(
        "--only", default="", help="faults with commas; with /direct behind it, without nginx"
    )
    options.add_argument("--seconds", type=float, default=60, help="of writes, for each fault")
    options.add_argument(
        "--every", type=float, default=20, help="seconds from one fault to the next"
    )
    options.add_argument(
        "--outage", type=float, default=3, help="seconds that stops, freezes and cuts last"
    )
    options.add_argument("--rate", type=float, default=60, help="writes a second, in all")
    options.add_argument("--threads", type=int, default=8, help="who write at the same time")
    options.add_argument("--logs", type=Path, help="a folder to keep the logs of each system in")
    args = options.parse_args()
    faults = (
        args.only.split(",")
        if args.only
        else [*FAULTS, *(f"{fault}/direct" for fault in DIRECT), *SHORTAGES]
    )
    rows = [row(fault, trial(fault, args)) for fault in faults]
    widths = [max(len(str(each[at])) for each in (COLUMNS, *rows)) for at in range(len(COLUMNS))]
    for each in (COLUMNS, *rows):
        print(
            "  ".join(
                str(value).ljust(width) for value, width in zip(each, widths, strict=True)
            ).rstrip()
        )
    failed = sum(each[-1] != "passed" for each in rows)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed else 0


def trial(fault: str, args: argparse.Namespace) -> dict[str, Any]:
    """One fault against a system of its own: what the script reported."""
    name, _, how = fault.partition("/")
    shortage = SHORTAGES.get(name, Shortage(None))
    with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
        folder = Path(root)
        for disk, size in shortage.disks.items():
            stack.enter_context(small_disk(folder / disk, size))
        reader = Reader(folder / "api.log") if name == "log-stuck" else None
        wal = folder / "wal" if {"pg", "wal"} & set(shortage.disks) else None
        server = stack.enter_context(breakable(folder, wal, **shortage.settings))
        wired = name.startswith("net-") or name == "cut-off"
        port, control = (
            stack.enter_context(wire(args.checks, server.port)) if wired else (server.port, "")
        )
        url = make_conninfo(server.url, port=port)
        nginx = None if how == "direct" else NGINX
        at = stack.enter_context(site(folder, url, wide=True, nginx=nginx, **SETTINGS))
        if shortage.broken is None:
            report = finished(begun(name, args, server, at, control))
        else:
            broken = reader.asleep if reader else shortage.broken
            report = during(
                broken, begun("none", args, server, at, control), Scene(server, at, control), args
            )
        if args.logs:
            keep(folder, args.logs / fault.replace("/", "-").replace(":", "-"))
    return report


def begun(
    fault: str, args: argparse.Namespace, server: Breakable, at: Site, control: str
) -> Script:
    """The script at work; what it says goes to the terminal."""
    tokens, found = at.folder / "tokens.json", at.folder / "found.json"
    tokens.write_text(json.dumps(sellers(Client(at.base))))
    user = ["--pg-os-user", server.account.name] if server.account else []
    command = [
        sys.executable, str(args.checks / "chaos.py"), "--base-url", at.base, "--fault", fault,
        "--pg-data", str(server.cluster), "--pg-bin", str(server.binaries), *user,
        "--dsn", make_conninfo(server.admin, dbname="shop"), "--write", json.dumps(WRITE), "--tokens", str(tokens),
        "--verify-sql", KEYS, "--invariant-sql", INVARIANT, "--web-pid-file", str(at.folder / "gunicorn.pid"),
        "--net-control", control, "--max-latency", "5", "--duration", str(args.seconds), "--every", str(args.every),
        "--outage", str(args.outage), "--rate", str(args.rate), "--threads", str(args.threads), "--json", str(found),
    ]  # fmt: skip
    return Script(subprocess.Popen(command, cwd=args.checks), found)


def finished(script: Script) -> dict[str, Any]:
    """What it found."""
    try:
        script.process.wait(600)
    except subprocess.TimeoutExpired:
        script.process.kill()
    if not script.found.exists():
        return {"failed": [{"check": "it has not come to its end"}]}
    report: dict[str, Any] = json.loads(script.found.read_text())
    return report


def during(broken: Any, script: Script, scene: Scene, args: argparse.Namespace) -> dict[str, Any]:
    """Have it so in the middle of the writes; how long until writes, and the jobs of the worker,
    go on again.
    """
    seller = Seller(scene.at)
    time.sleep(5)
    began = time.monotonic()
    with broken(scene):
        reads = Counter(seller.read() for _ in range(int(args.outage * 2)))
        uploads = Counter(seller.upload() for _ in range(3))
    up = time.monotonic()
    while seller.write() != 200 and time.monotonic() - up < 30:
        time.sleep(0.05)
    recovered = time.monotonic() - up
    worked = seller.renamed()
    report = finished(script)  # it has done nothing that could be recovered from
    report["failed"] = [
        each for each in report["failed"] if not each["check"].startswith("recovered")
    ]
    report |= {
        "recovery_s": [round(recovered, 2)],
        "outage_s": [round(up - began, 2)],
        "worker_s": round(worked, 2),
    }
    report |= {"reads": dict(reads), "uploads": dict(uploads)}
    if recovered > 2:
        report["failed"].append({"check": "writes go on within 2 s"})
    if set(reads) - {200, 503} or set(uploads) - {201, 503}:
        report["failed"].append({"check": "reads and uploads are answered, or 503"})
    return report


def row(fault: str, report: dict[str, Any]) -> tuple[Any, ...]:
    """A line of the table."""
    failed = [each["check"] for each in report["failed"]]
    return (
        fault,
        report.get("acked"),
        report.get("codes", {}).get("503", 0),
        "yes" if any("lost" in check for check in failed) else 0,
        "yes" if any("twice" in check for check in failed) else 0,
        report.get("outage_s"),
        report.get("recovery_s"),
        report.get("worker_s", ""),
        report.get("reads", ""),
        report.get("uploads", ""),
        report.get("max_ms"),
        "; ".join(failed)[:100] or "passed",
    )


def sellers(client: Client) -> dict[str, str]:
    """Tokens of sellers with stores, by the names the script looks for."""
    tokens = {}
    for number in range(SELLERS):
        email = f"load{number}@t.example"
        body = {"name": f"load{number}", "email": email, "password": PASSWORD, "role": "seller"}
        client.call("POST", "/api/auth/register", body)
        tokens[f"load{number}"] = client.sign_in(email)
        client.call("POST", "/api/stores", {"name": f"Toko {number}"}, tokens[f"load{number}"])
    return tokens


def keep(folder: Path, where: Path) -> None:
    """Copy the logs of a system."""
    where.mkdir(parents=True, exist_ok=True)
    for log in filter(
        Path.is_file, (*folder.glob("*.log"), *folder.glob("pg/pg/chaos.log"))
    ):  # one may be a pipe
        (where / log.name).write_bytes(log.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
