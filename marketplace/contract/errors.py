"""Every failure in one shape: RFC 9457 problem+json, with a stable `code` that a client can switch
on.

`PROBLEMS` lists every code once, with its status and title. `CONSTRAINTS` has the words for what a
constraint of the database refuses. A constraint that is not listed there is a bug and returns 500.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

PROBLEMS: dict[str, tuple[int, str]] = {
    "bad_request": (400, "The request cannot be read"),
    "invalid_json": (400, "The body is not JSON"),
    "invalid_multipart": (400, "The multipart body is broken"),
    "invalid_query": (400, "The query string cannot be read"),
    "invalid_idempotency_key": (400, "The Idempotency-Key is not valid"),
    "invalid_cursor": (400, "The cursor is not one of ours"),
    "page_too_deep": (400, "The page is too far down"),
    "sort_not_offered": (400, "No index serves this combination"),
    "filter_not_offered": (400, "This filter is not offered here"),
    "forged": (400, "The signature is not the provider's"),
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
    "store_exists": (409, "A store exists already"),
    "store_name_taken": (409, "The store name is taken"),
    "category_exists": (409, "The category exists already"),
    "category_in_use": (409, "The category is in use"),
    "brand_exists": (409, "The brand exists already"),
    "brand_in_use": (409, "The brand is in use"),
    "sku_taken": (409, "The SKU is taken"),
    "source_url_taken": (409, "The link is taken"),
    "not_enough_stock": (409, "There is not enough stock"),
    "has_open_orders": (409, "It has open orders"),
    "product_blocked": (409, "The product is blocked"),
    "duplicate_options": (409, "The options are taken"),
    "cart_empty": (409, "Nothing of this is in the cart"),
    "total_changed": (409, "It costs something else now"),
    "variant_required": (409, "Choose a variant"),
    "min_quantity": (409, "It is sold in larger quantities"),
    "max_per_buyer": (409, "Nobody can buy so many"),
    "too_many_unpaid": (409, "Too many checkouts are unpaid"),
    "voucher_used": (409, "The voucher was used"),
    "payment_not_offered": (409, "This way to pay is not offered"),
    "payment_checking": (409, "A transfer is being checked"),
    "checkout_paid": (409, "It is paid already"),
    "not_payable": (409, "It cannot be paid so"),
    "self_purchase": (409, "It is your own"),
    "store_closed": (409, "The store is closed"),
    "cod_one_parcel": (409, "Cash on delivery leaves in one parcel"),
    "cart_full": (409, "The cart is full"),
    "too_many_addresses": (409, "There are too many addresses"),
    "code_taken": (409, "The code is taken"),
    "voucher_used_up": (409, "The voucher is used up"),
    "order_state": (409, "The order is past that"),
    "request_open": (409, "Something is asked about the order"),
    "refund_state": (409, "The refund is past that"),
    "already_shipped": (409, "It is on its way already"),
    "too_many_units": (409, "There are fewer pieces"),
    "payment_open": (409, "A payment is open"),
    "return_open": (409, "A return is open"),
    "return_state": (409, "The return is past that"),
    "too_late": (409, "It is too late for that"),
    "too_early": (409, "It is too early for that"),
    "refund_too_large": (409, "There is less to refund"),
    "amount_too_small": (409, "The amount is too small"),
    "batch_refused": (409, "A row of the batch failed"),
    "store_required": (409, "Open a store first"),
    "request_in_progress": (409, "The same request is still running"),
    "cursor_expired": (410, "The cursor is too old"),
    "precondition_failed": (412, "It has changed meanwhile"),
    "payload_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "This type is not accepted"),
    "validation_failed": (422, "The document is wrong"),
    "address_required": (422, "Choose an address"),
    "delivery_not_offered": (422, "This delivery is not offered"),
    "voucher_invalid": (422, "The voucher is not good for this"),
    "total_not_payable": (422, "The total cannot be paid"),
    "return_url_refused": (422, "The app's address is not allowed"),
    "address_incomplete": (422, "The address is not complete"),
    "amount_too_large": (422, "The amount is too large"),
    "has_variants": (422, "The product has variants"),
    "too_many_variants": (422, "The product has all the variants it may have"),
    "price_before_too_low": (422, "The old price is too low"),
    "amount_invalid": (422, "The amount is not valid"),
    "amount_required": (422, "Send an amount"),
    "idempotency_key_required": (422, "Send an Idempotency-Key"),
    "idempotency_key_reused": (422, "The Idempotency-Key belongs to another request"),
    "wrong_password": (422, "The present password is wrong"),
    "weak_password": (422, "The password is weak"),
    "invalid_code": (422, "The code is not valid"),
    "picture_refused": (422, "The image is refused"),
    "too_many_pictures": (409, "The product has all the images it may have"),
    "import_not_applicable": (409, "The import cannot be applied"),
    "too_many_imports": (409, "Too many imports wait"),
    "import_ended": (409, "The import has ended"),
    "too_many_requests": (429, "Too many requests"),
    "internal_error": (500, "Something went wrong here"),
    "unavailable": (503, "The service is not available for a moment"),
}

#: For each named constraint: problem code, pointer to the field, words.
CONSTRAINTS: dict[str, tuple[str, str, str]] = {
    "users_email_key": ("email_taken", "/email", "an account with this address exists"),
    "stores_owner_id_key": ("store_exists", "", "you have a store already"),
    "stores_name_skeleton_key": (
        "store_name_taken",
        "/name",
        "another store has a name that looks the same",
    ),
    "stores_name_key": ("store_name_taken", "/name", "another store has this name"),
    "categories_name_key": ("category_exists", "/name", "the parent has a category of this name"),
    "categories_parent_id_fkey": ("validation_failed", "/parent_id", "there is no such category"),
    "categories_path_check": ("validation_failed", "/parent_id", "the tree is at most 8 deep"),
    "categories_parent_check": (
        "validation_failed",
        "/parent_id",
        "a category cannot be its own parent",
    ),
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
    "products_variants_check": (
        "has_variants",
        "",
        "a product has 1 to 100 variants, or no options",
    ),
    "products_option_names_check": (
        "validation_failed",
        "/option_names",
        "names of options are 1 to 100 characters each",
    ),
    "products_price_before_check": (
        "price_before_too_low",
        "/price_before",
        "the old price is above the price",
    ),
    "products_quantities_check": (
        "validation_failed",
        "/min_quantity",
        "the smallest quantity of a purchase is not above the largest",
    ),
    "products_blocked_check": ("product_blocked", "/hidden", "an administrator blocked it"),
    "inventory_quantity_check": ("not_enough_stock", "/stock", "the stock cannot be negative"),
    "users_open_orders": (
        "has_open_orders",
        "",
        "orders, refunds, returns or a balance are not closed yet",
    ),
    "inventory_turn_check": (
        "has_open_orders",
        "/options",
        "a product gets options only while it has no open orders",
    ),
    "variants_options_key": (
        "duplicate_options",
        "/options",
        "another variant of the product has these options",
    ),
    "variants_options_check": (
        "validation_failed",
        "/options",
        "a variant has 1 to 3 options, each with a value",
    ),
    "variants_price_check": (
        "price_before_too_low",
        "/price_before",
        "the old price is above the price",
    ),
    "variants_sku_key": (
        "sku_taken",
        "/sku",
        "another product or variant of the store has this SKU",
    ),
    "variants_image_fkey": (
        "validation_failed",
        "/image_id",
        "the product has no such image",
    ),
    "checkouts_prices": ("total_changed", "", "a price or a product has changed"),
    "checkouts_total": ("total_changed", "/expected_total", "the sum is another one now"),
    "checkouts_tax": ("total_changed", "", "a tax has changed"),
    "checkouts_discount": ("total_changed", "/vouchers", "the vouchers give something else now"),
    "checkouts_delivery": (
        "delivery_not_offered",
        "/orders",
        "the store does not send it there in this way",
    ),
    "checkouts_address": ("address_required", "/address_id", "choose one of your addresses"),
    "checkouts_store": ("store_closed", "/lines", "a store does not sell now"),
    "checkouts_self": ("self_purchase", "/lines", "nobody buys in their own store"),
    "checkouts_lines": ("validation_failed", "/lines", "these lines cannot be placed"),
    "checkouts_method": ("payment_not_offered", "/payment", "choose another way to pay"),
    "checkouts_max_per_buyer": ("max_per_buyer", "/lines", "one buyer can have fewer in 30 days"),
    "checkouts_not_payable": ("not_payable", "", "this way to pay is not open for it any more"),
    "checkouts_unpaid_limit": (
        "too_many_unpaid",
        "",
        "ten checkouts wait for their payment; pay or cancel one",
    ),
    "voucher_uses_pkey": ("voucher_used", "/vouchers", "you have used this voucher"),
    "orders_unpaid_checkout": ("order_state", "", "what is unpaid is cancelled as its checkout"),
    "orders_cod_cash": ("order_state", "", "the courier has the cash, and says so"),
    "orders_request_open": ("request_open", "", "something is asked about the order"),
    "refunds_step": ("refund_state", "", "the refund cannot go there from where it is"),
    "refunds_bank_check": ("refund_state", "", "the refund waits for an account"),
    "ledger_entries_by_hand": (
        "validation_failed",
        "",
        "no such entry: look at the accounts, the store and the note",
    ),
    "ledger_entries_note_check": (
        "validation_failed",
        "/note",
        "a note has at most 500 characters",
    ),
    "orders_shipped": ("already_shipped", "", "a parcel of the order is on its way"),
    "orders_cod_parcel": ("cod_one_parcel", "/lines", "cash on delivery leaves in one parcel"),
    "payments_received_enough": ("amount_too_small", "/received", "it is less than was to be paid"),
    "payments_proof_upload": ("validation_failed", "/upload", "there is no such upload of yours"),
    "payments_settle": ("validation_failed", "/how", "a problem is closed by send_back or noted"),
    "addresses_indonesia_check": (
        "address_incomplete",
        "",
        "an address in Indonesia needs province, city, district and a postcode of five digits",
    ),
    "addresses_pin_check": (
        "validation_failed",
        "/latitude",
        "latitude and longitude come together",
    ),
    "delivery_options_store_id_fkey": (
        "validation_failed",
        "/store_id",
        "there is no such store",
    ),
    "delivery_options_days_check": (
        "validation_failed",
        "/days_max",
        "days_min and days_max come together, the smaller one first",
    ),
    "delivery_rates_pkey": (
        "validation_failed",
        "/rates",
        "two rates are for the same area and weight",
    ),
    "vouchers_store_id_fkey": ("validation_failed", "/store_id", "there is no such store"),
    "vouchers_code_key": ("code_taken", "/code", "another voucher has this code"),
    "vouchers_used_check": ("voucher_used_up", "/vouchers", "it is used up"),
    "orders_transition": ("order_state", "", "the order cannot go there from where it is"),
    "orders_units_check": ("too_many_units", "/lines", "the order has fewer pieces"),
    "order_lines_units_check": ("too_many_units", "/lines", "the order has fewer pieces"),
    "orders_refund_check": ("refund_too_large", "/amount", "less was paid and not given back"),
    "orders_note_check": ("validation_failed", "/note", "a note has at most 500 characters"),
    "orders_cancel_reason_check": (
        "validation_failed",
        "/reason",
        "a reason has at most 500 characters",
    ),
    "shipments_tracking_key": (
        "already_shipped",
        "/tracking_number",
        "another parcel of the order has this number",
    ),
    "shipments_courier_check": (
        "validation_failed",
        "/tracking_number",
        "courier, service and number have at most 100 characters each",
    ),
    "order_requests_open_key": ("return_open", "", "a return of the order is open"),
    "order_requests_amount_check": ("amount_too_small", "/lines", "there is nothing to give back"),
    "order_requests_reason_check": (
        "validation_failed",
        "/reason",
        "a reason has at most 500 characters",
    ),
    "order_requests_message_check": (
        "validation_failed",
        "/message",
        "a message has at most 2,000 characters",
    ),
    "order_requests_images_check": ("validation_failed", "/uploads", "there are too many images"),
    "order_requests_tracking_number_check": (
        "validation_failed",
        "/tracking_number",
        "a tracking number has at most 100 characters",
    ),
    "order_requests_step": ("return_state", "", "the return cannot go there from where it is"),
    "order_requests_too_late": ("too_late", "", "the time for that is over"),
    "order_requests_too_early": ("too_early", "/lines", "it may still arrive"),
    "order_requests_upload": (
        "validation_failed",
        "/uploads",
        "there is no such upload of yours for a return",
    ),
    "payments_received_coin": (
        "amount_invalid",
        "/received",
        "the amount is above 0, in the currency's coins",
    ),
    "payments_one_key": ("payment_open", "", "another payment of it is open"),
    "payments_return_url_check": (
        "validation_failed",
        "/return_url",
        "the address has at most 2,048 characters",
    ),
    "payments_proof_check": ("validation_failed", "", "the proof is too large"),
    "payments_refusal_check": (
        "validation_failed",
        "/reason",
        "a reason has at most 500 characters",
    ),
    "refunds_amount_check": ("amount_invalid", "/amount", "the amount is above 0"),
    "refunds_bearer_sum": (
        "amount_required",
        "/amount",
        "the platform gives a sum: an amount, and who bears it",
    ),
    "refund_lines_units": ("too_many_units", "/lines", "the order has fewer such pieces"),
    "refunds_error_check": (
        "validation_failed",
        "/reason",
        "a reason has at most 500 characters",
    ),
    "refunds_reference_check": (
        "validation_failed",
        "/reference",
        "a reference has at most 200 characters",
    ),
    "refunds_account_check": ("validation_failed", "", "the account is too large"),
    "store_settings_pay_account_check": ("validation_failed", "", "the account is too large"),
    "holidays_name_check": (
        "validation_failed",
        "/name",
        "a holiday's name has 1 to 100 characters",
    ),
    "imports_store_id_fkey": ("validation_failed", "/store_id", "there is no such store"),
}


class FieldError(NamedTuple):
    """One error: where it is (a JSON pointer), a stable code, and words; `about`: what thing it is
    of (product_id, variant_id, ...), since a place in a list tells an app little.
    """

    pointer: str
    code: str
    message: str
    about: Mapping[str, Any] | None = None

    def members(self) -> dict[str, Any]:
        """Return it as an object of the response: one level, with what it is about."""
        named = {"pointer": self.pointer, "code": self.code, **(self.about or {})}
        return {**named, "message": self.message}


class Problem(Exception):
    """A failure to respond with (web/problems.py renders it); `code` is one of PROBLEMS. `more` are
    further members of the document: what became of each row of a batch.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        headers: dict[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        status, title = PROBLEMS[code]
        if status in (429, 503) or code == "request_in_progress":
            headers = {"Retry-After": "1", **(headers or {})}
        super().__init__(detail or title)
        self.code = code
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.more = more or {}


def invalid(pointer: str, code: str, message: str) -> Problem:
    """Return a 422 about one field."""
    return Problem("validation_failed", errors=[FieldError(pointer, code, message)])


def repeated(names: Iterable[str]) -> Problem:
    """Return a 422 about fields that were sent more than once."""
    errors = [FieldError(f"/{name}"[:200], "repeated", "must be sent once") for name in names]
    return Problem("validation_failed", errors=errors)


def unauthorized(code: str, detail: str) -> Problem:
    """Return a 401 with the challenge of RFC 6750. `error` is named only if a token came and was
    refused.
    """
    challenge = 'Bearer realm="marketplace"'
    if code == "invalid_token":
        challenge += f', error="invalid_token", error_description="{detail}"'
    return Problem(code, detail, headers={"WWW-Authenticate": challenge})


def too_many_requests(seconds: int) -> Problem:
    """Return a 429 that says when to try again."""
    return Problem(
        "too_many_requests",
        "Too many requests. Wait a moment.",
        headers={"Retry-After": str(seconds)},
    )
