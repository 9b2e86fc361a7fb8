"""What is printed: invoices and packing slips, as HTML or as JSON, whichever is accepted."""

from collections.abc import Callable
from typing import Any

import falcon

from marketplace.config.settings import Config
from marketplace.contract.operations import operation
from marketplace.integrations.letters import Place
from marketplace.postgres.database import Database
from marketplace.schemas import papers as schemas
from marketplace.text.html import Html
from marketplace.web import client
from marketplace.workflows import papers

SELLERS = ("seller", "admin")
HTML = "text/html"
KINDS = (HTML, falcon.MEDIA_JSON)
#: No script, no frame, nothing from elsewhere: what a seller or a buyer has typed stays words.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)


class Invoice:
    """/api/orders/{order_id}/invoice"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getInvoice",
        "The invoice of an order",
        query=schemas.PRINTED,
        responses={200: schemas.INVOICE},
        problems=("not_found",),
        produces=KINDS,
        linked=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Return the invoice of a completed order with its credit notes, for its buyer, its store
        and admins. It is issued within a minute and never changes.
        """
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            document = papers.find_invoice(conn, caller, order_id)
        _respond(req, resp, document, lambda *where: papers.invoice_page(document, *where))


class PackingSlip:
    """/api/orders/{order_id}/packing-slip"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getPackingSlip",
        "The packing slip of an order",
        roles=SELLERS,
        query=schemas.PRINTED,
        responses={200: schemas.SLIP},
        problems=("not_found",),
        produces=KINDS,
        linked=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response, order_id: int) -> None:
        """Return what is packed and where it goes: what is still to be sent, else what was sent. It
        is there as long as the store reads the address.
        """
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            slip = papers.find_slip(conn, caller, order_id)
        _respond(req, resp, slip, lambda *where: papers.slips_page([slip], *where))


class PackingSlips:
    """/api/stores/mine/packing-slips"""

    def __init__(self, db: Database) -> None:
        self.db = db

    @operation(
        "getPackingSlips",
        "Packing slips of many orders",
        roles=SELLERS,
        query=schemas.SLIPS_WANTED,
        responses={200: schemas.SLIPS},
        problems=("not_found",),
        produces=KINDS,
        linked=True,
    )
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Return the packing slips of up to 100 orders, each on paper of its own. If there is none
        of one, there are none: `errors` name it.
        """
        caller = req.context.caller
        with self.db.transaction(caller) as conn:
            slips = papers.find_slips(conn, caller, req.context.query["ids"])
        _respond(req, resp, {"slips": slips}, lambda *where: papers.slips_page(slips, *where))


def _respond(
    req: falcon.Request,
    resp: falcon.Response,
    document: dict[str, Any],
    written: Callable[[Place, str], Html],
) -> None:
    """Respond with a document as HTML, or as JSON to those who prefer that."""
    config: Config = req.context.config
    language = client.language(req)
    if req.client_prefers(KINDS) == falcon.MEDIA_JSON:
        resp.media = document
    else:
        resp.set_header("Content-Security-Policy", POLICY)
        resp.content_type = f"{HTML}; charset=utf-8"
        resp.data = written(Place(config.country, language), config.shop_time_zone).encode()
    resp.append_header("Vary", "Accept")
    client.say_language(resp, language)
