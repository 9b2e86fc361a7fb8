"""Every failure in one shape: RFC 9457 problem+json, with a stable `code` a client can switch on.

`PROBLEMS` lists every code once, with its status and title. `CONSTRAINTS` says in words what a constraint
of the database refuses; a constraint that is not listed there is a bug and answers 500.
"""

import errno
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import falcon
import orjson
import psycopg
import psycopg_pool
from psycopg import errors as pg

from marketplace.languages import ENGLISH, negotiate, say, sentence, spoken
from marketplace.storage import URL_MARKER, StorageUnavailableError

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("marketplace")

PROBLEMS: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "invalid_json": (400, "The body is not JSON"),
    "invalid_multipart": (400, "The multipart body is broken"),
    "invalid_query": (400, "The query string cannot be read"),
    "invalid_idempotency_key": (400, "The Idempotency-Key cannot be taken"),
    "invalid_cursor": (400, "The cursor is not one of ours"),
    "page_too_deep": (400, "The page is too far down"),
    "sort_not_offered": (400, "No index serves this combination"),
    "unauthorized": (401, "Sign in first"),
    "invalid_token": (401, "The token is not valid"),
    "invalid_credentials": (401, "E-mail or password is wrong"),
    "invalid_refresh_token": (401, "The refresh token is not valid"),
    "forbidden": (403, "Not allowed"),
    "email_unverified": (403, "Confirm your address first"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "not_acceptable": (406, "Not acceptable"),
    "email_taken": (409, "The e-mail address is taken"),
    "store_exists": (409, "There is a store already"),
    "store_name_taken": (409, "The store name is taken"),
    "category_exists": (409, "The category is there already"),
    "category_in_use": (409, "The category is in use"),
    "brand_exists": (409, "The brand is there already"),
    "brand_in_use": (409, "The brand is in use"),
    "sku_taken": (409, "The SKU is taken"),
    "source_url_taken": (409, "The link is taken"),
    "store_required": (409, "Open a store first"),
    "request_in_progress": (409, "The same request is still at work"),
    "cursor_expired": (410, "The cursor is too old"),
    "precondition_failed": (412, "It has changed meanwhile"),
    "payload_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "This type is not accepted"),
    "validation_failed": (422, "The document is wrong"),
    "idempotency_key_reused": (422, "The Idempotency-Key was another request's"),
    "wrong_password": (422, "The present password is wrong"),
    "weak_password": (422, "The password is weak"),
    "invalid_code": (422, "The code is not valid"),
    "picture_refused": (422, "The picture is refused"),
    "too_many_pictures": (409, "The product has all the pictures it may have"),
    "import_not_applicable": (409, "The import cannot be applied"),
    "too_many_imports": (409, "Too many imports wait"),
    "import_ended": (409, "The import has ended"),
    "too_many_requests": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong here"),
    "unavailable": (503, "The service is not available for a moment"),
}

#: What a named constraint refuses: problem code, pointer to the field, words.
CONSTRAINTS: dict[str, tuple[str, str, str]] = {
    "users_email_key": ("email_taken", "/email", "an account with this address exists"),
    "stores_owner_id_key": ("store_exists", "", "you have a store already"),
    "stores_name_key": ("store_name_taken", "/name", "another store has this name"),
    "categories_name_key": ("category_exists", "/name", "the parent has a category of this name"),
    "categories_parent_id_fkey": ("validation_failed", "/parent_id", "there is no such category"),
    "categories_path_check": ("validation_failed", "/parent_id", "the tree is at most 8 deep"),
    "categories_parent_check": ("validation_failed", "/parent_id", "a category cannot be its own parent"),
    "brands_name_key": ("brand_exists", "/name", "there is a brand of this name"),
    "products_sku_key": ("sku_taken", "/sku", "another product of the store has this SKU"),
    "products_source_url_key": (
        "source_url_taken",
        "/source_url",
        "another product of the store has this link",
    ),
    "products_category_id_fkey": ("validation_failed", "/category_id", "there is no such category"),
    "products_brand_id_fkey": ("validation_failed", "/brand_id", "there is no such brand"),
    "products_store_id_fkey": ("validation_failed", "/store_id", "there is no such store"),
    "inventory_quantity_check": ("validation_failed", "/stock", "the stock cannot be negative"),
    "imports_store_id_fkey": ("validation_failed", "/store_id", "there is no such store"),
}

#: What a machine says that has run short of something, or whose disk has failed.
SHORTAGES = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EIO", "EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "ESTALE")
    if hasattr(errno, name)
}

_BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    412: "precondition_failed",
    413: "payload_too_large",
    415: "unsupported_media_type",
    422: "validation_failed",
    429: "too_many_requests",
    500: "internal_error",
    503: "unavailable",
}


class FieldError(NamedTuple):
    """One thing that is wrong: where (a JSON pointer), a stable code, and words."""

    pointer: str
    code: str
    message: str


class Problem(falcon.HTTPError):
    """A failure to answer with; `code` is one of PROBLEMS."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        status, title = PROBLEMS[code]
        if status in (429, 503) or code == "request_in_progress":
            headers = {"Retry-After": "1", **(headers or {})}
        super().__init__(status, title=title, description=detail, headers=headers)
        self.problem_code = code
        self.errors = errors


def invalid(pointer: str, code: str, message: str) -> Problem:
    """A 422 about one field."""
    return Problem("validation_failed", errors=[FieldError(pointer, code, message)])


def repeated(names: Iterable[str]) -> Problem:
    """A 422 about fields that were sent more than once."""
    errors = [FieldError(f"/{name}"[:200], "repeated", "must stand once") for name in names]
    return Problem("validation_failed", errors=errors)


def unauthorized(code: str, detail: str) -> Problem:
    """A 401 with the challenge of RFC 6750: `error` is named only where a token came and was refused."""
    challenge = 'Bearer realm="marketplace"'
    if code == "invalid_token":
        challenge += f', error="invalid_token", error_description="{detail}"'
    return Problem(code, detail, headers={"WWW-Authenticate": challenge})


def install(app: "falcon.App[Any, Any]") -> None:
    """Give the application one shape for every failure."""
    app.set_error_serializer(_serialize)
    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(psycopg.Error, _database)
    app.add_error_handler(psycopg_pool.PoolTimeout, _database)
    app.add_error_handler(StorageUnavailableError, _storage)
    app.add_error_handler(OSError, _system)
    app.add_error_handler(falcon.HTTPError, _http)


def body(error: falcon.HTTPError, request_id: str | None, language: str = ENGLISH) -> bytes:
    """The problem document of an error, in a language; codes are the same in all."""
    code = getattr(error, "problem_code", None) or _BY_STATUS.get(error.status_code, "bad_request")
    errors = [
        field._replace(message=spoken(field.message, language))._asdict() for field in getattr(error, "errors", ())
    ]
    title = PROBLEMS[code][1]
    ours = isinstance(error, Problem) or language == ENGLISH  # falcon's own descriptions are in English alone
    detail = spoken(error.description, language) if ours and error.description else _details(errors, language)
    document: dict[str, Any] = {
        "type": f"urn:marketplace:problem:{code}",
        "title": spoken(title, language),
        "status": error.status_code,
        "detail": detail or sentence(title).spoken(language),
        "code": code,
        "request_id": request_id,
    }
    if errors:
        document["errors"] = errors
    return orjson.dumps(document).replace(URL_MARKER.encode(), b"")  # here it can only be a client's


def _details(errors: Sequence[Mapping[str, str]], language: str) -> str:
    """The first wrong fields in one sentence, for those who read only that."""
    whole = say("the document").spoken(language)
    named = "; ".join(f"{error['pointer'][1:] or whole} {error['message']}" for error in errors[:3])
    if len(errors) > 3:
        return say("{named}; and {more} more.", named=named, more=len(errors) - 3).spoken(language)
    return f"{named}." if named else ""


def _serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    language = negotiate(req.get_header("Accept-Language"))
    resp.content_type = MEDIA_TYPE
    resp.data = body(error, getattr(req.context, "request_id", None), language)
    resp.set_header("Content-Language", language)
    resp.append_header("Vary", "Accept-Language")


def _http(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
    """Falcon's own errors and ours; what was set for a success does not stay on the failure."""
    resp.media = None
    resp.stream = None
    resp.text = None
    resp.status = error.status
    if error.headers is not None:
        resp.set_headers(error.headers)
    resp.set_header("Cache-Control", "no-store")
    _serialize(req, resp, error)


def _database(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    problem = _from_database(error)
    if problem is None:
        _unexpected(req, resp, error, params)
        return
    if problem.status_code == 503:
        log.warning("database away", extra={"error": type(error).__name__})
    _http(req, resp, problem, params)


def _from_database(error: Exception) -> Problem | None:
    """What an error of the database means to a client; None when it is a bug of ours."""
    match error:
        case pg.IntegrityError():
            known = CONSTRAINTS.get(error.diag.constraint_name or "")
            if known is None:
                return None
            code, pointer, message = known
            errors = [FieldError(pointer, code if PROBLEMS[code][0] == 409 else "invalid", message)]
            return Problem(code, sentence(message), errors=errors)
        case pg.InvalidAuthorizationSpecification() if error.diag.source_function == "exec_stmt_raise":
            return unauthorized("invalid_token", "The session has ended; sign in again.")
        case pg.InsufficientPrivilege() if error.diag.source_function == "exec_stmt_raise":
            return Problem("forbidden", "This is another store's.")
        case psycopg.InternalError() if "tsquery" in str(error):
            return Problem("validation_failed", "The words to search for cannot be read.")
        case psycopg.DataError():
            return Problem("validation_failed", "A value cannot be stored.")
        case (
            psycopg.OperationalError()  # a pool that has no connection to give is one, too
            | psycopg.InterfaceError()
            | pg.ReadOnlySqlTransaction()  # it is a standby now, or its disk is nearly full
            | pg.IdleInTransactionSessionTimeout()
            | pg.TransactionTimeout()
        ):
            return Problem("unavailable", "The database does not answer. Try again in a moment.")
    return None


def _storage(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    """What keeps files is away: nothing has been written, and another try may succeed."""
    log.warning("storage unavailable", extra={"error": str(error)[:300]})
    _http(req, resp, Problem("unavailable", "Pictures cannot be stored for a moment. Try again."), params)


def _system(req: falcon.Request, resp: falcon.Response, error: OSError, params: Any) -> None:
    """A full disk, too many open files: nothing the client did, and it passes when the operator has seen to it."""
    if error.errno not in SHORTAGES:
        _unexpected(req, resp, error, params)
        return
    log.error("this machine has run short", extra={"error": str(error)[:300]})
    _http(req, resp, Problem("unavailable", "The request could not be finished here. Try again in a moment."), params)


def _unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    """A bug: the log has all of it under the request id, the client nothing but the id."""
    log.error("unexpected failure", exc_info=error)
    problem = Problem("internal_error", "The request failed here; its request_id is in the server's log.")
    _http(req, resp, problem, params)
