"""The bare prototype: Falcon, psycopg and the application's statements, and nothing else.

It knows no rights, limits, log, metrics, ETags or filters. What the application costs above it is
the price of all these.
"""

import os
import threading
from typing import Any

import falcon
import psycopg

from marketplace.files.storage import URL_MARKER
from marketplace.postgres.statements import named_sql
from tools.bench.yardstick import OPTIONS

SQL = named_sql("products")
NEWEST = {"after_time": "infinity", "after_id": 2**63 - 1, "limit": 21, "most": 1001}
_thread = threading.local()


def execute(name: str, values: dict[str, Any]) -> tuple[Any, ...]:
    """Return the row of a statement, on the connection of this thread."""
    if not hasattr(_thread, "conn"):
        _thread.conn = psycopg.connect(
            os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0, options=OPTIONS
        )
    row: tuple[Any, ...] = _thread.conn.execute(SQL[name], values, binary=True).fetchone()
    return row


class Products:
    """/api/products?category_id=ID&page=NUMBER"""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return a page, newest first."""
        category, page = req.get_param_as_int("category_id"), req.get_param_as_int("page") or 1
        values = {**NEWEST, "category_id": category, "offset": 20 * (page - 1)}
        items = execute("list_category_newest", values)[0] or ""
        resp.data = f'{{"products":[{items}]}}'.replace(URL_MARKER, "/uploads/").encode()


class Product:
    """/api/products/ID"""

    def on_get(self, req: falcon.Request, resp: falcon.Response, product_id: int) -> None:
        """Return a product."""
        _, whole = execute("find_for_guest", {"product_id": product_id, "known": None})
        resp.data = whole.replace(URL_MARKER, "/uploads/").encode()


def create_app() -> "falcon.App[Any, Any]":
    """Return the application; every other path is ready."""
    app: falcon.App[Any, Any] = falcon.App()
    app.add_route("/api/products", Products())
    app.add_route("/api/products/{product_id:int}", Product())
    app.add_sink(ready, "/")
    return app


def ready(req: falcon.Request, resp: falcon.Response, **params: Any) -> None:
    """Respond to everything else."""
