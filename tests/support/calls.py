"""A list of every call with who may make it, and how each is made as each role."""

from conftest import Api

from marketplace import app
from marketplace.contract import operations
from support.responses import problem

GUEST, ANY, SELLERS, ADMIN = "guest", "buyer seller admin", "seller admin", "admin"
EXPECTED = {
    "GET /healthz": GUEST,
    "GET /readyz": GUEST,
    "GET /metrics": GUEST,
    "GET /docs": GUEST,
    "GET /api/openapi.json": GUEST,
    "GET /api/audit": SELLERS,
    "GET /api/changes": GUEST,
    "GET /api/config": GUEST,
    "POST /api/auth/register": GUEST,
    "POST /api/auth/login": GUEST,
    "POST /api/auth/refresh": GUEST,
    "POST /api/auth/forgot-password": GUEST,
    "POST /api/auth/reset-password": GUEST,
    "POST /api/auth/verify-email": GUEST,
    "POST /api/auth/send-verification": ANY,
    "POST /api/auth/logout": ANY,
    "GET /api/auth/sessions": ANY,
    "DELETE /api/auth/sessions": ANY,
    "DELETE /api/auth/sessions/{session_id:id}": ANY,
    "POST /api/auth/open_store": ANY,
    "GET /api/auth/brands/my": ANY,
    "PUT /api/users/profile/username": ANY,
    "GET /api/products/my-brand": SELLERS,
    "POST /api/products/create": SELLERS,
    "GET /api/users/profile": ANY,
    "PUT /api/users/profile": ANY,
    "PATCH /api/users/profile": ANY,
    "GET /api/users/export": ANY,
    "POST /api/users/upload-avatar": ANY,
    "DELETE /api/users/avatar": ANY,
    "GET /api/users/activities": ANY,
    "GET /api/users/export-activities": ANY,
    "GET /api/users": ADMIN,
    "GET /api/users/{user_id:id}": ADMIN,
    "PATCH /api/users/{user_id:id}": ADMIN,
    "GET /api/stores": f"{GUEST} {ANY}",
    "POST /api/stores": ANY,
    "GET /api/stores/mine": SELLERS,
    "PUT /api/stores/mine": SELLERS,
    "PATCH /api/stores/mine": SELLERS,
    "GET /api/stores/mine/products": SELLERS,
    "PATCH /api/stores/mine/products": SELLERS,
    "GET /api/stores/mine/orders": SELLERS,
    "GET /api/orders": ANY,
    "GET /api/orders/{order_id:id}": ANY,
    "POST /api/orders/{order_id:id}/accept": SELLERS,
    "POST /api/orders/{order_id:id}/ship": SELLERS,
    "POST /api/orders/{order_id:id}/confirm": ANY,
    "POST /api/orders/{order_id:id}/cancel": ANY,
    "POST /api/orders/{order_id:id}/refuse-cancel": SELLERS,
    "PATCH /api/orders/{order_id:id}/shipments/{shipment_id:id}": SELLERS,
    "POST /api/orders/{order_id:id}/shipments/{shipment_id:id}/delivered": SELLERS,
    "POST /api/orders/{order_id:id}/shipments/{shipment_id:id}/returned": SELLERS,
    "POST /api/stores/mine/orders/accept": SELLERS,
    "GET /api/stores/mine/orders/export": SELLERS,
    "GET /api/stores/mine/packing-slips": SELLERS,
    "GET /api/orders/{order_id:id}/invoice": ANY,
    "GET /api/orders/{order_id:id}/packing-slip": SELLERS,
    "POST /api/links": ANY,
    "GET /api/refunds": ANY,
    "GET /api/users/badges": ANY,
    "PUT /api/refunds/{refund_id:id}/bank": ANY,
    "POST /api/refunds/{refund_id:id}/done": SELLERS,
    "POST /api/refunds/{refund_id:id}/fail": ADMIN,
    "POST /api/refunds/{refund_id:id}/give-up": ADMIN,
    "GET /api/orders/{order_id:id}/refunds": ANY,
    "POST /api/orders/{order_id:id}/refunds": SELLERS,
    "POST /api/orders/{order_id:id}/returns": ANY,
    "GET /api/orders/{order_id:id}/returns/{return_id:id}": ANY,
    "PATCH /api/orders/{order_id:id}/returns/{return_id:id}": ANY,
    "GET /api/returns": ANY,
    "POST /api/payments/{payment_id:id}/again": SELLERS,
    "POST /api/payments/{payment_id:id}/settle": SELLERS,
    "GET /api/stores/mine/balance": SELLERS,
    "POST /api/stores/{store_id:id}/top-ups": ADMIN,
    "POST /api/ledger/entries": ADMIN,
    "GET /api/ledger/entries/{entry_id:id}": ADMIN,
    "POST /api/stores/mine/orders/ship": SELLERS,
    "GET /api/stores/mine/stock": SELLERS,
    "POST /api/stores/mine/stock": SELLERS,
    "GET /api/products/{product_id:id}/stock-movements": SELLERS,
    "GET /api/stores/{store_id:id}": f"{GUEST} {ANY}",
    "PATCH /api/stores/{store_id:id}": ADMIN,
    "POST /api/stores/mine/logo": SELLERS,
    "DELETE /api/stores/mine/logo": SELLERS,
    "GET /api/stores/mine/settings": SELLERS,
    "PUT /api/stores/mine/settings": SELLERS,
    "GET /api/products": GUEST,
    "GET /api/products/suggest": GUEST,
    "POST /api/products": SELLERS,
    "POST /api/products/import-csv": SELLERS,
    "GET /api/products/imports": SELLERS,
    "GET /api/products/imports/{import_id:id}": SELLERS,
    "GET /api/products/imports/{import_id:id}/errors.csv": SELLERS,
    "GET /api/products/imports/{import_id:id}/changes": SELLERS,
    "GET /api/products/imports/{import_id:id}/changes.csv": SELLERS,
    "POST /api/products/imports/{import_id:id}/apply": SELLERS,
    "POST /api/products/imports/{import_id:id}/cancel": SELLERS,
    "GET /api/products/export": SELLERS,
    "GET /api/products/{product_id:id}": f"{GUEST} {ANY}",
    "PUT /api/products/{product_id:id}": SELLERS,
    "PATCH /api/products/{product_id:id}": SELLERS,
    "DELETE /api/products/{product_id:id}": SELLERS,
    "POST /api/products/{product_id:id}/variants": SELLERS,
    "PATCH /api/products/{product_id:id}/variants/{variant_id:id}": SELLERS,
    "DELETE /api/products/{product_id:id}/variants/{variant_id:id}": SELLERS,
    "POST /api/products/{product_id:id}/images": SELLERS,
    "PATCH /api/products/{product_id:id}/images/{image_id:id}": SELLERS,
    "DELETE /api/products/{product_id:id}/images/{image_id:id}": SELLERS,
    **{
        f"{method} /api/{prefix}{noun}s{'' if one is None else f'/{{{one}_id:id}}'}": GUEST
        if method == "GET"
        else ADMIN
        for prefix in ("", "products/")
        for noun, singular in (("categorie", "category"), ("brand", "brand"))
        for one, methods in ((None, ("GET", "POST")), (singular, ("GET", "PUT", "PATCH", "DELETE")))
        for method in methods
    },
    "GET /api/search-synonyms": ADMIN,
    "PUT /api/search-synonyms": ADMIN,
    "GET /api/areas": GUEST,
    "POST /api/checkout/quote": ANY,
    "GET /api/checkouts": ANY,
    "POST /api/checkouts": ANY,
    "GET /api/checkouts/{checkout_id:id}": ANY,
    "POST /api/checkouts/{checkout_id:id}/cancel": ANY,
    "POST /api/checkouts/{checkout_id:id}/payments": ANY,
    "POST /api/payments/midtrans/events": GUEST,
    "POST /api/payments/pretend/events": GUEST,
    "GET /api/payments": SELLERS,
    "GET /api/payments/{payment_id:id}": ANY,
    "GET /api/payments/{payment_id:id}/proof": ANY,
    "POST /api/payments/{payment_id:id}/proof": ANY,
    "POST /api/payments/{payment_id:id}/confirm": SELLERS,
    "POST /api/payments/{payment_id:id}/refuse": SELLERS,
    "POST /api/uploads": ANY,
    "GET /api/uploads/file": GUEST,
    "GET /api/cart": ANY,
    "DELETE /api/cart": ANY,
    "PUT /api/cart/lines": ANY,
    "GET /api/users/addresses": ANY,
    "POST /api/users/addresses": ANY,
    **{
        f"{method} /api/users/addresses/{{address_id:id}}": ANY
        for method in ("GET", "PUT", "PATCH", "DELETE")
    },
    "GET /api/stores/{store_id:id}/delivery-options": GUEST,
    "GET /api/stores/mine/delivery-options": SELLERS,
    "POST /api/stores/mine/delivery-options": SELLERS,
    "PUT /api/stores/mine/delivery-options/{option_id:id}": SELLERS,
    "DELETE /api/stores/mine/delivery-options/{option_id:id}": SELLERS,
    "GET /api/stores/mine/pay-account": "seller",
    "PUT /api/stores/mine/pay-account": "seller",
    "GET /api/payments/{payment_id:id}/qris": ANY,
    "GET /api/stores/mine/vouchers": SELLERS,
    "POST /api/stores/mine/vouchers": SELLERS,
    "PATCH /api/stores/mine/vouchers/{voucher_id:id}": SELLERS,
    "GET /api/vouchers": ADMIN,
    "POST /api/vouchers": ADMIN,
    "PATCH /api/vouchers/{voucher_id:id}": ADMIN,
    "DELETE /api/users/profile": ANY,
    "POST /api/users/profile/delete": ANY,
}


def declared(api: Api) -> dict[str, str]:
    found = {}
    for path, resource in app.route_table(api.config, api.db):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            operation = operations.of(resource, method)
            if operation is not None:
                found[f"{method} {path}"] = " ".join(operation.roles)
            else:
                assert not hasattr(resource, f"on_{method.lower()}"), (
                    f"{method} {path} declares nothing"
                )
    return found


def make_every_call_as_every_role(api: Api) -> None:
    """Make each call as each role: it is refused to those who may not, and to nobody else."""
    users = {"guest": None, "buyer": api.buyer(), "seller": api.seller(), "admin": api.admin()}
    for call, roles in EXPECTED.items():
        method, path = call.split(" ")
        if path in ("/api/auth/logout", "/api/auth/sessions") and method != "GET":
            continue  # they would end what the other calls need; tests of their own
        path = path.replace("{", "").replace("}", "")
        for part in (
            "session_id:id",
            "user_id:id",
            "store_id:id",
            "product_id:id",
            "image_id:id",
            "order_id:id",
            "shipment_id:id",
            "refund_id:id",
            "return_id:id",
            "variant_id:id",
            "import_id:id",
            "category_id:id",
            "brand_id:id",
            "address_id:id",
            "option_id:id",
            "voucher_id:id",
            "checkout_id:id",
            "payment_id:id",
            "entry_id:id",
        ):
            path = path.replace(part, "4611686018427387904")
        for role, user in users.items():
            answer = api.request(method, path, user)
            allowed = roles == GUEST or role in roles.split()
            refused = answer.status_code in (401, 403)
            assert refused is (not allowed), f"{call} as {role}: {answer.status_code}"
            if refused:
                problem(
                    answer,
                    401 if role == "guest" else 403,
                    "unauthorized" if role == "guest" else "forbidden",
                )
