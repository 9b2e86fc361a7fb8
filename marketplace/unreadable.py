"""Requests that gunicorn cannot read: they never reach the application, and are answered in its shape all the same."""

import secrets
import socket

from marketplace import errors
from marketplace.errors import Problem
from marketplace.languages import ENGLISH


def answer(sock: socket.socket, status: int, reason: str, words: str) -> None:
    """Write the answer and leave the connection to be closed; stands for gunicorn.util.write_error.

    Only a fault of the server keeps its status: every other one says that the request cannot be read.
    """
    problem = Problem("internal_error" if status == 500 else "bad_request")
    request_id = secrets.token_hex(8)
    body = errors.body(problem, request_id)
    head = {
        "Connection": "close",
        "Content-Type": errors.MEDIA_TYPE,
        "Content-Length": len(body),
        "Content-Language": ENGLISH,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-ID": request_id,
    }
    lines = [f"HTTP/1.1 {problem.status}", *(f"{name}: {value}" for name, value in head.items())]
    sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
