"""A victim, an intruder, and what the intruder tries: each attack answers findings, none on a
sound application.
"""

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from conftest import Api, User

from support import order_attacks
from support.images import picture
from support.order_attacks import Traded, traded

_numbers = itertools.count(1)
#: Stands only in what is the victim's alone.
MARK = "Zyzzyva"
#: The victim's rows: table -> condition on them.
ROWS = {
    "users": "t.id = %(user)s",
    "stores": "t.owner_id = %(user)s",
    "products": "t.store_id = %(store)s",
    "inventory": "t.product_id = ANY(%(products)s)",
    "product_images": "t.product_id = ANY(%(products)s)",
    "product_documents": "t.product_id = ANY(%(products)s)",
    "product_categories": "t.product_id = ANY(%(products)s)",
    "product_search": "t.product_id = ANY(%(products)s)",
    "variants": "t.store_id = %(store)s",
    "store_settings": "t.store_id = %(store)s",
    "stock_movements": "t.store_id = %(store)s",
    "low_stock": "t.store_id = %(store)s",
    "delivery_options": "t.store_id = %(store)s",
    "delivery_rates": "t.store_id = %(store)s",
    "vouchers": "t.store_id = %(store)s",
    "addresses": "t.user_id = %(user)s",
    "carts": "t.user_id = %(user)s",
    "checkouts": "t.buyer_id = %(user)s",
    "orders": "t.buyer_id = %(user)s OR t.store_id = %(store)s",
    "order_lines": "t.buyer_id = %(user)s OR t.store_id = %(store)s",
    "payments": "t.buyer_id = %(user)s",
    "voucher_uses": "t.buyer_id = %(user)s",
    "uploads": "t.user_id = %(user)s",
    "cart_lines": "t.user_id = %(user)s",
    "activities": "t.user_id = %(user)s",
    "imports": "t.store_id = %(store)s",
    "import_errors": "t.import_id = %(import)s",
    "import_changes": "t.import_id = %(import)s",
    "audit": "t.store_id = %(store)s",
    "idempotency_keys": "t.user_id = %(user)s",
    "refunds": "t.buyer_id = %(user)s OR t.store_id = %(store)s",
    "order_requests": "t.buyer_id = %(user)s OR t.store_id = %(store)s",
    "invoices": "t.buyer_id = %(user)s OR t.store_id = %(store)s",
    "shipments": "t.buyer_id = %(user)s OR t.store_id = %(store)s",
    "events": "t.buyer_id = %(user)s OR t.store_id = %(store)s",
    "auth.sessions": "t.user_id = %(user)s",
    "auth.credentials": "t.user_id = %(user)s",
}
KINDS = {
    "options": ["Warna"],
    "variants": [
        {"options": ["Merah"], "price": "7000"},
        {"options": [MARK], "price": "6000", "hidden": True, "sku": f"{MARK}-2"},
    ],
}
KEYED = {"name": f"{MARK} by key", "price": "7000", "hidden": True}


class Scene(NamedTuple):
    """Two sellers with a store each; ids of what is the victim's."""

    api: Api
    victim: User
    intruder: User
    shown: int
    hidden: int
    image: int
    import_id: int
    category: int
    kinds: int
    variant: int
    option: int
    voucher: int
    address: int
    checkout: int
    payment: int
    orders: Traded


OPTION = {"name": "Kurir", "pricing": "flat", "price": "9000"}
VOUCHER = {"name": "Hemat", "gives": "percent", "value": "10", "listed": False}
ADDRESS = {"recipient": "Ann", "phone": "1", "country": "NL", "line1": "Dam 1"}


def bought(api: Api, victim: User, product: int) -> tuple[int, int, int]:
    """What the victim keeps for buying and selling: an option of delivery, a voucher, an address,
    by their ids; and a cart.
    """
    option = api.post(
        "/api/stores/mine/delivery-options", victim, json={**OPTION, "active": False, "name": MARK}
    )
    voucher = api.post(
        "/api/stores/mine/vouchers",
        victim,
        json={**VOUCHER, "name": MARK, "code": f"V{next(_numbers)}AA"},
    )
    address = api.post("/api/users/addresses", victim, json={**ADDRESS, "line1": f"Jalan {MARK}"})
    line = {"product_id": product, "quantity": 1}
    assert api.put("/api/cart/lines", victim, json={"lines": [line]}).status_code == 200
    return option.json["id"], voucher.json["id"], address.json["id"]


def placed(api: Api, victim: User) -> tuple[int, int]:
    """What the victim has bought of a third one and not paid: the checkout, and its payment."""
    third = api.seller()
    api.post("/api/stores/mine/delivery-options", third, json=OPTION)
    product = api.product(third, name=f"{MARK} bought")["id"]
    document = {
        "lines": [{"product_id": product, "quantity": 1}],
        "buy_now": True,
        "orders": [{"store_id": third.store_id, "note": MARK}],
        "expected_total": "94000",
        "payment": {"method": "transfer"},
    }
    made = api.post(
        "/api/checkouts", victim, json=document, headers={"Idempotency-Key": "the-first"}
    )
    assert made.status_code == 201, made.text
    return made.json["id"], made.json["payments"][0]["id"]


def scene(api: Api) -> Scene:
    """The victim's private things carry the mark."""
    victim, intruder = api.seller(f"Toko Korban {next(_numbers)}"), api.seller()
    admin = api.admin()
    category = api.post("/api/categories", admin, json={"name": f"Teh {next(_numbers)}"}).json["id"]
    api.put(
        "/api/users/profile",
        victim,
        json={"name": "Sari", "phone": f"{MARK} 1", "address": f"Jalan {MARK}"},
    )
    origin = {name: ADDRESS[name] for name in ADDRESS if name not in ("label", "is_default")}
    settings = {"origin": {**origin, "line1": f"Gudang {MARK}"}}
    assert api.put("/api/stores/mine/settings", victim, json=settings).status_code == 200
    shown = api.product(victim, name="Teh", category_id=category)["id"]
    hidden = api.product(victim, name=f"{MARK} tea", hidden=True, category_id=category, sku=MARK)[
        "id"
    ]
    images = api.upload(f"/api/products/{shown}/images", victim, [("images", "a", picture())]).json[
        "images"
    ]
    api.post("/api/products", victim, json=KEYED, headers={"Idempotency-Key": "the-same-key"})
    sent = api.post(
        "/api/products/import-csv",
        victim,
        body=f"name,price\n{MARK},1\n".encode(),
        headers={
            "Content-Type": "text/csv",
            "Content-Disposition": f'attachment; filename="{MARK}.csv"',
        },
    )
    with api.as_owner(api.db.conn) as conn:
        conn.execute(
            "INSERT INTO import_errors (import_id, line, number, code, message, cells)"
            " VALUES (%s, 2, 1, 'x', %s, '[]')",
            [sent.json["id"], MARK],
        )
        conn.execute(
            "INSERT INTO import_changes (import_id, number, outcome, changes)"
            " VALUES (%s, 2, 'added', json_build_array("
            "json_build_object('line', 2, 'after', json_build_object('name', %s::text))))",
            [sent.json["id"], MARK],
        )
        conn.execute(
            "UPDATE imports SET file_name = %s WHERE id = %s", [f"{MARK}.csv", sent.json["id"]]
        )
        conn.execute("UPDATE products SET max_per_buyer = 9 WHERE id = %s", [shown])
    for name in ("Gelas", "Cangkir"):
        api.product(intruder, name=name, category_id=category)
    kept = (*bought(api, victim, hidden), *placed(api, victim))
    orders = traded(api, victim, intruder, MARK)
    kinds = api.post("/api/products", victim, json={"name": "Teh", **KINDS}).json
    variant = kinds["variants"][1]["id"]  # hidden
    ids = (shown, hidden, images[0]["id"], sent.json["id"], category, kinds["id"], variant, *kept)
    return Scene(api, victim, intruder, *ids, orders)


def snapshot(at: Scene) -> dict[str, list[str]]:
    """Every row of the victim's, as text."""
    kept = {}
    with at.api.as_owner(at.api.db.conn) as conn:
        values = {"user": at.victim.id, "store": at.victim.store_id, "import": at.import_id}
        found = conn.execute(
            "SELECT id FROM products WHERE store_id = %s", [at.victim.store_id]
        ).fetchall()
        values["products"] = [row["id"] for row in found]
        for table, condition in ROWS.items():
            query = f"SELECT t::text AS row FROM {table} AS t WHERE {condition} ORDER BY 1"  # noqa: S608 - names of ours
            kept[table] = [row["row"] for row in conn.execute(query, values).fetchall()]
    return kept


def reads(at: Scene) -> Iterator[tuple[str, str]]:
    """Paths the intruder reads: (path, the victim's thing that it names, or nothing)."""
    mine = "/api/stores/mine/products"
    yield from (
        (path, "")
        for path in (
            "/api/users/profile",
            "/api/users/export",
            "/api/users/activities",
            "/api/users/export-activities?format=json",
            "/api/products/imports",
            "/api/audit",
            "/api/stores/mine",
            "/api/stores/mine/settings",
            "/api/stores/mine/delivery-options",
            "/api/stores/mine/vouchers",
            "/api/users/addresses",
            "/api/cart",
            "/api/checkouts",
            f"/api/checkouts?number={at.orders.number}",
            "/api/payments",
            "/api/payments?state=open",
            "/api/payments?problem=true",
            f"{mine}?count=exact&per_page=1",
            f"{mine}?min_price=1&count=exact&per_page=1",
            f"{mine}?search={MARK}",
            f"{mine}?search={MARK}-2",
            f"{mine}?search=teh",
            f"{mine}?sort_by=name&ids={at.hidden},{at.shown}",
            f"{mine}?category_id={at.category}&in_stock=true&sort_by=name",
            f"{mine}?category_id={at.category}&min_price=1",
            f"{mine}?min_price=1&in_stock=true&sort_by=price&count=exact",
            "/api/products/my-brand",
            "/api/products/export",
            "/api/products/export?format=jsonl",
        )
    )
    yield f"/api/users/addresses/{at.address}", "address"
    yield f"/api/checkouts/{at.checkout}", "checkout"
    yield f"/api/payments/{at.payment}", "payment"
    yield f"/api/payments/{at.payment}/proof", "payment"
    yield from ((f"/api/stores/mine/stock{query}", "") for query in ("", "?low=20"))
    for product in (at.hidden, at.shown):
        yield f"/api/products/{product}/stock-movements", "product"
    yield from order_attacks.reads(at.orders)
    yield f"/api/products/{at.hidden}", "product"
    yield f"/api/products/imports/{at.import_id}", "import"
    yield f"/api/products/imports/{at.import_id}/errors.csv", "import"
    yield f"/api/products/imports/{at.import_id}/changes", "import"
    yield f"/api/products/imports/{at.import_id}/changes.csv", "import"
    yield f"/api/audit?store_id={at.victim.store_id}", "audit"
    yield f"/api/products/export?store_id={at.victim.store_id}", "store"
    for what in ("stock", "settings"):
        yield f"/api/stores/mine/{what}?store_id={at.victim.store_id}", "store"


def writes(at: Scene) -> Iterator[tuple[str, str, Any]]:
    """What the intruder tries to change of the victim's: (method, path, document)."""
    yield from order_attacks.writes(at.orders)
    for product in (at.hidden, at.shown):
        path = f"/api/products/{product}"
        yield "PUT", path, {"name": "Mine now", "price": "1", "stock": 0}
        yield "PATCH", path, {"hidden": False, "stock": 1}
        yield "DELETE", path, None
        yield "PATCH", f"{path}/images/{at.image}", {"alt": "Mine now"}
        yield "DELETE", f"{path}/images/{at.image}", None
    yield "PUT", f"/api/stores/mine/delivery-options/{at.option}", OPTION
    yield "DELETE", f"/api/stores/mine/delivery-options/{at.option}", None
    yield "PATCH", f"/api/stores/mine/vouchers/{at.voucher}", {"active": False}
    yield "PUT", f"/api/users/addresses/{at.address}", ADDRESS
    yield "PATCH", f"/api/users/addresses/{at.address}", {"is_default": True}
    yield "DELETE", f"/api/users/addresses/{at.address}", None
    yield "POST", f"/api/checkouts/{at.checkout}/cancel", {"reason": "Mine now"}
    yield (
        "POST",
        f"/api/payments/{at.payment}/proof",
        {"upload": f"{'0' * 8}-0000-0000-0000-{'0' * 12}"},
    )
    yield "POST", f"/api/payments/{at.payment}/refuse", {"reason": "other"}
    path = f"/api/stores/mine/stock?store_id={at.victim.store_id}"
    yield "POST", path, {"rows": [{"product_id": at.shown, "stock": 1}]}
    yield "PUT", f"/api/stores/mine/settings?store_id={at.victim.store_id}", {"taxable": True}
    path = f"/api/stores/mine/products?store_id={at.victim.store_id}"
    yield "PATCH", path, {"rows": [{"product_id": at.shown, "price": "1"}]}
    kinds = f"/api/products/{at.kinds}"
    yield "POST", f"{kinds}/variants", {"options": ["Mine now"], "price": "1"}
    yield "PATCH", f"{kinds}/variants/{at.variant}", {"price": "1", "stock": 0, "hidden": False}
    yield "DELETE", f"{kinds}/variants/{at.variant}", None
    yield "PATCH", kinds, {"variants": [{"id": at.variant, "price": "1", "stock": 0}]}
    yield "PATCH", f"/api/products/{at.shown}", {"blocked": "Mine now"}
    yield "POST", f"/api/products/imports/{at.import_id}/apply", None
    yield "POST", f"/api/products/imports/{at.import_id}/cancel", None


def own_changes(at: Scene) -> Iterator[tuple[str, str, Any]]:
    """What the intruder changes of their own, which must change nothing else."""
    yield from order_attacks.own_changes(at.orders)
    rows = [{"product_id": at.shown, "stock": 1}, {"sku": MARK, "stock": 1}]
    yield "POST", "/api/stores/mine/stock", {"rows": rows}
    yield "PATCH", "/api/stores/mine/products", {"rows": [{**row, "price": "1"} for row in rows]}
    yield "PUT", "/api/users/profile", {"name": "Mine now", "phone": "1", "address": "x"}
    yield "PATCH", "/api/stores/mine", {"description": "Mine now"}
    yield "PUT", "/api/stores/mine/settings", {"taxable": True}
    yield "DELETE", "/api/stores/mine/logo", None
    yield "DELETE", "/api/users/avatar", None
    mine = at.api.product(at.intruder, name="Piring")["id"]
    yield "PATCH", f"/api/products/{mine}", {"stock": 3, "name": "Mine now"}
    yield from own_buying(at)


def own_buying(at: Scene) -> Iterator[tuple[str, str, Any]]:
    """The same of what the intruder keeps for buying and selling."""
    api, thief = at.api, at.intruder
    options, addresses = "/api/stores/mine/delivery-options", "/api/users/addresses"
    option = api.post(options, thief, json=OPTION).json["id"]
    yield "PUT", f"{options}/{option}", {**OPTION, "name": "Mine now"}
    yield "DELETE", f"{options}/{option}", None
    code = {"code": f"V{next(_numbers)}AA"}
    voucher = api.post("/api/stores/mine/vouchers", thief, json={**VOUCHER, **code}).json["id"]
    yield "PATCH", f"/api/stores/mine/vouchers/{voucher}", {"active": False}
    first, second = (api.post(addresses, thief, json=ADDRESS).json["id"] for _ in range(2))
    yield "PATCH", f"{addresses}/{second}", {"is_default": True, "line1": "Mine now"}
    yield "DELETE", f"{addresses}/{second}", None
    yield "DELETE", f"{addresses}/{first}", None
    line = {"product_id": at.shown, "quantity": 1}
    yield "PUT", "/api/cart/lines", {"lines": [{**line, "quantity": 2}]}
    yield "PUT", "/api/cart/lines", {"lines": [{**line, "quantity": 0}]}
    yield "PUT", "/api/cart/lines", {"lines": [{"product_id": at.hidden, "quantity": 0}]}
    yield "POST", "/api/checkout/quote", {}
    yield "POST", "/api/checkout/quote", {"lines": [line], "buy_now": True}
    yield "DELETE", "/api/cart", None


#: The name of all attacks that build upon each other.
CHAIN = "own changes"


def attacks(at: Scene) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """Each attack with its name, those that build upon each other with one for all; called, it
    answers what it has found.
    """
    api, thief = at.api, at.intruder
    for path, _ in reads(at):
        yield f"GET {path}", partial(_read, at, path)
    for method, path, document in writes(at):
        yield f"{method} {path}", partial(_write, at, method, path, document)
    for method, path, document in own_changes(at):
        yield CHAIN, partial(_write, at, method, path, document)
    mine = api.product(thief, name="Sendok")["id"]
    yield CHAIN, partial(_read, at, f"/api/products/{mine}/stock-movements")
    for path, part in (
        *((f"/api/products/{product}/images", "images") for product in (at.hidden, at.shown, mine)),
        ("/api/users/upload-avatar", "avatar"),
        ("/api/uploads", "file"),
    ):
        yield f"POST {part}", partial(_upload, at, path, part)
    yield "POST /api/products with a key of the victim's", partial(_replay, at)


def _read(at: Scene, path: str) -> list[str]:
    answer = at.api.get(path, at.intruder)
    foreign = MARK in answer.text or "Toko Korban" in answer.text
    if foreign or answer.status_code not in (200, 404):
        return [f"GET {path} answers the victim's: {answer.status_code}"]
    return []


def _write(at: Scene, method: str, path: str, document: Any) -> list[str]:
    keyed = {"Idempotency-Key": f"attack-{next(_numbers)}"} if method == "POST" else {}
    answer = at.api.request(method, path, at.intruder, json=document, headers=keyed)
    if MARK in answer.text or answer.status_code >= 500:
        return [f"{method} {path}: {answer.status_code} {answer.text[:200]}"]
    return []


def _upload(at: Scene, path: str, part: str) -> list[str]:
    fields = {"purpose": "proof"} if part == "file" else None
    at.api.upload(path, at.intruder, [(part, "a", picture())], fields)
    return []


def _replay(at: Scene) -> list[str]:
    headers = {"Idempotency-Key": "the-same-key"}
    again = at.api.post("/api/products", at.intruder, json=KEYED, headers=headers)
    return ["the victim's answer is replayed"] if again.headers.get("Idempotent-Replayed") else []


def foreign_rows(at: Scene, chosen: Callable[[str], bool] = lambda name: True) -> list[str]:
    """What comes back of the victim's, and what of theirs is changed, by the attacks that are
    chosen by name.
    """
    before = snapshot(at)
    found = [line for name, attack in attacks(at) if chosen(name) for line in attack()]
    after = snapshot(at)
    return found + [
        f"rows of {table} are others" for table in ROWS if before[table] != after[table]
    ]


def refusals(at: Scene) -> list[str]:
    """Foreign ids that are answered otherwise than as not there."""
    found = []
    for path, thing in reads(at):
        if thing and (status := at.api.get(path, at.intruder).status_code) != 404:
            found.append(f"GET {path}: {status}")
    for method, path, document in writes(at):
        status = at.api.request(method, path, at.intruder, json=document).status_code
        if status != 404:
            found.append(f"{method} {path}: {status}")
    return found
