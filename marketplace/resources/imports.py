"""Imports: sending a file of products, following its progress, fetching the rows
that were refused.
"""

import secrets
from typing import Any, BinaryIO, NamedTuple

import falcon
import orjson

from marketplace.contract import pages, validation
from marketplace.contract.errors import Problem, invalid, repeated
from marketplace.contract.operations import Parts, operation
from marketplace.files.storage import Storage
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, imports, jobs
from marketplace.schemas import imports as schemas
from marketplace.text.messages import of_kept, say
from marketplace.web import bodies, client, idempotency, multipart, paging
from marketplace.workflows import products as workflow

SELLERS = ("seller", "admin")
CSV = "text/csv"
PARTS = Parts(schemas.OPTIONS, ("file",), limit="import_max_bytes")
#: Text parts and boundaries of a multipart body, beside its file.
AROUND_FILE = 1024 * 1024


class ImportCsv:
    """/api/products/import-csv"""

    def __init__(self, db: Database, files: Storage) -> None:
        self.db = db
        self.files = files

    @operation(
        "importProducts",
        "Import products from a CSV file",
        roles=SELLERS,
        query=schemas.OPTIONS,
        parts=PARTS,
        media=(CSV,),
        responses={202: schemas.IMPORT},
        problems=(
            "store_required",
            "not_found",
            "too_many_imports",
            "payload_too_large",
            "unsupported_media_type",
            "invalid_multipart",
        ),
        idempotent=True,
        rate="import",
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Take the file and leave the rest to the worker: 202 and where to look. The options may be
        text parts, too.
        """
        caller = req.context.caller
        if caller.role != "admin":  # without a store, or without room, one need not send the file
            with self.db.transaction(caller) as conn:
                _require_room(conn, req, workflow.store_of(caller, None), req.content_length or 0)
        key = f"imports/{secrets.token_hex(16)}.csv"
        with self.files.writing(key) as target:
            upload = _receive(req, target)
            store_id = workflow.store_of(caller, upload.options.get("store_id"))
        try:
            with idempotency.transaction(self.db, req, resp) as conn:
                imports.lock_store(conn, store_id)
                _require_room(conn, req, store_id, upload.size)
                import_id = imports.add(
                    conn,
                    store_id=store_id,
                    user_id=caller.user_id,
                    file_name=upload.name,
                    file_key=key,
                    file_bytes=upload.size,
                    options=_options(upload.options),
                )
                activities.record(
                    conn,
                    client.client(req),
                    "import_csv",
                    related=("import", import_id, upload.name),
                )
                _enqueue(conn, store_id, import_id)
                resp.media = _spoken(_found(conn, import_id, store_id), client.language(req))
                resp.status = falcon.HTTP_202
                resp.location = f"/api/products/imports/{import_id}"
        except BaseException:  # also if the same file was sent before
            self.files.delete(key)
            raise


class Imports:
    """/api/products/imports"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "listImports",
        "A store's imports",
        roles=SELLERS,
        query={**schemas.FILTERS, **pages.QUERY},
        responses={200: pages.listed("imports", schemas.LISTED)},
        problems=("invalid_cursor", "page_too_deep", "not_found"),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the imports of the caller's store, newest first; an admin's list has all, or one
        store's.
        """
        caller, query = req.context.caller, req.context.query
        store_id = _listed_store(caller, query.get("store_id"))
        window = paging.window(req, query)
        with self.db.transaction(caller) as conn:
            rows = imports.search(
                conn,
                store_id=store_id,
                after_id=window.after[0] if window.after else None,
                limit=window.limit,
                offset=window.offset,
            )
            total = pages.capped(
                window, lambda cap: imports.count(conn, store_id=store_id, limit=cap)
            )
        language = client.language(req)
        client.say_language(resp, language)
        shown = [_spoken(row, language) for row in rows]
        paging.respond_rows(req, resp, "imports", shown, window, total, keys=("id",))


class Import:
    """/api/products/imports/{import_id}"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getImport",
        "One import",
        roles=SELLERS,
        responses={200: schemas.IMPORT},
        problems=("not_found",),
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, import_id: int) -> None:
        """Return an import's progress and counts, with words in the language of Accept-Language."""
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            found = _found(conn, import_id, workflow.reach(caller))
        language = client.language(req)
        client.say_language(resp, language)
        resp.media = _spoken(found, language)


class ImportApplication:
    """/api/products/imports/{import_id}/apply"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "applyImport",
        "Apply a dry run",
        roles=SELLERS,
        responses={202: schemas.IMPORT},
        problems=("not_found", "import_not_applicable"),
        idempotent=True,
        rate="import",
        sells=True,
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, import_id: int) -> None:
        """Do what a dry run has reported, with the rows it has kept: within a week, and once.
        Products that were changed meanwhile are matched anew.
        """
        store_id = workflow.reach(req.context.caller)
        with idempotency.transaction(self.db, req, resp) as conn:
            found = _locked(conn, import_id, store_id)
            _require_applicable(found)
            imports.apply(conn, import_id)
            activities.record(
                conn, client.client(req), "import_csv", related=("import", import_id, None)
            )
            _enqueue(conn, found["store_id"], import_id)
            resp.media = _spoken(_found(conn, import_id, store_id), client.language(req))
            resp.status = falcon.HTTP_202
            resp.location = f"/api/products/imports/{import_id}"


class ImportCancellation:
    """/api/products/imports/{import_id}/cancel"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "cancelImport",
        "Stop an import",
        roles=SELLERS,
        responses={200: schemas.IMPORT},
        problems=("not_found", "import_ended"),
        idempotent=True,
        rate="import",
    )
    def on_post(self, req: falcon.Request, resp: falcon.Response, import_id: int) -> None:
        """Stop an import, or drop a dry run. Applied products stay, and the counts tell how many;
        with mode=atomic nothing is applied.
        """
        store_id = workflow.reach(req.context.caller)
        with idempotency.transaction(self.db, req, resp) as conn:
            found = _locked(conn, import_id, store_id)
            waiting = found["state"] == "done" and found["dry_run"]
            if found["state"] in ("done", "failed") and not waiting:
                raise Problem("import_ended", "The import has ended.")
            if found["state"] != "cancelled":
                imports.cancel(conn, import_id)
                _enqueue(conn, found["store_id"], import_id)
            resp.media = _spoken(_found(conn, import_id, store_id), client.language(req))


def _require_room(conn: Conn, req: falcon.Request, store_id: int, size: int) -> None:
    """Raise 409 if the store would have more files waiting than it may, or larger ones together."""
    config = req.context.config
    waiting = imports.waiting(conn, store_id)
    if (
        waiting["files"] >= config.imports_waiting
        or waiting["bytes"] + size > config.imports_waiting_bytes
    ):
        raise Problem(
            "too_many_imports",
            say(
                "{files} imports of the store wait, with {size} MB: apply or cancel dry runs, or "
                "wait for the others.",
                files=waiting["files"],
                size=waiting["bytes"] // (1024 * 1024),
            ),
        )


def _enqueue(conn: Conn, store_id: int, import_id: int) -> None:
    """Enqueue its run, or its cleanup, after the store's earlier imports."""
    jobs.enqueue(conn, "run_import", queue="long", lock=f"import:{store_id}", import_id=import_id)


def _found(conn: Conn, import_id: int, store_id: int | None) -> Row:
    found = imports.find(conn, import_id, store_id)
    if found is None:
        raise Problem("not_found", "There is no such import.")
    return found


def _locked(conn: Conn, import_id: int, store_id: int | None) -> Row:
    found = imports.lock(conn, import_id, store_id)
    if found is None:
        raise Problem("not_found", "There is no such import.")
    return found


def _require_applicable(found: Row) -> None:
    if found["state"] != "done" or not found["dry_run"]:
        raise Problem(
            "import_not_applicable", "Only a dry run that is done can be applied, and only once."
        )
    if found["expired"]:
        raise Problem(
            "import_not_applicable", "The dry run is older than a week; send the file again."
        )
    if found["mode"] == "atomic" and found["rows_bad"]:
        raise Problem(
            "import_not_applicable", "It has bad rows, and mode=atomic takes all rows or none."
        )


def _spoken(found: Row, language: str) -> Row:
    """Return an import with its words in a language, without their parts."""
    said, words = found.pop("error_said"), found["error_message"]
    return {**found, "error_message": words and of_kept(words, said, language)}


def _options(sent: dict[str, Any]) -> imports.Options:
    known = {name: sent[name] for name in imports.Options._fields if name in sent}
    columns = sent.get("columns")
    return imports.Options(
        **known,
        decimal_sign=sent.get("decimal"),
        column_names=None if columns is None else orjson.dumps(columns).decode(),
    )


class _Upload(NamedTuple):
    name: str | None
    size: int
    options: dict[str, Any]


def _receive(req: falcon.Request, target: BinaryIO) -> _Upload:
    """Write the file of the request to `target`, and check the options beside it."""
    limit: int = getattr(req.context.config, PARTS.limit)
    kind = bodies.content_type(req)
    options = dict(req.context.query)
    name = None
    if kind == CSV:
        size = bodies.read_into(req, target, limit)
    elif kind == "multipart/form-data":
        bodies.refuse_larger(req, limit + AROUND_FILE)
        name, texts = _read_parts(req, target, limit)
        sent = validation.check(texts, PARTS.fields, text=True)
        if twice := sent.keys() & options.keys():
            raise repeated(sorted(twice))
        options.update(sent)
        size = target.tell()
    else:
        raise Problem(
            "unsupported_media_type",
            say("Send one of these: {types}.", types=f"multipart/form-data, {CSV}"),
        )
    if size == 0:
        raise invalid("/file" if name is not None else "", "empty_file", "must not be empty")
    return _Upload(name, size, options)


def _read_parts(req: falcon.Request, target: BinaryIO, limit: int) -> tuple[str, dict[str, str]]:
    """Return the file's name and the text parts of a multipart body whose file goes to `target`."""
    file_name = None
    texts: dict[str, str] = {}
    for part in multipart.parts(req, PARTS, file_limit=limit, count=1, into=target):
        if isinstance(part, multipart.FilePart):
            file_name = _clean(part.filename)
        else:
            texts[part[0]] = part[1]
    if file_name is None:
        raise invalid("/file", "required", "is required: the CSV file as a part named file")
    return file_name, texts


def _clean(filename: str | None) -> str:
    """Return the client's name of the file, fit to be stored: the last part of the
    path, printable.
    """
    name = (filename or "").replace("\\", "/").rpartition("/")[2]
    name = "".join(sign for sign in name if sign.isprintable())
    return name.encode("utf-8", "replace").decode()


def _listed_store(caller: Caller, wanted: int | None) -> int | None:
    """Return whose imports are listed; None is every store's, for an admin."""
    if caller.role == "admin":
        return wanted
    if wanted is not None and wanted != caller.store_id:
        raise Problem("not_found", "There is no such store of yours.")
    return workflow.reach(caller)
