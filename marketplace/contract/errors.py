"""Every failure in one shape: RFC 9457 problem+json, with a stable `code` that a client can switch
on.

`PROBLEMS` lists every code once, with its status and title. What a constraint of the database
refuses has its words in constraints.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from marketplace.text.messages import say

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
    "upload_used": (409, "The image was used"),
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


def too_many_requests(seconds: int, detail: str | None = None) -> Problem:
    """Return a 429 that says when to try again."""
    words = say("Too many requests. Wait a moment.") if detail is None else detail
    return Problem("too_many_requests", words, headers={"Retry-After": str(seconds)})
