"""Verbs of the database as calls use them: what one refuses, and whose the thing is not."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psycopg

from marketplace.contract.constraints import CONSTRAINTS
from marketplace.contract.errors import FieldError, Problem
from marketplace.postgres.pool import Conn

Told = TypeVar("Told")


def perform(
    conn: Conn,
    verb: Callable[[], Told | None],
    *,
    refusal: Callable[[str], Problem | None],
    missing: Callable[[], Problem],
) -> Told:
    """Return what a verb says; where it refuses, nothing of it stays.

    Raises `refusal` of the constraint by whose name it refuses (None: the error itself, which
    nobody has words for), and `missing` where the thing is not the caller's to move.
    """
    try:
        with conn.transaction():
            told = verb()
    except psycopg.errors.IntegrityError as error:
        name = error.diag.constraint_name or ""
        problem = refusal(name) if name in CONSTRAINTS else None
        if problem is None:
            raise
        raise problem from None
    if told is None:
        raise missing()
    return told


def refused(constraint: str, about: Mapping[str, Any], **more: Any) -> Problem:
    """Return the refusal of a named constraint: its error says what it is about, and the document
    says that too, and `more`.
    """
    code, pointer, words = CONSTRAINTS[constraint]
    return Problem(code, errors=[FieldError(pointer, code, words, about)], more={**about, **more})
