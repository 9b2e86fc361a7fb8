"""How failures are rendered: RFC 9457 problem+json, in the reader's language."""

import errno
import logging
import re
from collections.abc import Sequence
from typing import Any

import falcon
import orjson
import psycopg
import psycopg_pool
from psycopg import errors as pg

from marketplace.contract.constraints import CONSTRAINTS
from marketplace.contract.errors import PROBLEMS, FieldError, Problem, unauthorized
from marketplace.files.storage import URL_MARKER, StorageUnavailableError
from marketplace.postgres.pool import is_outdated
from marketplace.text.messages import ENGLISH, negotiate, say, sentence, spoken

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("marketplace")
#: The errors of a machine that has run short of something, or whose disk has failed.
SHORTAGES = {
    getattr(errno, name)
    for name in (
        "ENOSPC",
        "EDQUOT",
        "EFBIG",
        "EROFS",
        "EIO",
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "EAGAIN",
        "ESTALE",
    )
    if hasattr(errno, name)
}
#: PostgreSQL's messages of 42501 for a row that is not the caller's: a guard that raises it, a
#: policy that a new row does not satisfy. A table without a grant is a bug of ours.
REFUSING = ("exec_stmt_raise", "ExecWithCheckOptions")
#: How a message begins that goes on behind the name of its field; others are sentences.
PREDICATE = re.compile(r"(?:must|is|has|have|cannot|stands|needs|does|belongs)\b")
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


def install(app: "falcon.App[Any, Any]") -> None:
    """Give the application one shape for every failure."""
    app.set_error_serializer(_serialize)
    app.add_error_handler(Exception, _unexpected)
    app.add_error_handler(psycopg.Error, _database)
    app.add_error_handler(psycopg_pool.PoolTimeout, _database)
    app.add_error_handler(StorageUnavailableError, _storage)
    app.add_error_handler(OSError, _system)
    app.add_error_handler(falcon.HTTPError, _http)
    app.add_error_handler(Problem, _problem)


def body(problem: Problem, request_id: str | None, language: str = ENGLISH) -> bytes:
    """Return the problem document, in a language; codes are the same in all."""
    errors = [
        field._replace(message=spoken(field.message, language)).members()
        for field in problem.errors
    ]
    title = PROBLEMS[problem.code][1]
    details = _details(problem.errors, language)
    detail = spoken(problem.detail, language) if problem.detail else details
    document: dict[str, Any] = {
        "type": f"urn:marketplace:problem:{problem.code}",
        "title": spoken(title, language),
        "status": problem.status,
        "detail": detail or sentence(title).spoken(language),
        "code": problem.code,
        "request_id": request_id,
    }
    if errors:
        document["errors"] = errors
    data = orjson.dumps(document).replace(
        URL_MARKER.encode(), b""
    )  # here it can only be a client's
    if problem.more:
        option = orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS
        data = data[:-1] + b"," + orjson.dumps(problem.more, default=_amount, option=option)[1:]
    return data


def _amount(value: Any) -> str:
    return format(value, "f")


def _details(errors: Sequence[FieldError], language: str) -> str:
    """Return the first wrong fields in one sentence, for those who read only that."""
    named = "; ".join(_named(error, language) for error in errors[:3])
    if len(errors) > 3:
        return say("{named}; and {more} more.", named=named, more=len(errors) - 3).spoken(language)
    return f"{named}." if named else ""


def _named(error: FieldError, language: str) -> str:
    """Return the words of an error behind its field; a whole sentence needs none to be read."""
    words, field = spoken(error.message, language), error.pointer[1:]
    if PREDICATE.match(error.message):
        return f"{field or say('the document').spoken(language)} {words}"
    return f"{field}: {words}" if field else f"{words[:1].upper()}{words[1:]}"


def _problem(req: falcon.Request, resp: falcon.Response, problem: Problem, params: Any) -> None:
    """Respond with the failure; nothing that was set for a success stays."""
    resp.media = None
    resp.stream = None
    resp.text = None
    resp.status = problem.status
    resp.set_headers(problem.headers)
    resp.set_header("Cache-Control", "no-store")
    _write(req, resp, problem)


def _write(req: falcon.Request, resp: falcon.Response, problem: Problem) -> None:
    language = negotiate(req.get_header("Accept-Language"))
    resp.content_type = MEDIA_TYPE
    resp.data = body(problem, req.context.request_id, language)
    resp.set_header("Content-Language", language)
    resp.append_header("Vary", "Accept-Language")


def _http(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, params: Any) -> None:
    """Render falcon's own errors."""
    _problem(req, resp, _from_falcon(req, error), params)


def _serialize(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError) -> None:
    _write(req, resp, _from_falcon(req, error))


def _from_falcon(req: falcon.Request, error: falcon.HTTPError) -> Problem:
    """Return an error of falcon's in our shape. Its own words are in English only, so clients do
    not see them.
    """
    english = negotiate(req.get_header("Accept-Language")) == ENGLISH
    code = _BY_STATUS.get(error.status_code, "bad_request")
    problem = Problem(code, headers=dict(error.headers or {}))
    problem.status = error.status_code
    problem.detail = error.description if english else None
    return problem


def _database(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    problem = _from_database(error)
    if problem is None:
        _unexpected(req, resp, error, params)
        return
    if problem.status == 503:
        log.warning("database away", extra={"error": type(error).__name__})
    _problem(req, resp, problem, params)


def _from_database(error: Exception) -> Problem | None:
    """Return what an error of the database means to a client; None for a bug of ours."""
    match error:
        case pg.IntegrityError():
            known = CONSTRAINTS.get(error.diag.constraint_name or "")
            if known is None:
                return None
            code, pointer, message = known
            errors = [FieldError(pointer, code if PROBLEMS[code][0] == 409 else "invalid", message)]
            return Problem(code, sentence(message), errors=errors)
        case pg.InvalidAuthorizationSpecification() if (
            error.diag.source_function == "exec_stmt_raise"
        ):
            return unauthorized("invalid_token", "The session has ended; sign in again.")
        case pg.InsufficientPrivilege() if error.diag.source_function in REFUSING:
            return Problem("forbidden", "This is not yours, or you may not do it any more.")
        case psycopg.InternalError() if "tsquery" in str(error):
            return Problem("validation_failed", "The words to search for cannot be read.")
        case psycopg.DataError():
            return Problem("validation_failed", "A value cannot be stored.")
        case _ if is_outdated(error):
            return Problem("unavailable", "The database has changed. Try again in a moment.")
        case (
            psycopg.OperationalError()  # a pool without a free connection is one, too
            | psycopg.InterfaceError()
            | pg.ReadOnlySqlTransaction()  # it is a standby now, or its disk is nearly full
            | pg.IdleInTransactionSessionTimeout()
            | pg.TransactionTimeout()
        ):
            return Problem("unavailable", "The database does not respond. Try again in a moment.")
    return None


def _storage(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    """The storage of files is away: nothing has been written, and another try may succeed."""
    log.warning("storage unavailable", extra={"error": str(error)[:300]})
    _problem(
        req,
        resp,
        Problem("unavailable", "Images cannot be stored for a moment. Try again."),
        params,
    )


def _system(req: falcon.Request, resp: falcon.Response, error: OSError, params: Any) -> None:
    """A full disk, too many open files: not the client's fault, and it passes when the operator has
    repaired it.
    """
    if error.errno not in SHORTAGES:
        _unexpected(req, resp, error, params)
        return
    log.error("this machine has run short", extra={"error": str(error)[:300]})
    _problem(
        req,
        resp,
        Problem("unavailable", "The request could not be finished here. Try again in a moment."),
        params,
    )


def _unexpected(req: falcon.Request, resp: falcon.Response, error: Exception, params: Any) -> None:
    """A bug: the log has all of it under the request id, the client gets nothing but the id."""
    log.error("unexpected failure", exc_info=error)
    problem = Problem(
        "internal_error", "The request failed here; its request_id is in the server's log."
    )
    _problem(req, resp, problem, params)
