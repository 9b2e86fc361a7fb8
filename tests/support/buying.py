"""Somebody who buys over HTTP, and somebody who sells to them."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from conftest import Api, RollbackDatabase, User

from marketplace.config.settings import Config
from support.images import picture

_numbers = itertools.count(1)
HOME = {
    "label": "Rumah",
    "recipient": "Siti",
    "phone": "+6281200",
    "province": "Banten",
    "city": "Serang",
    "district": "Cipocok Jaya",
    "postcode": "42121",
    "line1": "Jl. Veteran 5",
}
OPTION = {"name": "JNE Reguler", "pricing": "flat", "price": "9000", "cod": True}


ACCOUNT = {"bank": "BCA", "number": "123", "holder": "PT Toko"}


@contextmanager
def opened(config: Config, url: str) -> Iterator[Api]:
    """An installation that takes cash, and transfers to it and to its stores; what is done there is
    rolled back.
    """
    config = replace(
        config,
        transfer_accounts=(ACCOUNT,),
        payment_methods=("cod", "transfer", "store_transfer"),
        return_url_schemes=("tokoku",),
        rate_limits={},
    )
    db = RollbackDatabase(config)
    yield Api(config, db, url)
    db.close()


def key() -> dict[str, str]:
    """A new Idempotency-Key."""
    return {"Idempotency-Key": f"kunci-{next(_numbers)}-{id(_numbers)}"}


def seller(api: Api, **option: Any) -> User:
    """A seller who sends."""
    user = api.seller()
    answer = api.post("/api/stores/mine/delivery-options", user, json={**OPTION, **option})
    assert answer.status_code == 201, answer.text
    return user


def buyer(api: Api) -> User:
    """A buyer with an address."""
    user = api.buyer()
    answer = api.post("/api/users/addresses", user, json=HOME)
    assert answer.status_code == 201, answer.text
    return user


def put(api: Api, user: User, *wanted: tuple[int, int]) -> None:
    """Put products into the cart."""
    lines = [{"product_id": product, "quantity": pieces} for product, pieces in wanted]
    answer = api.put("/api/cart/lines", user, json={"lines": lines})
    assert answer.status_code == 200, answer.text


def quote(api: Api, user: User, **body: Any) -> dict[str, Any]:
    answer = api.post("/api/checkout/quote", user, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json


def try_to_place(
    api: Api, user: User, method: str | None = "transfer", *, headers: Any = None, **body: Any
) -> Any:
    """Place what a quote says; the response."""
    expected = body.pop("expected_total", None) or quote(api, user, **body)["total"]
    payment = {"method": method} if method else None
    document = {**body, "expected_total": expected, "payment": payment}
    return api.post("/api/checkouts", user, json=document, headers=headers or key())


def place(api: Api, user: User, method: str | None = "transfer", **body: Any) -> dict[str, Any]:
    """Place what a quote says; the checkout."""
    answer = try_to_place(api, user, method, **body)
    assert answer.status_code == 201, answer.text
    return answer.json


def upload(api: Api, user: User, purpose: str = "proof") -> str:
    """A private image; its id."""
    answer = api.upload(
        "/api/uploads", user, [("file", "bukti.png", picture())], {"purpose": purpose}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])
