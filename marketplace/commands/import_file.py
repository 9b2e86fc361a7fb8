"""import: imports a product file into a store, by the worker, or here if none runs."""

import argparse
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg.rows import dict_row

from marketplace.catalogue_csv import DIALECTS, NOTES
from marketplace.config import settings
from marketplace.config.settings import Config
from marketplace.contract import validation
from marketplace.contract.errors import Problem
from marketplace.files.storage import Storage
from marketplace.files.stores import of_private
from marketplace.ops.progress import Progress
from marketplace.postgres.database import Database
from marketplace.queries import imports, jobs
from marketplace.schemas import imports as schemas
from marketplace.workflows import imports as workflow

PAUSE = 0.5
#: How long a living worker may take to start.
PATIENCE = 3.0
ENDED = ("done", "failed", "cancelled")
COUNTS = ("created", "updated", "unchanged", "skipped", "shared", "bad")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the call, and the store."""
    parser.add_argument("file", type=Path, help="the CSV file")
    parser.add_argument(
        "--store", required=True, help="id or name of the store; the import acts as its owner"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="report what would be done, and keep the rows for a week",
    )
    parser.add_argument("--mode", choices=("skip_bad", "atomic"), default="skip_bad")
    parser.add_argument("--on-match", choices=("update", "skip"), default="update")
    parser.add_argument(
        "--dialect", choices=DIALECTS, help="the kind of file; detected by the header"
    )
    parser.add_argument(
        "--decimal", choices=(".", ","), help="the decimal sign; detected by the file's prices"
    )
    parser.add_argument(
        "--columns", type=_columns, help='which column is which: {"name": "Judul", ...}'
    )
    parser.add_argument("--image-base", help="where pictures stand that the file has the names of")
    parser.add_argument(
        "--default-stock", type=int, default=0, help="stock of new products whose row gives none"
    )
    parser.add_argument(
        "--variants",
        choices=("auto", "together", "separate"),
        default="auto",
        help="whether rows of variants become one product",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the import as the API returns it"
    )


def _columns(value: str) -> str:
    """Return the value of --columns, checked like the call of the API."""
    rules = {"columns": schemas.OPTIONS["columns"]}
    try:
        checked = validation.check({"columns": value}, rules, text=True)
    except Problem as problem:
        raise argparse.ArgumentTypeError(problem.errors[0].message) from None
    return orjson.dumps(checked["columns"]).decode()


def run(args: argparse.Namespace) -> int:
    """Send the file, follow the import, report its outcome; 1 if it failed or rows were bad."""
    config = settings.load()
    import_id = _send(config, args)
    if import_id is None:
        return 1
    db = Database.of_worker(config)
    try:
        found = _follow(db, config, import_id)
    finally:
        db.close()
    if args.json:
        print(orjson.dumps(found, option=orjson.OPT_UTC_Z, default=str).decode())
    else:
        _tell(found)
    return 0 if found["state"] == "done" and not found["rows_bad"] else 1


def _send(config: Config, args: argparse.Namespace) -> int | None:
    """Put the file into private storage and the import into the queue."""
    files = of_private(config)
    key = f"imports/{secrets.token_hex(16)}.csv"
    options = imports.Options(
        args.default_stock,
        args.mode,
        args.dry_run,
        args.on_match,
        args.dialect,
        args.decimal,
        args.columns,
        args.image_base,
        args.variants,
    )
    try:
        with args.file.open("rb") as source, files.writing(key) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        with psycopg.connect(config.migrate_database_url, row_factory=dict_row) as conn:
            added = imports.add_for_store(
                conn,
                args.store,
                file_name=args.file.name,
                file_key=key,
                file_bytes=args.file.stat().st_size,
                options=options,
            )
            if added is not None:
                jobs.enqueue(
                    conn,
                    "run_import",
                    queue="long",
                    lock=f"import:{added['store_id']}",
                    import_id=added["id"],
                )
    except OSError as error:
        _refuse(files, key, f"{args.file} cannot be read: {error.strerror or error}")
        return None
    except BaseException:
        files.delete(key)
        raise
    if added is None:
        _refuse(files, key, f"There is no store {args.store!r}.")
        return None
    return int(added["id"])


def _refuse(files: Storage, key: str, reason: str) -> None:
    files.delete(key)
    print(reason, file=sys.stderr)


def _follow(db: Database, config: Config, import_id: int) -> dict[str, Any]:
    """Watch the worker, or do its work if none is alive; return the import as it ended."""
    with Progress("per cent", 100) as bar:
        started = time.monotonic()
        while True:
            found, alive = _look(db, import_id)
            bar.reach(found["progress"])
            if found["state"] in ENDED:
                return found
            if not alive and found["state"] == "queued" and time.monotonic() - started > PATIENCE:
                _work(db, config, import_id, bar)
            time.sleep(PAUSE)


def _look(db: Database, import_id: int) -> tuple[dict[str, Any], bool]:
    with db.working() as conn:
        found = imports.find(conn, import_id, None)
        if found is None:
            raise LookupError(f"import {import_id} is not there any more")
        return dict(found), imports.worker_alive(conn)


def _work(db: Database, config: Config, import_id: int, bar: Progress) -> None:
    """Run the import in this process. A worker that starts meanwhile takes it over, and is watched
    then.
    """
    shown = time.monotonic()

    def show() -> bool:
        nonlocal shown
        if time.monotonic() - shown > PAUSE:
            bar.reach(_look(db, import_id)[0]["progress"])
            shown = time.monotonic()
        return False

    workflow.run(db, of_private(config), config, import_id, stopping=show)


def _tell(found: dict[str, Any]) -> None:
    columns = found["columns"] or {}
    if found["error_message"]:
        print(found["error_message"])
    counts = ", ".join(f"{found[f'rows_{name}']:,} {name}" for name in COUNTS)
    kind = f"dry run of import {found['id']}" if found["dry_run"] else f"import {found['id']}"
    print(
        f"{kind} {found['state']}: {found['rows_read']:,} rows read "
        f"({columns.get('dialect', '?')}): {counts}"
    )
    for code, count in (columns.get("notes") or {}).items():
        print(f"  {count:,} {NOTES[code]}")
