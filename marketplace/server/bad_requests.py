"""Requests that gunicorn cannot read: they never reach the application, but get a response in its
shape.
"""

import secrets
import socket
from http import HTTPStatus

from marketplace.contract.errors import Problem
from marketplace.text.messages import ENGLISH
from marketplace.web import problems


def answer(sock: socket.socket, status: int, reason: str, words: str) -> None:
    """Write the response and leave the connection to be closed; replaces gunicorn.util.write_error.

    Only a fault of the server keeps its status: every other one says that the request cannot be
    read.
    """
    problem = Problem("internal_error" if status == 500 else "bad_request")
    request_id = secrets.token_hex(8)
    body = problems.body(problem, request_id)
    head = {
        "Connection": "close",
        "Content-Type": problems.MEDIA_TYPE,
        "Content-Length": len(body),
        "Content-Language": ENGLISH,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-ID": request_id,
    }
    lines = [
        f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}",
        *(f"{name}: {value}" for name, value in head.items()),
    ]
    sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
