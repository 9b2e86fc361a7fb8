"""Busy calls are held to a budget of statements and round trips, declared beside the call.

libpq's own trace of what goes over the wire is counted, so no clock decides. A call that needs less
than it declares fails, too: a budget says what is, not what might be.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import Api, User, created, make_config
from psycopg.pq import Trace
from support import buying

from marketplace import app
from marketplace.contract import operations
from marketplace.contract.operations import Budget
from marketplace.postgres.database import Database

#: A line of the trace: who sends (F: the client), its length, the kind of message.
_SENT = re.compile(r"^F\t\d+\t(\w+)", re.MULTILINE)
_STATEMENTS = ("Execute", "Query")
#: After these the client waits: the end of a statement by itself, or of a pipeline.
_WAITS = ("Sync", "Query")


@pytest.fixture
def lone(owner_url: str, template: str, tmp_path: Any) -> Iterator[Api]:
    """The API with one connection, so that a call that takes a second one fails."""
    with created(owner_url, f"{template}_budgets", template) as url:
        config = make_config(url, tmp_path, pool_size=1)
        db = Database(config)
        yield Api(config, db, url)
        db.close()


def budgets(api: Api) -> dict[str, Budget]:
    """All that are declared, by the name of the operation."""
    return {
        operation.name: operation.budget
        for _, resource in app.route_table(api.config, api.db)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if (operation := operations.of(resource, method)) and operation.budget
    }


def spent(api: Api, call: Callable[[], Any]) -> Budget:
    """What a call sends to PostgreSQL, once its statements are prepared."""
    with api.db.primary() as conn:
        server = conn.pgconn
    for _ in range(2):
        assert call().status_code < 300
    with tempfile.TemporaryFile("w+") as trace:
        server.trace(trace.fileno())
        server.set_trace_flags(Trace.SUPPRESS_TIMESTAMPS)
        assert call().status_code < 300
        server.untrace()
        trace.seek(0)
        sent = _SENT.findall(trace.read())
    return Budget(sum(kind in _STATEMENTS for kind in sent), sum(kind in _WAITS for kind in sent))


def busy(api: Api, seller: User, product: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """The busy calls, each as its clients make it again and again."""
    buyer, one = buying.buyer(api), f"/api/products/{product['id']}"
    api.put(
        "/api/cart/lines", buyer, json={"lines": [{"product_id": product["id"], "quantity": 1}]}
    )
    api.post("/api/stores/mine/delivery-options", seller, json=buying.OPTION)
    category = f"/api/products?category_id={product['category_id']}&count=none"
    numbers = iter(range(1000))
    return {
        "listProducts": lambda: api.get(category),
        "getProduct": lambda: api.get(one),
        "getProfile": lambda: api.get("/api/users/profile", buyer),
        "listAddresses": lambda: api.get("/api/users/addresses", buyer),
        "listActivities": lambda: api.get("/api/users/activities", buyer),
        "getCart": lambda: api.get("/api/cart", buyer),
        "listOrders": lambda: api.get("/api/orders", buyer),
        "quoteCheckout": lambda: api.post("/api/checkout/quote", buyer, json={}),
        "listMyProducts": lambda: api.get("/api/stores/mine/products?count=none", seller),
        "createProduct": lambda: api.post(
            "/api/products",
            seller,
            json={"name": "Kopi", "price": "85000.00", "category_id": product["category_id"]},
        ),
        "updateProduct": lambda: api.patch(
            one, seller, json={"description": f"Dari Gayo, panen {next(numbers)}"}
        ),
        "setStock": lambda: api.post(
            "/api/stores/mine/stock",
            seller,
            json={"rows": [{"product_id": product["id"], "stock": next(numbers)}]},
        ),
    }


def test_busy_calls_send_what_they_declare(lone: Api):
    seller, admin = lone.seller(), lone.admin()
    category = lone.post("/api/categories", admin, json={"name": "Minuman"}).json
    product = lone.product(seller, category_id=category["id"])
    calls = busy(lone, seller, product)
    found = {name: spent(lone, call) for name, call in calls.items()}
    assert found == budgets(lone)
